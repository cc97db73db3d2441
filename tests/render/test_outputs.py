from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import webvtt

from sayd_cli.errors import StorageError, UsageError
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Ended, EndReason, Heard, Interim, Notice, Phase, Progress, Report
from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.outputs import FORMATS, OutputFile, check_outputs, format_of, write_record
from sayd_cli.transcript.formats import Format, encoder
from tests.transcript.test_formats import STARTED
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("named pipes, devices and limits are POSIX's", allow_module_level=True)

import resource

PROGRESS = Progress(Phase.LISTENING, 1.0, 1.0)
ENDED = Ended(EndReason.EOF, 9.0, 2, 4)


def heard(index: int, text: str = "Naïve 你好 👋.") -> Heard:
    return Heard(Sentence(index, text, index * 2.0, index * 2.0 + 1.0))


RUN: list[Report] = [
    Progress(Phase.STARTING, 0.0, 0.0),
    STARTED,
    PROGRESS,
    Interim("hm", 0, 1),
    *map(heard, range(3)),
    ENDED,
]


@dataclass
class Told:
    reports: list[Report] = field(default_factory=list)

    def take(self, report: Report) -> None:
        self.reports.append(report)

    @property
    def notices(self) -> list[str]:
        return [report.text for report in self.reports if isinstance(report, Notice)]


def in_full(format_: Format) -> str:
    write = encoder(format_, title="A title")
    return "".join(write.report(report) for report in RUN)


@pytest.mark.parametrize(("suffix", "format_"), FORMATS.items())
def test_a_file_is_whole_after_every_report(tmp_path: Path, suffix: str, format_: Format) -> None:
    path = tmp_path / f"a{suffix}"
    told = Told()
    write = encoder(format_, title="A title")
    expected = ""
    with OutputFile(path, told, title="A title") as output:
        for report in RUN:
            output.take(report)
            expected += write.report(report)
            assert path.exists() is (report is not RUN[0])
            if path.exists():
                assert path.read_bytes().decode() == expected
    assert expected == in_full(format_)
    assert path.read_text("utf-8") == expected
    assert (told.reports, output.failure) == ([], None)


def test_every_format_has_a_suffix() -> None:
    assert sorted(FORMATS.values()) == sorted(Format)
    assert format_of(Path("A.VTT")) is Format.VTT


def test_subtitles_can_be_read_while_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "live.vtt"
    found: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            if path.exists() and (text := path.read_text("utf-8")):
                assert text.endswith("\n\n")
                found.append(len(webvtt.WebVTT.from_string(text, strict=True)))

    reader = threading.Thread(target=read)
    reader.start()
    with OutputFile(path, Told()) as output:
        output.take(STARTED)
        # Within a page: across two, some file systems let a reader in between.
        for index in range(80):
            output.take(heard(index, "x."))
            if index % 10 == 0:
                seen = len(found)
                wait_until(lambda seen=seen: len(found) > seen)  # type: ignore[misc]
    over.set()
    reader.join()
    assert found == sorted(found)
    assert len(set(found)) > 3


def test_options_reach_the_format(tmp_path: Path) -> None:
    lines, notes = tmp_path / "a.jsonl", tmp_path / "a.md"
    with (
        OutputFile(lines, Told(), interim=True) as first,
        OutputFile(notes, Told(), timestamps=True, title="Monday") as second,
    ):
        for report in RUN:
            first.take(report)
            second.take(report)
    assert json.loads(lines.read_text("utf-8").splitlines()[1])["type"] == "partial"
    assert notes.read_text("utf-8").startswith("# Monday\n")
    assert "\n`00:00:00.0` Naïve" in notes.read_text("utf-8")


def test_the_umask_decides_who_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with OutputFile(tmp_path / "a.txt", Told()) as output:
            output.take(STARTED)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_an_old_file_is_replaced_when_the_session_exists_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old\n" * 1000)
    check_outputs([path])
    with OutputFile(path, Told()) as output:
        output.take(RUN[0])
        output.take(Notice("the service is away"))
        output.take(Ended(EndReason.ERROR, 0.0, 0, 0))
        assert path.read_text().startswith("old\n")
    with OutputFile(path, Told()) as output:
        output.take(STARTED)
        assert path.read_text() == ""
        output.take(heard(0, "New."))
    assert path.read_text() == "New.\n"


@contextmanager
def limited(size_bytes: int) -> Iterator[None]:
    """A limit on the size of files ends a write in its middle, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_is_told_once_and_leaves_whole_captions(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    told = Told()
    with OutputFile(path, told) as output:
        for report in RUN[:5]:
            output.take(report)
        whole = path.read_bytes()
        with limited(len(whole) + 5):
            for report in RUN[5:]:
                output.take(report)
        output.take(heard(9))
    assert path.read_bytes() == whole
    assert told.notices == [f"{path} is not complete: File too large"]
    assert isinstance(output.failure, StorageError)
    assert output.failure.exit_status == 1
    assert output.failure.message == told.notices[0]
    assert "room" in output.failure.remedy


def test_a_full_device(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").symlink_to("/dev/full")
    told = Told()
    with OutputFile(tmp_path / "a.vtt", told) as output:
        for report in RUN:
            output.take(report)
    assert told.notices == [f"{tmp_path / 'a.vtt'} is not complete: No space left on device"]
    assert output.failure is not None


def test_a_folder_that_has_gone_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    check_outputs([folder / "a.txt"])
    told = Told()
    with OutputFile(folder / "a.txt", told) as output:
        folder.rmdir()
        for report in RUN:
            output.take(report)
    assert told.notices == [f"{folder / 'a.txt'} is not complete: No such file or directory"]
    assert output.failure is not None


def test_a_named_pipe_gets_what_was_written_before_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    os.mkfifo(path)
    check_outputs([path])
    with OutputFile(path, Told()) as output:
        for report in RUN[:5]:
            output.take(report)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(fd, "rb", buffering=0) as reader:
            output.take(PROGRESS)
            so_far = encoder(Format.VTT)
            assert reader.read(9999).decode() == "".join(map(so_far.report, RUN[:5]))
            for report in RUN[5:]:
                output.take(report)
            output.close()
            assert reader.read(9999).decode() == "".join(map(so_far.report, RUN[5:]))
            assert reader.read() == b""
    assert output.failure is None


def test_a_pipe_that_is_full_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as reader, OutputFile(path, Told()) as output:
        output.take(STARTED)
        expected = [f"{index} {'x' * 2000}" for index in range(200)]
        for index, text in enumerate(expected):
            output.take(heard(index, text))
        found: list[bytes] = []
        os.set_blocking(fd, True)
        thread = threading.Thread(target=lambda: found.extend(reader.readlines()))
        thread.start()
        output.close()
        thread.join()
    assert [line.decode().rstrip("\n") for line in found] == expected
    assert output.failure is None


def test_a_pipe_that_nobody_reads_is_a_failure_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    told = Told()
    with OutputFile(path, told) as output:
        for report in RUN:
            output.take(report)
        assert output.failure is None
    # Not told, too: who closes it says it.
    assert told.notices == []
    expected = f"{path} is not complete: nobody reads it"
    assert getattr(output.failure, "message", None) == expected


def test_what_waits_for_a_reader_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    told = Told()
    with OutputFile(path, told) as output:
        output.take(STARTED)
        for index in range(120):
            output.take(heard(index, "x" * 10_000))
    assert told.notices == [f"{path} is not complete: its reader is too slow"]


def test_a_reader_that_has_read_enough_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    told = Told()
    with OutputFile(path, told) as output:
        output.take(STARTED)
        output.take(heard(0))
        os.close(fd)
        output.take(heard(1))
        output.take(heard(2))
    assert told.notices == [f"nobody reads {path} any more"]
    assert output.failure is None


def test_a_caption_is_one_write() -> None:
    # In packet mode each write is read apart.
    reading, writing = os.pipe2(os.O_DIRECT)
    with OutputFile(Path(f"/dev/fd/{writing}"), Told()) as output:
        for report in RUN:
            output.take(report)
            if isinstance(report, Heard):
                assert os.read(reading, 9999).decode() == f"{report.sentence.text}\n"
    os.close(writing)
    assert os.read(reading, 9999) == b""
    os.close(reading)


PROGRAM = """
import sys
from pathlib import Path
from sayd_cli.model.report import Heard
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.outputs import OutputFile, check_outputs

path = Path("/dev/stdout")
check_outputs([path])
print("before", flush=True)
with OutputFile(path, None) as output:
    output.take(Heard(Sentence(0, "One.", 0.0, 1.0)))
    print("between", flush=True)
    output.take(Heard(Sentence(1, "Two.", 1.0, 2.0)))
print("after")
"""


def test_standard_output_by_its_name(tmp_path: Path) -> None:
    run = [sys.executable, "-c", PROGRAM]
    expected = "before\nOne.\nbetween\nTwo.\nafter\n"
    piped = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert piped.stdout == expected
    path = tmp_path / "a"
    path.write_text("kept\n")
    with path.open("a") as file:
        subprocess.run(run, stdout=file, check=True, timeout=60)
    assert path.read_text() == f"kept\n{expected}"


def refused(*paths: Path, taken: dict[str, Path] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        check_outputs(paths, taken=taken)
    assert caught.value.exit_status == 2
    return caught.value


def test_what_will_not_do_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "old.txt").write_text("old")
    missing = tmp_path / "missing"
    good = tmp_path / "good.txt"
    cases = [
        (tmp_path / "a.docx", "tells no format", ".txt, .jsonl, .srt, .vtt, .md"),
        (tmp_path / "a", "tells no format", ".txt"),
        (tmp_path / "a.json", "one JSON document", ".jsonl"),
        (Path("-"), "standard output", "--format"),
        (tmp_path / "folder.txt", "is a folder", "in it"),
        (missing / "a.txt", f"there is no folder {missing}", ""),
        (tmp_path / "old.txt" / "a.txt", "Not a directory", ""),
        (tmp_path / ("a" * 300 + ".txt"), "too long", ""),
        (Path("/dev/fd/999"), "Bad file descriptor", ""),
    ]
    for path, message, remedy in cases:
        error = refused(good, tmp_path / "old.txt", path)
        assert message in error.message
        assert remedy in error.remedy
    assert sorted(child.name for child in tmp_path.iterdir()) == ["folder.txt", "old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("old")
    (tmp_path / "link.md").symlink_to(old)
    (tmp_path / "hard.txt").hardlink_to(old)
    (tmp_path / "new.md").symlink_to(new)
    for first, second in [
        (old, old),
        (old, tmp_path / "link.md"),
        (old, tmp_path / "hard.txt"),
        (new, tmp_path / "folder" / ".." / "new.txt"),
        (new, tmp_path / "new.md"),
    ]:
        (tmp_path / "folder").mkdir(exist_ok=True)
        assert "named twice: by -o, and by -o" in refused(first, second).message
        assert "by --record" in refused(first, taken={"--record": second}).message
    check_outputs([old, new, tmp_path / "other.txt"], taken={"--record": tmp_path / "a.wav"})


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who may not write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_written_is_refused(tmp_path: Path) -> None:
    for parent in [tmp_path, *tmp_path.parents][:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "old.txt").chmod(0o444)
    tmp_path.chmod(0o555)
    with nobody():
        assert "old.txt: it is read-only to you" in refused(tmp_path / "old.txt").message
        assert f"folder {tmp_path} is read-only" in refused(tmp_path / "new.txt").message
    tmp_path.chmod(0o755)


RECORD = SessionRecord(SessionSummary("s-1", title="Monday"), (heard(0).sentence,))


def test_a_past_session_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("old" * 1000)
    write_record(path, RECORD, timestamps=True)
    assert path.read_text("utf-8") == "# Monday\n\n`00:00:00.0` Naïve 你好 👋.\n"
    with pytest.raises(StorageError, match="No such file"):
        write_record(tmp_path / "missing" / "a.md", RECORD)
    with limited(20), pytest.raises(StorageError, match="File too large"):
        write_record(path, RECORD)
    assert path.read_bytes() == b""
