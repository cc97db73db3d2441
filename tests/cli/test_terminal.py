"""The real process on a real terminal: what a person sees."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, environment, sayd
from tests.conftest import PlugIn
from tests.render.emulator import Emulator
from tests.waiting import wait_until

BECKETT = recording("beckett.wav")

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal is POSIX's", allow_module_level=True)


_AT_HOME_ON_ITS_TERMINAL = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "from sayd_cli.cli.main import main; main()"
)


@contextmanager
def on_terminal(
    terminal: Emulator,
    *arguments: str,
    stdout: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run it as the foreground job of the terminal, or with only its stdout somewhere else."""
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_HOME_ON_ITS_TERMINAL, *arguments],
        start_new_session=True,
        stdin=terminal.stream,
        stdout=terminal.stream if stdout is None else stdout,
        stderr=terminal.stream,
        env=environment({"TERM": "xterm-256color", **(env or {})}),
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_sentences_stay_and_the_live_view_goes() -> None:
    lines = sayd("listen", str(BECKETT), "--local").stdout.splitlines()
    with Emulator() as terminal:
        with on_terminal(
            terminal, "listen", str(BECKETT), "--local", "--pace", "realtime"
        ) as process:
            wait_until(lambda: "listening" in terminal.status())
            wait_until(lambda: terminal.shown()[:1] == lines[:1])
            assert "local" in terminal.status()
            assert process.wait(LIMIT_S) == 0
        wait_until(lambda: terminal.scrolled() == lines)
        assert not terminal.cursor_hidden


def test_results_in_a_pipe_leave_the_view_on_stderr() -> None:
    with Emulator() as terminal:
        with on_terminal(
            terminal,
            "listen",
            str(BECKETT),
            "--local",
            "--pace",
            "realtime",
            stdout=subprocess.PIPE,
        ) as process:
            wait_until(lambda: "listening" in terminal.status())
            out, _ = process.communicate(timeout=LIMIT_S)
        assert out.lower().startswith("ever tried")
        assert not terminal.cursor_hidden


@pytest.mark.microphone
def test_interrupting_gives_the_terminal_back(plug_in: PlugIn) -> None:
    microphone = plug_in(BECKETT, 16000)
    with Emulator() as terminal:
        with on_terminal(terminal, "listen", env=microphone.environment()) as process:
            wait_until(lambda: "ever tried" in "\n".join(terminal.shown()).lower())
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == 0
        wait_until(lambda: "listening" not in "\n".join(terminal.shown()))
        assert not terminal.cursor_hidden
        assert "no key" in terminal.scrolled()[0]


def test_a_dumb_terminal_gets_lines_only() -> None:
    with Emulator() as terminal:
        with on_terminal(
            terminal, "listen", str(BECKETT), "--local", env={"TERM": "dumb"}
        ) as process:
            assert process.wait(LIMIT_S) == 0
        wait_until(lambda: terminal.shown())
        assert b"\x1b" not in terminal.raw


def test_an_error_on_a_terminal_leaves_nothing_else() -> None:
    with Emulator() as terminal:
        with on_terminal(terminal, "listen", "/nonexistent.wav", "--local") as process:
            assert process.wait(LIMIT_S) == 5
        wait_until(lambda: len(terminal.shown()) == 2)
        assert terminal.shown()[0] == "sayd: /nonexistent.wav does not exist"
        assert not terminal.cursor_hidden
