from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from time import monotonic

import pytest

from sayd_cli.errors import UsageError
from sayd_cli.model.report import Ended, EndReason, Heard, Interim, Notice, Report
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.captionfile import CaptionFile
from tests.waiting import wait_until

_WORDS = 40


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def take(self, report: Report) -> None:
        assert isinstance(report, Notice)
        self.lines.append(report.text)


def heard(text: str) -> Heard:
    return Heard(Sentence(0, text, 0.0, 1.0))


def interim(text: str) -> Interim:
    return Interim(text, 0.0, 1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "caption.txt"


@contextmanager
def caption_file(
    path: Path, told: Told | None = None, *, hold_s: float = 60.0, every_s: float = 0.01
) -> Iterator[CaptionFile]:
    with CaptionFile(path, told=told or Told(), hold_s=hold_s, every_s=every_s) as caption:
        yield caption


def test_it_is_empty_before_and_after_the_run_and_holds_the_caption_between(path: Path) -> None:
    path.write_text("of another run")
    with caption_file(path) as caption:
        assert path.read_bytes() == b""
        caption.take(heard("Good day to all of you who have come from near and far."))
        caption.take(interim("I will begin"))
        expected = b"Good day to all of you who have come from\nnear and far. I will begin"
        wait_until(lambda: path.read_bytes() == expected)
        caption.take(Ended(EndReason.EOF, 1.0, 1, 12))
        wait_until(lambda: path.read_bytes().endswith(b"far."))
    assert path.read_bytes() == b""


def test_it_is_utf_8_with_whole_characters(path: Path) -> None:
    with caption_file(path) as caption:
        caption.take(heard("我们今天讨论的是实时字幕。" * 4))
        wait_until(lambda: path.read_bytes())
        rows = path.read_text(encoding="utf-8").split("\n")
    assert len(rows) == 2
    assert all(0 < len(row) <= 21 for row in rows)


def test_silence_empties_it_and_new_text_begins_a_row(path: Path) -> None:
    with caption_file(path, hold_s=0.2) as caption:
        caption.take(heard("Before."))
        wait_until(lambda: path.read_text() == "Before.")
        wait_until(lambda: path.read_text() == "")
        caption.take(heard("After."))
        wait_until(lambda: path.read_text() == "After.")


def _read_tightly(
    path: Path, ready: Event, stop: Event, seen: multiprocessing.Queue[tuple[int, int, list[str]]]
) -> None:
    whole = 0
    broken: list[str] = []
    numbers: set[str] = set()
    while not stop.is_set():
        text = path.read_text(encoding="utf-8")
        ready.set()
        words = text.split()
        # Empty is half a caption too, once there was one.
        if (words or numbers) and (len(words) != _WORDS or len(set(words)) != 1):
            broken.append(text)
        whole += 1
        numbers.update(words)
    seen.put((whole, len(numbers), broken[:3]))


def test_a_reader_never_sees_half_a_caption(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    seen: multiprocessing.Queue[tuple[int, int, list[str]]] = spawn.Queue()
    with CaptionFile(path, told=Told(), lines=20, columns=40, every_s=0.0) as caption:
        reader = spawn.Process(target=_read_tightly, args=(path, ready, stop, seen))
        reader.start()
        assert ready.wait(30)
        for number in range(3000):
            text = " ".join([f"{number:05}"] * _WORDS)
            caption.take(interim(text))
            if number % 10 == 0:
                wait_until(lambda text=text: path.read_text().split() == text.split())  # type: ignore[misc]
        stop.set()
        reads, captions, broken = seen.get(timeout=30)
        reader.join(30)
    assert broken == []
    assert captions > 100, f"{reads} reads saw only {captions} captions"


def test_however_much_is_said_it_is_replaced_ten_times_a_second(path: Path) -> None:
    with CaptionFile(path, told=Told()) as caption:
        files = set()
        began_s = monotonic()
        for number in range(100_000):
            caption.take(interim(f"word {number}"))
            files.add(path.stat().st_mtime_ns)
            if monotonic() - began_s > 1:
                break
        wait_until(lambda: path.read_text() == f"word {number}")
    assert 3 <= len(files) <= 13


def test_the_last_change_is_never_left_out(path: Path) -> None:
    with CaptionFile(path, told=Told(), every_s=0.2) as caption:
        for text in ("one", "one two", "one two three"):
            caption.take(interim(text))
        wait_until(lambda: path.read_text() == "one two three")


def test_what_a_symbolic_link_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "target.txt"
    for exists in (True, False):
        if exists:
            target.write_text("before")
        else:
            target.unlink()
        link = tmp_path / f"link-{exists}"
        link.symlink_to(target)
        with caption_file(link) as caption:
            caption.take(heard("So."))
            wait_until(lambda: target.read_text() == "So.")
            assert link.is_symlink()
            assert link.read_text() == "So."
        assert target.read_text() == ""


def test_its_permissions_are_those_of_any_new_file(path: Path) -> None:
    before = os.umask(0o027)
    try:
        with caption_file(path) as caption:
            caption.take(heard("So."))
            wait_until(lambda: path.read_text())
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_nothing_else_is_left_in_the_folder(path: Path) -> None:
    with caption_file(path) as caption:
        caption.take(heard("So."))
        wait_until(lambda: path.read_text())
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_name_as_long_as_names_can_be_is_a_name(tmp_path: Path) -> None:
    with caption_file(tmp_path / ("n" * 255)):
        pass


def _folder(directory: Path) -> Path:
    return directory


def _pipe(directory: Path) -> Path:
    os.mkfifo(directory / "pipe")
    return directory / "pipe"


def _loop(directory: Path) -> Path:
    (directory / "loop").symlink_to("loop")
    return directory / "loop"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda directory: directory / "missing" / "caption.txt", "No such file or directory"),
        (_folder, "it is a folder"),
        (_pipe, "it is not a file"),
        (_loop, "symbolic links"),
        (lambda directory: directory / "null\0character", "null"),
        (lambda directory: directory / ("n" * 300), "too long"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_run(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=why) as caught, caption_file(path):
        pass
    assert caught.value.exit_status == 2
    assert "--caption-file" in caught.value.remedy
    assert sorted(tmp_path.iterdir()) == before


def test_a_failure_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "caption.txt"
    told = Told()
    with caption_file(path, told) as caption:
        path.unlink()
        folder.rmdir()
        caption.take(interim("one"))

        def said() -> bool:
            caption.take(Notice("something else"))
            return bool(told.lines)

        wait_until(said)
        caption.take(interim("one two"))
        caption.take(Notice("something else"))
        folder.mkdir()
        caption.take(interim("one two three"))
        wait_until(lambda: path.exists() and path.read_text() == "one two three")
        caption.take(Notice("something else"))
    assert told.lines == [f"the caption cannot be written to {path}: No such file or directory"]
    assert path.read_text() == ""
