"""Keys on a real terminal: a process of its own, which a small shell controls as shells do."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sayd_cli.cli.keys import key_presses, keys_work
from tests.cli.process import LIMIT_S, environment
from tests.render.emulator import Emulator
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal is POSIX's", allow_module_level=True)

import termios

# Runs a program as the terminal's foreground job, and obeys: "wait" until it stops or ends, "fg",
# "bg". The modes of the terminal are left to the program.
SHELL = """
import fcntl, os, signal, subprocess, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], process_group=0)

def give_terminal_to(group):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    os.tcsetpgrp(0, group)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTTOU])

if sys.argv[3] == "fg":
    give_terminal_to(child.pid)
for command in open(int(sys.argv[2])):
    match command.strip():
        case "wait":
            _, status = os.waitpid(child.pid, os.WUNTRACED)
            give_terminal_to(os.getpgrp())
            told = "stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
            os.write(int(sys.argv[4]), f"{told}\\n".encode())
        case "continued":
            os.waitpid(child.pid, os.WCONTINUED)
            os.write(int(sys.argv[4]), b"continued\\n")
        case "fg":
            give_terminal_to(child.pid)
            os.killpg(child.pid, signal.SIGCONT)
        case "bg":
            os.killpg(child.pid, signal.SIGCONT)
        case "foreground":
            give_terminal_to(child.pid)
        case number:
            os.killpg(child.pid, int(number))
"""

KEYS = """
import asyncio, os, sys
from sayd_cli.cli.keys import key_presses

async def main():
    over = asyncio.Event()

    def on_key(key):
        print(f"<{key}>", flush=True)
        if key == "q":
            over.set()
        if key == "x":
            raise SystemExit(3)
        if key == "e":
            reading.close()
            os._exit(4)

    from contextlib import ExitStack
    with ExitStack() as reading:
        print("reading" if reading.enter_context(key_presses(on_key)) else "not reading")
        sys.stdout.flush()
        await over.wait()
    print("over")

asyncio.run(main())
"""

VIEW = """
import asyncio, sys
from sayd_cli.cli.keys import key_presses
from sayd_cli.model.report import Heard, Phase, Progress
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.live import LiveView

async def main(view):
    over, number = asyncio.Event(), 0

    def on_key(key):
        nonlocal number
        number += 1
        view.take(Heard(Sentence(number, f"Sentence {number}.", 0.0, 1.0)))
        if key == "q":
            over.set()

    with key_presses(on_key, view):
        view.take(Progress(Phase.LISTENING, 1.0, 1.0))
        await over.wait()

with LiveView(sys.stdout, backend=BackendName.LOCAL, keys=True) as view:
    asyncio.run(main(view))
"""


class Shell:
    """A program on a terminal, under job control."""

    def __init__(self, terminal: Emulator, program: str, *, place: str) -> None:
        self.terminal = terminal
        self.before = self.mode()
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SHELL, program, str(orders), place, str(answers)],
            stdin=terminal.stream,
            stdout=terminal.stream,
            stderr=terminal.stream,
            env=environment({"TERM": "xterm-256color"}),
            pass_fds=(orders, answers),
            start_new_session=True,
        )
        os.close(orders)
        os.close(answers)

    def order(self, what: str | int) -> None:
        os.write(self._orders, f"{int(what) if not isinstance(what, str) else what}\n".encode())

    def wait(self) -> str:
        """What has become of the program: ``stopped``, or its exit status."""
        return self._ask("wait")

    def wait_until_continued(self) -> str:
        return self._ask("continued")

    def _ask(self, what: str) -> str:
        self.order(what)
        return os.read(self._answers, 100).decode().strip()

    def mode(self) -> list[Any]:
        return termios.tcgetattr(self.terminal.stream.fileno())

    @property
    def reads_keys(self) -> bool:
        return not self.mode()[3] & (termios.ICANON | termios.ECHO)

    def close(self) -> None:
        os.close(self._orders)
        os.close(self._answers)
        self._process.wait(LIMIT_S)


@contextmanager
def running(program: str, *, place: str = "fg") -> Iterator[Shell]:
    with Emulator() as terminal:
        shell = Shell(terminal, program, place=place)
        try:
            yield shell
        finally:
            shell.order(signal.SIGKILL)
            shell.close()


def test_keys_come_one_by_one_and_are_not_shown() -> None:
    with running(KEYS) as shell:
        wait_until(lambda: shell.terminal.shown() == ["reading"])
        assert shell.reads_keys
        shell.terminal.press(" ")
        wait_until(lambda: shell.terminal.status() == "< >")
        shell.terminal.press("a\x1b[A\x1bOP\x1bqéQ")
        wait_until(lambda: shell.terminal.shown() == ["reading", "< >", "<a>", "<é>", "<Q>"])
        shell.terminal.press("q")
        assert shell.wait() == "0"
        assert shell.mode() == shell.before
        wait_until(lambda: shell.terminal.status() == "over")


@pytest.mark.parametrize(
    ("key", "status"),
    [("q", "0"), ("x", "3"), ("e", "4"), ("\x03", "-2"), ("\x1c", "-3")],
    ids=["end", "exception", "_exit", "interrupt", "quit"],
)
def test_the_terminal_is_restored_however_it_ends(key: str, status: str) -> None:
    with running(KEYS) as shell:
        wait_until(lambda: shell.terminal.shown() == ["reading"])
        assert shell.reads_keys
        shell.terminal.press(key)
        assert shell.wait() == status
        assert shell.mode() == shell.before


def test_stopped_it_leaves_the_terminal_and_continued_it_takes_it_again() -> None:
    with running(KEYS) as shell:
        wait_until(lambda: shell.terminal.shown() == ["reading"])
        for _ in range(3):
            shell.terminal.press("\x1a")
            assert shell.wait() == "stopped"
            assert shell.mode() == shell.before
            shell.order("fg")
            wait_until(lambda: shell.reads_keys)
        shell.terminal.press("q")
        assert shell.wait() == "0"
        assert shell.mode() == shell.before


def test_continued_in_the_background_it_keeps_off_the_terminal() -> None:
    with running(KEYS) as shell:
        wait_until(lambda: shell.terminal.shown() == ["reading"])
        shell.terminal.press("\x1a")
        assert shell.wait() == "stopped"
        shell.order("bg")
        assert shell.wait_until_continued() == "continued"
        shell.terminal.press("ls\n")
        assert shell.mode() == shell.before
        # A shell may move a running job to the foreground without a signal.
        shell.order("foreground")
        wait_until(lambda: shell.reads_keys)
        shell.terminal.press("q")
        assert shell.wait() == "0"
        assert shell.mode() == shell.before


def test_after_a_stop_that_nobody_can_handle_it_takes_the_terminal_again() -> None:
    with running(KEYS) as shell:
        wait_until(lambda: shell.terminal.shown() == ["reading"])
        shell.order(signal.SIGSTOP)
        assert shell.wait() == "stopped"
        termios.tcsetattr(shell.terminal.stream.fileno(), termios.TCSANOW, shell.before)
        shell.order("fg")
        wait_until(lambda: shell.reads_keys)
        shell.terminal.press("q")
        assert shell.wait() == "0"
        assert shell.mode() == shell.before


def test_a_job_in_the_background_reads_no_keys() -> None:
    with running(KEYS, place="bg") as shell:
        wait_until(lambda: shell.terminal.shown() == ["not reading"])
        assert shell.mode() == shell.before
        shell.order(signal.SIGTERM)
        assert shell.wait() == "-15"


def test_a_live_view_survives_being_stopped() -> None:
    with running(VIEW) as shell:
        terminal = shell.terminal
        terminal.press(" ")
        wait_until(lambda: terminal.shown()[:1] == ["Sentence 1."])
        wait_until(lambda: "Space pauses, q stops" in terminal.status())
        terminal.press("\x1a")
        assert shell.wait() == "stopped"
        # The echo of Ctrl-Z has no row of its own.
        wait_until(lambda: not terminal.cursor_hidden and "q stops" not in terminal.status())
        print("$ fg", file=terminal.stream, flush=True)
        shell.order("fg")
        wait_until(lambda: "Space pauses, q stops" in terminal.status() and terminal.cursor_hidden)
        terminal.press("q")
        assert shell.wait() == "0"
        wait_until(lambda: not terminal.cursor_hidden)
        wait_until(lambda: terminal.scrolled() == ["Sentence 1.", "$ fg", "Sentence 2."])


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_person_in_a_shell(name: str, tmp_path: Any) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "view.py").write_text(VIEW)
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[name]
    own = f"import os, pty; os.login_tty(0); os.execvp({name!r}, {[name, *plain, '-i']!r})"
    with Emulator() as terminal:
        shell = subprocess.Popen(
            [sys.executable, "-c", own.replace("os.login_tty(0)", TAKE_TERMINAL)],
            stdin=terminal.stream,
            stdout=terminal.stream,
            stderr=terminal.stream,
            env=environment({"TERM": "xterm-256color", "PYTHONPATH": os.getcwd()}),  # noqa: PTH109
            start_new_session=True,
        )
        try:
            terminal.press(f"{sys.executable} {tmp_path / 'view.py'}\r")
            wait_until(lambda: "q stops" in terminal.status())
            for count in range(1, 4):
                terminal.press(" ")
                wait_until(lambda c=count: f"Sentence {c}." in terminal.shown())  # type: ignore[misc]
                terminal.press("\x1a")
                wait_until(lambda: "q stops" not in "\n".join(terminal.shown()))
                wait_until(lambda: not terminal.cursor_hidden)
                terminal.press("fg\r")
                wait_until(lambda: "q stops" in terminal.status() and terminal.cursor_hidden)
            terminal.press("q")
            wait_until(lambda: "Sentence 4." in terminal.shown() and not terminal.cursor_hidden)
            terminal.press("echo th''ere\r")
            wait_until(lambda: "there" in terminal.shown())
            assert [row for row in terminal.scrolled() if row.startswith("Sentence")] == [
                f"Sentence {number}." for number in range(1, 5)
            ]
        finally:
            shell.kill()
            shell.wait()


TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"


async def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTSTP)
    with open(os.devnull) as nothing:  # noqa: PTH123, ASYNC230
        for stream in (None, nothing):
            monkeypatch.setattr(sys, "stdin", stream)
            assert not keys_work()
            with key_presses(print) as reading:
                assert not reading
                assert signal.getsignal(signal.SIGTSTP) is before


async def test_a_terminal_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # This process may have a terminal; it is not this one.
    with Emulator() as terminal:
        mode = termios.tcgetattr(terminal.stream.fileno())
        monkeypatch.setattr(sys, "stdin", terminal.stream)
        assert not keys_work()
        with key_presses(print) as reading:
            assert not reading
            await asyncio.sleep(0)
            assert termios.tcgetattr(terminal.stream.fileno()) == mode
