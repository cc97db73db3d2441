"""What native libraries write to file descriptor 2, kept from the terminal.

PortAudio and ALSA complain there about devices that nobody asked for, in the middle of whatever
is on screen. Python code that writes to standard error meanwhile is caught too: enter this
around as little as possible.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_STDERR_FD = 2


class _Redirection:
    """The descriptor belongs to the process, and so does its redirection: the first one in makes
    it, the last one out ends it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved_fd = -1
        self._file: IO[bytes] | None = None

    def enter(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth > 1:
                return
            try:
                self._saved_fd = os.dup(_STDERR_FD)
            except OSError:  # closed: there is nothing to keep clean
                return
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by leave()
            os.dup2(self._file.fileno(), _STDERR_FD)

    def leave(self) -> str:
        with self._lock:
            self._depth -= 1
            if self._depth or self._file is None:
                return ""
            os.dup2(self._saved_fd, _STDERR_FD)
            os.close(self._saved_fd)
            with self._file as file:
                self._file = None
                file.seek(0)
                return file.read().decode(errors="replace")


_redirection = _Redirection()


@contextlib.contextmanager
def native_stderr(logger: logging.Logger) -> Iterator[None]:
    """Keep standard error quiet within; what was written there is logged at debug level, a line
    each, afterwards. Whatever happens within, it is restored.
    """
    _redirection.enter()
    try:
        yield
    finally:
        for line in _redirection.leave().splitlines():
            logger.debug("native: %s", line)
