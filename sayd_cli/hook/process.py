"""A command as processes: how it is started, given text, listened to, limited and killed.

The command line is the user's and never changes: on POSIX ``/bin/sh -c COMMAND``; on Windows
COMMAND as the system itself splits it, for ``cmd.exe`` would put the text into the line, in place
of ``%SAYD_TEXT%``, before it reads that. The text is data, on standard input and in the
environment. Refuses to know what a sentence is.

A command has a session and a process group of its own: the terminal's Ctrl-C does not reach it,
and it can be killed with all that it started (on Windows it alone).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

_OUTPUT_BYTES = 64 << 10
_OUTPUT_WITHIN_S = 0.5
"""After its end: what it wrote is in the pipe already, unless others still write there."""
_LEFT_BEHIND = 16
"""Threads at pipes that processes in the background hold open; where there are more, output is
not taken, so that open files do not run out."""
_GONE_WITHIN_S = 2.0
"""After SIGKILL. What takes longer hangs in the kernel, or belongs to another user."""
_STARTED_WITHIN_S = 0.5
_SHELL_MEANS = {126: ", not executable", 127: ", command not found"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    Attributes:
        failure: What the command did instead of succeeding, such as "ended with status 1"; None
            when it succeeded.
        output: What it wrote to standard output and standard error, in the order it came; the
            first 64 KiB.
        is_cut: It wrote more than that.
    """

    failure: str | None
    output: str = ""
    is_cut: bool = False


class CommandRunner:
    """Runs one command again and again: one run at a time, from one thread.

    Args:
        command: As the user typed it.
        inherited: The environment of every run.
        time_limit_s: How long a run may take; then SIGTERM goes to its process group.
        grace_s: How long after that SIGKILL does.
    """

    def __init__(
        self, command: str, inherited: Mapping[str, str], *, time_limit_s: float, grace_s: float
    ) -> None:
        self._command = command
        self._inherited = inherited
        self._time_limit_s = time_limit_s
        self._grace_s = grace_s
        self._left_behind: list[threading.Thread] = []
        # Held while a process is started, so that ``abandon`` does not miss it.
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._abandoned = False

    def run(self, text: str, variables: Mapping[str, str]) -> Outcome:
        """Run the command to its end; whatever it does, this raises nothing.

        What it leaves running in the background goes on, unless the time limit was exceeded.

        Args:
            text: What it reads on standard input, before a line end.
            variables: More environment.
        """
        self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
        try:
            process = self._start(variables)
        except OSError as exc:
            return Outcome(f"cannot be started: {exc.strerror}")
        if process is None:
            return Outcome("was abandoned")
        output = _Output()
        threads = []
        if process.stdin is not None:
            threads.append(_begin(_feed, process.stdin, f"{text}\n"))
        if process.stdout is not None:
            threads.append(_begin(output.take, process.stdout))
        failure = self._wait(process)
        with self._starting:
            self._process = None
        for thread in threads:
            thread.join(_OUTPUT_WITHIN_S)
        self._left_behind += threads
        return output.finish(failure)

    def abandon(self) -> None:
        """Kill what runs, with its group, and start nothing more. From any thread; waits for
        nothing but a process that is just being started.
        """
        self._abandoned = True
        taken = self._starting.acquire(timeout=_STARTED_WITHIN_S)
        try:
            if self._process is not None:
                _kill(self._process)
        finally:
            if taken:
                self._starting.release()

    def _start(self, variables: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
        takes_output = len(self._left_behind) < _LEFT_BEHIND
        with self._starting:
            if self._abandoned:
                return None
            self._process = subprocess.Popen(
                # Not ``shell=True``: on Windows that is cmd.exe.
                self._command if sys.platform == "win32" else ["/bin/sh", "-c", self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if takes_output else subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                env=_environment(self._inherited, variables),
                start_new_session=True,
            )
            return self._process

    def _wait(self, process: subprocess.Popen[bytes]) -> str | None:
        """Wait for its end, or bring it about; gives the failure."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return _failure(process.wait(self._time_limit_s))
        took = f"took longer than {self._time_limit_s:g} s"
        _terminate(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._grace_s)
        # Also when it has ended: what it started may have not.
        _kill(process)
        try:
            process.wait(_GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            return f"{took} and cannot be killed"
        return f"{took} and was killed"


class _Output:
    """What a command writes, as much of it as is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = bytearray()
        self._is_cut = False
        self._is_finished = False

    def take(self, pipe: IO[bytes]) -> None:
        """Read to the end, however much comes: the command shall not wait for room in the pipe."""
        with pipe:
            while block := os.read(pipe.fileno(), _OUTPUT_BYTES):
                with self._lock:
                    room = 0 if self._is_finished else _OUTPUT_BYTES - len(self._kept)
                    self._kept += block[:room]
                    self._is_cut = self._is_cut or len(block) > room

    def finish(self, failure: str | None) -> Outcome:
        """What has come so far; what comes later is not kept."""
        with self._lock:
            self._is_finished = True
            return Outcome(failure, self._kept.decode(errors="replace"), self._is_cut)


def _begin(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name="exec-pipe", daemon=True)
    thread.start()
    return thread


def _feed(pipe: IO[bytes], text: str) -> None:
    # That a command does not read, and has closed its end, is no failure.
    with contextlib.suppress(OSError), pipe:
        pipe.write(text.encode(errors="replace"))


def _environment(
    inherited: Mapping[str, str], variables: Mapping[str, str]
) -> dict[bytes, bytes] | dict[str, str]:
    if sys.platform == "win32":
        return {**inherited, **variables}
    # Text is UTF-8 whatever the locale, which may not have its characters.
    ours = {name.encode(): value.encode(errors="replace") for name, value in variables.items()}
    return {os.fsencode(name): os.fsencode(value) for name, value in inherited.items()} | ours


def _failure(status: int) -> str | None:
    if status == 0:
        return None
    if status > 0:
        return f"ended with status {status}{_SHELL_MEANS.get(status, '')}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


if sys.platform == "win32":

    def _terminate(process: subprocess.Popen[bytes]) -> None:
        process.terminate()

    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()

else:

    def _terminate(process: subprocess.Popen[bytes]) -> None:
        _signal_group(process, signal.SIGTERM)

    def _kill(process: subprocess.Popen[bytes]) -> None:
        _signal_group(process, signal.SIGKILL)

    def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        # It may have gone, or have become another user's (sudo).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
