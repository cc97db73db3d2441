"""The standard streams as this process was given them: usable, closed, or full.

Owns what happens where standard output cannot be written: an error of ours for whoever writes,
and silence afterwards; and what happens to a reader that is slow. It is imported before all else,
so it imports only what the interpreter has already.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys

TYPE_CHECKING = False  # ``typing`` would be half of the time that ``sayd --version`` takes.
if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer

    from sayd_cli.errors import UsageError

_STDOUT_FD, _STDERR_FD = 1, 2

_UNREAD_BYTES = 16 << 20
"""What may wait for the reader of a run's results: a week of speech."""


class _Results(io.FileIO):
    """Where standard output ends, with errors of ours for those of the system."""

    is_missing = False
    """There is no standard output: it was closed by whoever started us."""

    is_forgetting = False
    """What is written now is of no use to anybody."""

    unread: bytearray | None = None
    """What the reader has not taken yet; None while whoever writes waits for the reader."""

    def write(self, data: ReadableBuffer, /) -> int:
        """As ``FileIO`` does, but where ``unread`` takes what the reader does not.

        Raises:
            StorageError: There is no room, or the disk fails.
            UsageError: There is no standard output.
            BrokenPipeError: The reader has gone, which is no failure.
        """
        if self.is_forgetting:
            return memoryview(data).nbytes
        if self.is_missing:
            raise _no_output()
        if self.unread is None:
            return self._write(data)
        self.unread += data
        self.pass_on()
        if len(self.unread) > _UNREAD_BYTES:
            from sayd_cli.errors import StorageError

            self.forget_unread()
            raise StorageError(
                "the results are not read",
                "they are in the history: sayd sessions show last",
            )
        return memoryview(data).nbytes

    def pass_on(self) -> None:
        """Give the reader as much of ``unread`` as it takes now.

        Raises:
            StorageError, BrokenPipeError: As ``write`` does, the latter also when nothing waits;
                then ``unread`` is empty.
        """
        import select

        asked = select.poll()
        asked.register(self.fileno(), select.POLLOUT)
        try:
            while events := dict(asked.poll(0)).get(self.fileno(), 0):
                if self.unread:
                    # A pipe that takes anything takes so much at once, without waiting.
                    taken_bytes = self._write(self.unread[: select.PIPE_BUF])
                    if not taken_bytes:
                        return  # whoever opened it has it never wait, and it takes less
                    del self.unread[:taken_bytes]
                    continue
                if events & (select.POLLERR | select.POLLHUP) and self._is_pipe():
                    raise BrokenPipeError
                return
        except BaseException:
            self.forget_unread()
            raise

    def wait_for_reader(self) -> None:
        """Give the reader all that waits, however long it takes, and wait for it from now on.

        Raises:
            StorageError, BrokenPipeError: As ``write`` does.
        """
        import select

        asked = select.poll()
        asked.register(self.fileno(), select.POLLOUT)
        try:
            while self.unread:
                asked.poll()
                self.pass_on()
        finally:
            self.unread = None

    def forget_unread(self) -> None:
        """Drop what waits."""
        if self.unread:
            self.unread.clear()

    def _is_pipe(self) -> bool:
        mode = os.fstat(self.fileno()).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

    def _is_terminal_that_has_gone(self, exc: OSError) -> bool:
        return exc.errno == errno.EIO and stat.S_ISCHR(os.fstat(self.fileno()).st_mode)

    def _write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as exc:
            if self._is_terminal_that_has_gone(exc):
                # It ends a run in another way, by SIGHUP: after the last words, which are kept.
                self.is_forgetting = True
                return memoryview(data).nbytes
            from sayd_cli.errors import StorageError

            raise StorageError(
                f"the results cannot be written: {exc.strerror}",
                "make room where standard output goes, or send it elsewhere",
            ) from exc


class PatientOutput:
    """Standard output that is not waited for: a reader that takes nothing holds up neither the
    microphone nor the service. A context manager: leaving it waits until all is read.

    Calling order inside: ``pass_on`` from time to time, for what the reader did not take at once
    and to learn that it has gone; what is written does the same. ``abandon`` drops what waits.
    """

    def __enter__(self) -> PatientOutput:
        if sys.platform != "win32":  # which cannot be asked whether a pipe takes anything
            _watch_stdout()
            results = _results()
            if results is not None and not results.is_missing:
                results.unread = bytearray()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        results = _results()
        if results is not None and results.unread is not None:
            results.wait_for_reader()

    @property
    def is_behind(self) -> bool:
        """Something was written that the reader has not taken."""
        results = _results()
        return results is not None and bool(results.unread)

    def pass_on(self) -> None:
        """Give the reader what it takes now.

        Raises:
            StorageError: It cannot be written.
            BrokenPipeError: The reader has gone.
        """
        results = _results()
        if results is not None and results.unread is not None:
            results.pass_on()

    def abandon(self) -> None:
        """Drop what waits, so that leaving does not."""
        results = _results()
        if results is not None:
            results.forget_unread()


def adopt_streams() -> None:
    """Make the standard streams safe to use; called once, before anything else.

    Afterwards descriptors 0 to 2 are open, so that no database and no socket lands on one of them
    and is written to as if it were a stream. ``sys.stderr`` is there, and takes what nobody can
    see. ``sys.stdout`` is there, and fails with errors of ours. ``sys.stdin`` stays None where
    there is none, so that who reads it can say so.
    """
    for fd in range(_STDERR_FD + 1):
        if not _is_open(fd):
            # The lowest free number is given: this one. Programs we start are to have it, too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        nowhere = io.FileIO(_STDERR_FD, "wb", closefd=False)
        sys.stderr = io.TextIOWrapper(nowhere, encoding="utf-8", errors="backslashreplace")
    if sys.stdout is None:
        missing = _Results(_STDOUT_FD, "wb", closefd=False)
        missing.is_missing = True
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(missing), encoding="utf-8")
    else:
        _watch_stdout()


def require_output() -> None:
    """Make sure that there is a standard output, before work is done for nothing.

    Raises:
        UsageError: It was closed by whoever started us.
    """
    results = _results()
    if results is not None and results.is_missing:
        raise _no_output()


def forget_unwritten() -> None:
    """Let go of what could not be written; else the interpreter tries again at its end, complains,
    and leaves with a status of its own. Called last.
    """
    results = _results()
    if results is not None:
        results.is_forgetting = True
    for name in ("stdout", "stderr"):
        try:
            stream = getattr(sys, name)
            if stream is not None:  # as it is where a Ctrl-C came before ``adopt_streams``
                stream.flush()
        except (OSError, ValueError):
            # It is full, or a terminal that has gone. Without a stream there is nothing to try.
            setattr(sys, name, None)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _watch_stdout() -> None:
    """Put ``_Results`` below ``sys.stdout``, which stays what it is in every other way."""
    text = sys.stdout
    binary = getattr(text, "buffer", None)
    raw = getattr(binary, "raw", binary)  # without a buffer where Python is told not to buffer
    if type(raw) is not io.FileIO or not isinstance(text, io.TextIOWrapper):
        return
    results = _Results(raw.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        results if binary is raw else io.BufferedWriter(results),
        encoding=text.encoding,
        errors=text.errors,
        line_buffering=text.line_buffering,
        write_through=text.write_through,
    )


def _results() -> _Results | None:
    binary = getattr(sys.stdout, "buffer", None)
    raw = getattr(binary, "raw", binary)
    return raw if isinstance(raw, _Results) else None


def _no_output() -> UsageError:
    from sayd_cli.errors import UsageError

    return UsageError(
        "standard output is closed", "to have no results, send it to /dev/null: sayd … >/dev/null"
    )
