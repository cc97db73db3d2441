"""What native libraries write to file descriptor 2, kept from the terminal.

PortAudio and ALSA complain there, from threads of their own, about devices that nobody asked for
or that have died, in the middle of whatever is on screen. Python's own standard error stays what
it is: its streams write to another descriptor meanwhile. Programs started meanwhile get the
descriptor as it then is, unless they are given ``sys.stderr``.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator

_STDERR_FD = 2
_LINES_LIMIT = 1000
_LINE_BYTES = 2000
_READING_LIMIT_S = 0.5


class _Redirection:
    """The descriptor belongs to the process, and so does its redirection: the first one in makes
    it, the last one out ends it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved_fd: int | None = None
        self._streams: list[io.FileIO] = []
        self._reader: threading.Thread | None = None

    def enter(self, logger: logging.Logger) -> None:
        with self._lock:
            self._depth += 1
            # A Windows console's stream cannot be moved, and there is no ALSA.
            if self._depth > 1 or os.name == "nt":
                return
            try:
                self._saved_fd = os.dup(_STDERR_FD)
            except OSError:  # closed: there is nothing to keep clean
                return
            read_fd, write_fd = os.pipe()
            os.set_blocking(write_fd, False)  # what finds no room is lost: nobody shall wait for us
            self._streams = _python_streams()
            _move(self._streams, self._saved_fd)
            os.dup2(write_fd, _STDERR_FD)
            os.close(write_fd)
            self._reader = threading.Thread(
                target=_log_lines, args=(read_fd, logger), name="native-stderr", daemon=True
            )
            self._reader.start()

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth or self._saved_fd is None or self._reader is None:
                return
            os.dup2(self._saved_fd, _STDERR_FD)
            _move(self._streams, _STDERR_FD)
            os.close(self._saved_fd)
            self._saved_fd = None
            reader = self._reader
        # It reads to the end, which a program that was started meanwhile may hold open.
        reader.join(_READING_LIMIT_S)


_redirection = _Redirection()


@contextlib.contextmanager
def native_stderr(logger: logging.Logger) -> Iterator[None]:
    """Keep descriptor 2 quiet within; what is written there is logged at debug level, a line
    each, up to a thousand lines. Whatever happens within, it is restored, from any thread.
    """
    _redirection.enter(logger)
    try:
        yield
    finally:
        _redirection.leave()


def _python_streams() -> list[io.FileIO]:
    """What Python's standard error writes through, where that is the descriptor."""
    found = []
    for stream in (sys.stderr, sys.__stderr__):
        buffer = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)  # without one where Python is told not to buffer
        if isinstance(raw, io.FileIO) and not raw.closed and raw.fileno() == _STDERR_FD:
            found.append(raw)
    return list(dict.fromkeys(found))


def _move(streams: list[io.FileIO], fd: int) -> None:
    """Have streams write to another descriptor.

    The same objects stay in use: a log handler, or whoever else took ``sys.stderr`` before, goes
    on with them, where another object in its place would leave them on the redirected descriptor.
    """
    for raw in streams:
        raw.__init__(fd, "wb", closefd=False)  # type: ignore[misc]


def _log_lines(read_fd: int, logger: logging.Logger) -> None:
    lines = 0
    with os.fdopen(read_fd, "rb") as pipe:
        while line := pipe.readline(_LINE_BYTES):
            lines += 1
            if lines <= _LINES_LIMIT:
                logger.debug("native: %s", line.decode(errors="replace").rstrip())
            elif lines == _LINES_LIMIT + 1:
                logger.debug("native: and more, which is not kept")
