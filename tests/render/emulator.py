"""A terminal to test against: a real pseudo-terminal with an emulator behind it."""

from __future__ import annotations

import os
import pty
import termios
import threading
from types import TracebackType
from typing import TextIO

import pyte

from tests.render.screen import Screen


class Emulator:
    """A pseudo-terminal; ``stream`` writes to it, and what it shows is read from the emulator."""

    def __init__(self, columns: int = 80, rows: int = 24, *, encoding: str = "utf-8") -> None:
        self._master, slave = pty.openpty()
        self.stream: TextIO = open(slave, "w", encoding=encoding)  # noqa: PTH123, SIM115
        self._screen = Screen(columns, rows)
        self._feed = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.raw = b""
        termios.tcsetwinsize(self._master, (rows, columns))

    def __enter__(self) -> Emulator:
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stream.close()
        self._reader.join(timeout=10)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other side is closed
                return
            with self._lock:
                self.raw += data
                self._feed.feed(data)

    def press(self, keys: str) -> None:
        """Type on its keyboard."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        with self._lock:
            termios.tcsetwinsize(self._master, (rows, columns))
            self._screen.resize(rows, columns)

    def shown(self) -> list[str]:
        """The rows of the screen, without the empty ones at its end."""
        with self._lock:
            return self._screen.shown()

    def status(self) -> str:
        """The last row that is not empty."""
        return (self.shown() or [""])[-1]

    def scrolled(self) -> list[str]:
        """All rows from the beginning of the scrollback to the end of the screen."""
        with self._lock:
            return self._screen.scrolled()

    @property
    def cursor_hidden(self) -> bool:
        with self._lock:
            return bool(self._screen.cursor.hidden)

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""
        with self._lock:
            return self._screen.cursor.x, self._screen.cursor.y

    @property
    def title(self) -> str:
        """Of its window."""
        with self._lock:
            return str(self._screen.title)

    def dim(self) -> str:
        """All dim text on the screen."""
        with self._lock:
            return self._screen.dim()

    def colours(self, row: int) -> set[str]:
        with self._lock:
            return {character.fg for character in self._screen.buffer[row].values()}
