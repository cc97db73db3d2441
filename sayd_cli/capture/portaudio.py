"""PortAudio, of which a process has one: who uses it, when it may look for devices again, and how
it ends. Knows no device.

PortAudio lists the devices once, when it starts; a microphone that is plugged in later is seen
only after it was shut down and started again, which nothing else of it may survive. Any call into
it can hang behind a frozen device or sound server, and is then left behind in its thread.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

from sayd_cli.capture.stderr import native_stderr
from sayd_cli.errors import DeviceError

_log = logging.getLogger(__name__)

DO_WITHOUT = "or do without: `sayd listen FILE`, `sayd demo`"
# How long one call keeps another waiting, and the end of the program. Beyond it, it hangs.
_CALL_LIMIT_S = 0.5


class _Users:
    """How many calls and streams there are, in all threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def enter(self) -> None:
        with self._changed:
            self._count += 1

    def leave(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def is_alone(self) -> bool:
        with self._changed:
            return self._count == 1

    def wait_for_none(self, limit_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, limit_s)


_users = _Users()
_call = threading.Lock()


@contextlib.contextmanager
def portaudio() -> Iterator[Any]:
    """The module ``sounddevice``, for use within; what it writes to standard error is logged.

    Whoever holds a stream stays within for as long. Entering blocks where importing does: for
    tens of milliseconds, or for ever behind a frozen sound server.

    Raises:
        DeviceError: PortAudio is missing, or does not start.
    """
    with native_stderr(_log):
        _users.enter()
        try:
            yield _load()
        finally:
            _users.leave()


@contextlib.contextmanager
def exclusive_call() -> Iterator[None]:
    """Opening and closing streams is not safe in two threads at once; one that hangs is not
    waited for any longer than half a second.
    """
    taken = _call.acquire(timeout=_CALL_LIMIT_S)
    try:
        yield
    finally:
        if taken:
            _call.release()


def look_again(sounddevice: Any) -> None:
    """Have the devices listed anew, unless a stream or a call of another is in the way.

    Raises:
        DeviceError: The audio system does not start again; it may be tried later.
    """
    if not _users.is_alone():
        _log.debug("devices are not listed anew: a stream or a call is left behind")
        return
    try:
        if sounddevice._initialized:
            sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as exc:
        raise DeviceError(f"the audio system does not start: {exc}", DO_WITHOUT) from exc


def _load() -> Any:
    first = "sounddevice" not in sys.modules
    try:
        import sounddevice
    except OSError as exc:
        raise DeviceError("the PortAudio library is not installed", _install_portaudio()) from exc
    except Exception as exc:
        # sounddevice.PortAudioError, which has no name yet while its module is imported.
        raise DeviceError(f"the audio system does not start: {exc}", DO_WITHOUT) from exc
    if first:
        atexit.unregister(sounddevice._exit_handler)
        atexit.register(_shut_down, sounddevice)
    return sounddevice


def _shut_down(sounddevice: Any) -> None:
    """End PortAudio with the program, unless something of it hangs: shutting down would too."""
    if _users.wait_for_none(_CALL_LIMIT_S):
        sounddevice._exit_handler()


def _install_portaudio() -> str:
    if sys.platform.startswith("linux"):
        how = "apt install libportaudio2 (Debian, Ubuntu), dnf install portaudio (Fedora)"
    elif sys.platform == "darwin":
        how = "brew install portaudio"
    else:
        how = "pip install --force-reinstall sounddevice"
    return f"{how}; {DO_WITHOUT}"
