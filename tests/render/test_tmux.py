"""The live view under tmux, which wraps lines anew on a resize and keeps a real scrollback."""

import os
import shlex
import shutil
import subprocess
import sys
import termios
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from tests.render.screen import trimmed
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

PROGRAM = """
import sys
from sayd_cli.model.report import Heard, Interim, Phase, Progress
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.live import LiveView

with LiveView(sys.stdout, backend=BackendName.LOCAL) as view:
    for index, line in enumerate(sys.stdin):
        text = line.strip()
        if text.startswith("interim"):
            view.take(Interim(text, 0.0, 1.0))
        else:
            view.take(Heard(Sentence(index, text, 0.0, 1.0)))
        view.take(Progress(Phase.LISTENING, 1.0, 1.0, -30.0))
"""
LONG = " ".join(f"word{number:02d}" for number in range(60))


class Tmux:
    """A tmux server of its own, with one window that shows what is written to ``lines``."""

    def __init__(self, folder: Path, columns: int, rows: int) -> None:
        self._name = f"sayd-test-{uuid.uuid4().hex[:8]}"
        program, pipe = folder / "program.py", folder / "lines"
        program.write_text(PROGRAM, encoding="utf-8")
        os.mkfifo(pipe)
        run = shlex.join(
            ["env", f"PYTHONPATH={Path.cwd()}", "PYTHONUTF8=1", sys.executable, str(program)]
        )
        command = f"{run} < {shlex.quote(str(pipe))}; exec sleep 120"
        size = ("-x", str(columns), "-y", str(rows))
        self._run("-f", os.devnull, "new-session", "-d", *size, command)
        self._lines: TextIO = pipe.open("w", encoding="utf-8")

    def _run(self, *arguments: str) -> str:
        command = ["tmux", "-u", "-L", self._name, *arguments]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout

    def write(self, *lines: str) -> None:
        self._lines.write("".join(f"{line}\n" for line in lines))
        self._lines.flush()

    def end(self) -> None:
        self._lines.close()

    def resize(self, columns: int, rows: int) -> None:
        """Returns when the program can know: tmux tells of one resize at most every 250 ms."""
        self.begin_resize(columns, rows)
        tty = os.open(self._run("display-message", "-p", "#{pane_tty}").strip(), os.O_RDWR)
        try:
            wait_until(lambda: termios.tcgetwinsize(tty) == (rows, columns))
        finally:
            os.close(tty)

    def begin_resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def shown(self) -> list[str]:
        return trimmed([row.rstrip() for row in self._run("capture-pane", "-p").splitlines()])

    def scrolled(self) -> list[str]:
        rows = self._run("capture-pane", "-p", "-J", "-S", "-").splitlines()
        return trimmed([row.rstrip() for row in rows])

    def history(self) -> list[str]:
        """The rows above the screen."""
        rows = self._run("capture-pane", "-p", "-J", "-S", "-", "-E", "-1").splitlines()
        size = int(self._run("display-message", "-p", "#{history_size}"))
        return [row.rstrip() for row in rows] if size else []

    def cursor_shown(self) -> bool:
        return self._run("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def close(self) -> None:
        self._lines.close()
        self._run("kill-server")


@pytest.fixture
def tmux(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tmux]:
    tmux = Tmux(tmp_path, *getattr(request, "param", (80, 12)))
    yield tmux
    tmux.close()


def test_resizes_leave_each_sentence_once_and_nothing_else(tmux: Tmux) -> None:
    sizes = [(80, 12), (40, 12), (20, 12), (64, 30), (64, 12), (40, 8), (20, 8), (80, 4)]
    sentences = []
    for turn, (columns, rows) in enumerate(sizes):
        tmux.resize(columns, rows)
        tmux.write(f"interim {turn}")
        wait_until(lambda turn=turn: f"interim {turn}" in tmux.shown(), 30)  # type: ignore[misc]
        # What is wrapped anew finds its place on a screen that is full, as it soon is.
        new = [f"Sentence {turn}.{number}." for number in range(rows)]
        tmux.write(*new, f"interim {LONG}")
        sentences += new
        wait_until(lambda: any("word59" in row for row in tmux.shown()))
    tmux.end()
    wait_until(tmux.cursor_shown)
    assert tmux.scrolled() == sentences


def stand(tmux: Tmux, turn: int) -> None:
    """Let more interim text stand than is shown of it."""
    tmux.write(f"interim {LONG} end{turn}")
    wait_until(lambda: f"end{turn}" in " ".join(tmux.shown()).split())


def text(rows: list[str]) -> list[str]:
    """Rows without the empty ones.

    A screen that is made narrower has empty rows above the interim text where few sentences were
    heard yet. They go into the history when tmux needs their place for what it wraps; sentences
    that come then are below them.
    """
    return [row for row in rows if row]


def assert_history(tmux: Tmux, sentences: list[str]) -> None:
    """While interim text stands on the screen there is none above it."""
    kept = text(tmux.history())
    assert kept == sentences[: len(kept)]


def assert_finally(tmux: Tmux, sentences: list[str]) -> None:
    tmux.end()
    wait_until(tmux.cursor_shown)
    assert text(tmux.scrolled()) == sentences


@pytest.mark.parametrize("heard", [0, 1, 30])
@pytest.mark.parametrize("between", [0, 1, 20])
@pytest.mark.parametrize("tmux", [(60, 14)], indirect=True)
def test_a_screen_made_narrower_again_and_again_keeps_no_interim_text(
    tmux: Tmux, heard: int, between: int
) -> None:
    sentences = [f"Sentence {number}." for number in range(heard)]
    tmux.write(*sentences)
    for turn, columns in enumerate((40, 25, 20)):
        stand(tmux, 2 * turn)
        tmux.resize(columns, 14)
        new = [f"Sentence {turn}.{number}." for number in range(between)]
        tmux.write(*new)
        sentences += new
        stand(tmux, 2 * turn + 1)
        assert_history(tmux, sentences)
    assert_finally(tmux, sentences)


@pytest.mark.parametrize(
    ("tmux", "rows"),
    [((80, 24), 24), ((120, 24), 24), ((120, 15), 15), ((200, 50), 50)],
    indirect=["tmux"],
)
@pytest.mark.parametrize("heard", [0, 3])
def test_a_fresh_screen_made_narrow_at_once_keeps_no_interim_text(
    tmux: Tmux, rows: int, heard: int
) -> None:
    sentences = [f"Sentence {number}." for number in range(heard)]
    tmux.write(*sentences)
    stand(tmux, 0)
    tmux.resize(20, rows)
    stand(tmux, 1)
    assert_history(tmux, sentences)
    assert_finally(tmux, sentences)


@pytest.mark.parametrize("tmux", [(60, 14)], indirect=True)
def test_a_screen_made_narrower_by_dragging_keeps_no_interim_text(tmux: Tmux) -> None:
    stand(tmux, 0)
    for turn, columns in enumerate(range(58, 18, -2)):
        tmux.write(f"interim {turn} {LONG}")
        if turn % 4:
            tmux.begin_resize(columns, 14)
        else:
            tmux.resize(columns, 14)
    stand(tmux, 1)
    assert_history(tmux, [])
    tmux.write("One.", "Two.")
    assert_finally(tmux, ["One.", "Two."])


@pytest.mark.parametrize("heard", [0, 5, 30])
@pytest.mark.parametrize("tmux", [(60, 14)], indirect=True)
def test_shorter_taller_narrower_and_wider_screens_keep_no_interim_text(
    tmux: Tmux, heard: int
) -> None:
    sentences = [f"Sentence {number}." for number in range(heard)]
    tmux.write(*sentences)
    sizes = [(60, 6), (60, 14), (30, 10), (80, 14), (20, 20), (60, 30), (25, 30), (25, 5), (60, 14)]
    for turn, (columns, rows) in enumerate(sizes):
        stand(tmux, turn)
        tmux.resize(columns, rows)
        assert_history(tmux, sentences)
    stand(tmux, len(sizes))
    assert_history(tmux, sentences)
    assert_finally(tmux, sentences)


def test_a_full_screen_of_interim_text_does_not_reach_the_scrollback(tmux: Tmux) -> None:
    tmux.resize(20, 6)
    for turn in range(30):
        tmux.write(f"interim {turn} {LONG} end{turn}")
        wait_until(lambda turn=turn: any(f"end{turn}" in row for row in tmux.shown()), 30)  # type: ignore[misc]
    tmux.write(*(f"Sentence {turn}." for turn in range(30)))
    tmux.end()
    wait_until(tmux.cursor_shown)
    assert tmux.scrolled() == [f"Sentence {turn}." for turn in range(30)]


@pytest.mark.parametrize("columns", [20, 21, 47])
def test_every_script_is_whole_at_every_width(tmux: Tmux, columns: int) -> None:
    tmux.resize(columns, 24)
    texts = [
        "今天天气很好我们去公园散步吧然后再去吃饭看电影",
        "cafe\u0301 nai\u0308ve " * 5,
        "שלום לכם מרחבא العربية " * 3,
        "한국어와 日本語 " * 4,
        "हिन्दी में " * 4,
        "👍🏽 👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f " * 4,
    ]
    for text in texts:
        tmux.write(f"interim {text}")
        wait_until(lambda: any("interim" in row for row in tmux.shown()), 30)
        assert tmux.shown()[-1].startswith("● listening")
        tmux.write(text)
        wait_until(lambda: not any("interim" in row for row in tmux.shown()), 30)
    tmux.end()
    wait_until(tmux.cursor_shown)
    scrolled = "".join(tmux.scrolled())
    assert scrolled.replace(" ", "") == "".join(texts).replace(" ", "")
