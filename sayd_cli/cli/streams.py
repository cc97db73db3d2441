"""The standard streams as this process was given them: usable, closed, or full.

Owns what happens where standard output cannot be written: an error of ours for whoever writes,
and silence afterwards. It is imported before all else, so it imports only what the interpreter
has already.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False  # ``typing`` would be half of the time that ``sayd --version`` takes.
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from sayd_cli.errors import UsageError

_STDOUT_FD, _STDERR_FD = 1, 2


class _Results(io.FileIO):
    """Where standard output ends, with errors of ours for those of the system."""

    is_missing = False
    """There is no standard output: it was closed by whoever started us."""

    is_forgetting = False
    """What is written now is of no use to anybody."""

    def write(self, data: ReadableBuffer, /) -> int:
        """As ``FileIO`` does.

        Raises:
            StorageError: There is no room, or the disk fails.
            UsageError: There is no standard output.
            BrokenPipeError: The reader has gone, which is no failure.
        """
        if self.is_forgetting:
            return memoryview(data).nbytes
        if self.is_missing:
            raise _no_output()
        try:
            return super().write(data)
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as exc:
            from sayd_cli.errors import StorageError

            raise StorageError(
                f"the results cannot be written: {exc.strerror}",
                "make room where standard output goes, or send it elsewhere",
            ) from exc


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
    elif not sys.stdout.isatty():
        # A terminal is never full, and the live view knows what to do when it goes away.
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
    """Let go of what could not be written; else the interpreter tries again at its end, and
    complains. Called last.
    """
    results = _results()
    if results is not None:
        results.is_forgetting = True


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
