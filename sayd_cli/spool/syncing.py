"""Brings finished files from the operating system's memory to the disk, on a thread of its own.

That is for power failures only: what was written outlives its process anyway. It takes 2 ms on a
solid-state disk and hundreds on a busy one; the event loop must not wait for it. Owns the
descriptors it is handed. Refuses to know what is in the files.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

_WAITING = 8
"""Files that may wait: over a minute of audio. A disk that is further behind than that is left to
the operating system, which writes by itself within half a minute or so."""

_fdatasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class Syncer:
    """One thread, begun by the first file.

    Args:
        folder: Where the files are; their names are brought to the disk too.
        sync: Brings what was written to a descriptor to the disk.
    """

    def __init__(self, folder: Path, sync: Callable[[int], None] = _fdatasync) -> None:
        self._folder = folder
        self._sync_file = sync
        self._descriptors: queue.Queue[int | None] = queue.Queue(_WAITING + 1)  # and the end
        self._failures: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def take(self, fd: int) -> None:
        """Sync and close a file. Returns at once."""
        try:
            if self._thread is None:
                # A daemon: a disk that hangs must not keep the program from ending.
                thread = threading.Thread(target=self._run, name="spool-sync", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the system has no thread to give
            _close(fd)
            return
        if self._descriptors.qsize() < _WAITING:
            self._descriptors.put_nowait(fd)
        else:
            _close(fd)

    def failure(self) -> str | None:
        """Why a file could not be brought to the disk, once for each."""
        try:
            return self._failures.get_nowait()
        except queue.Empty:
            return None

    def close(self, limit_s: float) -> None:
        """Finish what waits, but return after ``limit_s`` seconds at most. Nothing follows."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._descriptors.put_nowait(None)
            thread.join(limit_s)

    def _run(self) -> None:
        while (fd := self._descriptors.get()) is not None:
            try:
                try:
                    self._sync(fd)
                finally:
                    os.close(fd)
            except OSError as exc:
                self._failures.put(str(exc.strerror))

    def _sync(self, fd: int) -> None:
        # A file that was released meanwhile needs no disk.
        if os.fstat(fd).st_nlink == 0:
            return
        self._sync_file(fd)
        with contextlib.suppress(FileNotFoundError):
            sync_folder(self._folder)


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system has a way to.

    Raises:
        OSError: It cannot.
    """
    if hasattr(os, "O_DIRECTORY"):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
