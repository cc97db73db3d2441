"""Single keys, read from the terminal while a run goes on.

Owns the terminal's mode for input (characters at once, no echo) and everything that may take the
terminal away meanwhile: Ctrl-Z and its way back, a shell that puts us into the background, the
end of the run however it comes. Ctrl-C stays a signal. Refuses to know what keys mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from types import FrameType
from typing import Any, Protocol, TextIO, TypeGuard

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
"""How often a job in the background looks whether it is in the foreground: no signal says so."""
_WINDOWS_LOOK_EVERY_S = 0.05

# Arrows, function keys, Alt with a key: CSI and SS3 sequences, and ESC with one character.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)


class Screen(Protocol):
    """Whoever draws on the terminal."""

    def suspend(self) -> None:
        """Leave the screen to others, before this returns."""
        ...

    def resume(self) -> None:
        """Draw again; called in vain too."""
        ...


def keys_work() -> bool:
    """Whether keys can be read: standard input is a terminal, and we are its foreground job.

    A job in the background must not try: the terminal would stop it.
    """
    if not _is_terminal(sys.stdin):
        return False
    return _place(sys.stdin.fileno()) is _Place.FOREGROUND


@contextlib.contextmanager
def key_presses(
    on_key: Callable[[str], None], screen: Screen | None = None, *, read: bool = True
) -> Iterator[bool]:
    """Inside, keys are reported as they are pressed; to be entered in the event loop's thread.

    Leaving it restores the terminal; so do Ctrl-Z, until the job is back in the foreground, and
    Ctrl-\\. A context left after its event loop has ended is fine too.

    Args:
        on_key: Called on the event loop with the character of each key; arrows and the like are
            left out.
        screen: Who draws on the terminal, told when it is taken away and when it is back; also
            where no keys can be read.
        read: Read keys; without, only the job is looked after, so that Ctrl-Z finds its screen.

    Yields:
        Whether keys are read; False where ``keys_work`` is.
    """
    with _reading(on_key, screen, read) as reading:
        yield reading


def _is_terminal(stream: TextIO | None) -> TypeGuard[TextIO]:
    # None: a program without a console, or one whose stream was closed by who started it.
    return stream is not None and not stream.closed and stream.isatty()


def _keys(data: bytes) -> str:
    return _SEQUENCE.sub("", data.decode(errors="ignore"))


class _Place(Enum):
    """Where we are among the jobs of a terminal."""

    FOREGROUND = "foreground"
    BACKGROUND = "background"
    NOWHERE = "nowhere"
    """It is not our terminal, or it has gone."""


if sys.platform != "win32":
    import termios

    _LOCAL_MODES, _CONTROL_CHARACTERS = 3, 6

    @contextlib.contextmanager
    def _reading(
        on_key: Callable[[str], None], screen: Screen | None, read: bool
    ) -> Iterator[bool]:
        terminal_fd = _terminal_fd()
        if terminal_fd is None or _place(terminal_fd) is _Place.NOWHERE:
            yield False
            return
        read = read and _is_terminal(sys.stdin)
        keyboard = _Keyboard(sys.stdin.fileno(), on_key) if read else None
        reading = read and keys_work()
        with _Job(terminal_fd, keyboard, screen):
            yield reading

    def _terminal_fd() -> int | None:
        """The terminal, from whichever standard stream is one."""
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            if _is_terminal(stream):
                return stream.fileno()
        return None

    def _place(fd: int) -> _Place:
        try:
            ours = os.tcgetpgrp(fd) == os.getpgrp()
        except OSError:
            return _Place.NOWHERE
        return _Place.FOREGROUND if ours else _Place.BACKGROUND

    class _Keyboard:
        """A terminal's input. ``take`` and ``let_go`` any number of times, in the foreground."""

        def __init__(self, fd: int, on_key: Callable[[str], None]) -> None:
            self._fd = fd
            self._on_key = on_key
            self._loop = asyncio.get_running_loop()
            self._before: list[Any] | None = None

        def take(self) -> None:
            """Set the mode, and read; also where the mode was set and somebody has undone it."""
            try:
                mode = termios.tcgetattr(self._fd)
                if self._before is None:
                    self._before = mode
                    mode = termios.tcgetattr(self._fd)
                mode[_LOCAL_MODES] &= ~(termios.ICANON | termios.ECHO)
                # Never wait in a read: another program may have been quicker.
                mode[_CONTROL_CHARACTERS][termios.VMIN] = 0
                mode[_CONTROL_CHARACTERS][termios.VTIME] = 0
                termios.tcsetattr(self._fd, termios.TCSANOW, mode)
                self._loop.add_reader(self._fd, self._read)
            except (OSError, termios.error) as exc:
                _log.warning("keys cannot be read: %s", exc)

        def let_go(self, *, restore: bool) -> None:
            """Read no more. A job in the background leaves the mode to the shell."""
            self._loop.remove_reader(self._fd)
            before, self._before = self._before, None
            if before is None or not restore:
                return
            try:
                termios.tcsetattr(self._fd, termios.TCSANOW, before)
            except (OSError, termios.error) as exc:
                _log.debug("the terminal's mode cannot be restored: %s", exc)

        def _read(self) -> None:
            if _place(self._fd) is not _Place.FOREGROUND:
                self._loop.remove_reader(self._fd)
                return
            try:
                data = os.read(self._fd, 1024)
            except OSError as exc:
                _log.debug("the terminal gives no more keys: %s", exc)
                data = b""
            if not data:
                # It has gone, or another program was quicker. Either way no reason to spin.
                self._loop.remove_reader(self._fd)
                self._loop.call_later(_LOOK_EVERY_S, self._read_again)
            for key in _keys(data):
                self._on_key(key)

        def _read_again(self) -> None:
            if self._before is not None:
                with contextlib.suppress(OSError):
                    self._loop.add_reader(self._fd, self._read)

    class _Job:
        """What the shell calls a job: it may be stopped, continued, and moved to the background."""

        def __init__(
            self, terminal_fd: int, keyboard: _Keyboard | None, screen: Screen | None
        ) -> None:
            self._fd = terminal_fd
            self._keyboard = keyboard
            self._screen = screen
            self._loop = asyncio.get_running_loop()
            self._handlers: dict[int, object] = {}
            self._look: asyncio.TimerHandle | None = None
            self._over = False

        def __enter__(self) -> None:
            self._handle(signal.SIGTSTP, self._on_stop)
            self._handle(signal.SIGCONT, self._on_continue)
            self._handle(signal.SIGQUIT, self._on_quit)
            if self._keyboard is not None and _place(self._fd) is _Place.FOREGROUND:
                self._keyboard.take()

        def __exit__(self, *exc_info: object) -> None:
            self._over = True
            if self._look is not None:
                self._look.cancel()
            self._release_keyboard()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]

        def _handle(
            self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]
        ) -> None:
            before = signal.getsignal(number)
            if before is signal.SIG_IGN:  # whoever started us wants it so
                return
            self._handlers[number] = before
            signal.signal(number, handler)

        def _on_stop(self, number: int, frame: FrameType | None) -> None:
            self._soon(self._stop)

        def _on_continue(self, number: int, frame: FrameType | None) -> None:
            self._soon(self._come_back)

        def _on_quit(self, number: int, frame: FrameType | None) -> None:
            # Not by way of the event loop: this is for a program that hangs.
            self._leave()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

        def _soon(self, work: Callable[[], None]) -> None:
            """On the event loop, where nobody is in the middle of drawing."""
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:  # it has ended, and we are on the way out
                work()

        def _stop(self) -> None:
            """Be stopped, with the terminal as it was, and go on from here when continued."""
            self._leave()
            ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, ours)
            # Where nobody could continue us, the system does not stop us, and no signal comes.
            self._come_back()

        def _come_back(self) -> None:
            if self._over:
                return
            if _place(self._fd) is _Place.BACKGROUND:
                if self._look is None:
                    self._leave()
                    self._look_again()
                return
            if self._keyboard is not None:
                self._keyboard.take()
            if self._screen is not None:
                self._screen.resume()

        def _look_again(self) -> None:
            """In the background: wait for the foreground."""
            if _place(self._fd) is _Place.BACKGROUND:
                self._look = self._loop.call_later(_LOOK_EVERY_S, self._look_again)
            else:
                self._look = None
                self._come_back()

        def _leave(self) -> None:
            self._release_keyboard()
            if self._screen is not None:
                self._screen.suspend()

        def _release_keyboard(self) -> None:
            if self._keyboard is not None:
                self._keyboard.let_go(restore=_place(self._fd) is _Place.FOREGROUND)

else:
    import msvcrt

    def _place(fd: int) -> _Place:
        return _Place.FOREGROUND

    @contextlib.contextmanager
    def _reading(
        on_key: Callable[[str], None], screen: Screen | None, read: bool
    ) -> Iterator[bool]:
        """A thread that looks for keys: a console cannot be waited for by the event loop."""
        if not (read and keys_work()):
            yield False
            return
        loop = asyncio.get_running_loop()
        leaving = threading.Event()

        def read() -> None:
            while not leaving.wait(_WINDOWS_LOOK_EVERY_S):
                while msvcrt.kbhit() and not leaving.is_set():
                    key = msvcrt.getwch()
                    if key in "\x00\xe0":  # an arrow or the like: its second half tells which
                        msvcrt.getwch()
                        continue
                    with contextlib.suppress(RuntimeError):  # the loop has ended
                        loop.call_soon_threadsafe(on_key, key)

        thread = threading.Thread(target=read, name="keys", daemon=True)
        thread.start()
        try:
            yield True
        finally:
            leaving.set()
            thread.join()
