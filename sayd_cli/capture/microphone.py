"""The microphone: the one place that opens a device.

Owns the PortAudio stream, the queue behind its callback and the watch over it. A device that dies
stops calling back and raises nothing; one that freezes claims to be active, and hangs whoever
closes it. Both end the frames with an error within a second.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any, Self

from sayd_cli.capture.daemon import in_daemon_thread
from sayd_cli.capture.devices import InputDevice, choose_input, load_sounddevice, query_inputs
from sayd_cli.capture.handover import Handover
from sayd_cli.capture.native import NativeConverter, NativeFormat, formats_to_try
from sayd_cli.capture.stderr import native_stderr
from sayd_cli.errors import DeviceError
from sayd_cli.model.audio import SAMPLE_BYTES, Frame

_log = logging.getLogger(__name__)

# Most of the cost of capture is being woken: 20 ms take 2.8 % of a core where 50 take 1.1.
_BLOCK_MS = 50
# PortAudio's buffer in the device. Its own "high" is 35 ms on some devices, and 200 ms overflow on
# a loaded machine. It wakes four times a buffer: 100 ms, the length of a message.
_LATENCY_S = 0.4
# What the device has recorded by the time of stop() reaches the callback within that wake-up.
_DRAIN_S = 0.12
# A start-up of any length and a service that stalls must not cost a word: 19 MB at 16 kHz. After
# ten minutes something is broken, and memory has an end; what then finds no room is counted.
_QUEUE_S = 600
_OPEN_LIMIT_S = 10.0
_FIRST_BLOCK_LIMIT_S = 5.0
_CLOSE_LIMIT_S = 1.0
# A callback overdue at two looks in a row: one look could come just after the whole process had
# been held up. At most 0.85 s until it is noticed.
_OVERDUE_S = 0.55
_LOOK_EVERY_S = 0.15
_REFUSALS = (-9997, -9998)  # paInvalidSampleRate, paInvalidChannelCount

_CHOOSE_ANOTHER = "plug it in again, or choose another: `sayd devices` lists them"


class Microphone:
    """A live source: an audio input at a session's rate, mono.

    Args:
        device: An index, or a part of a name; None is the default input.
        sample_rate_hz: The rate of the frames. A device that refuses it is captured at its own
            rate and converted.

    Raises:
        DeviceError: On entering, it cannot be opened; on iterating, it went away.
    """

    live = True

    def __init__(self, device: str | int | None, sample_rate_hz: int) -> None:
        self._spec = device
        self._sample_rate_hz = sample_rate_hz
        self._capture: _Capture | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        with native_stderr(_log):
            try:
                self._capture = await in_daemon_thread(
                    lambda: _open(self._spec, self._sample_rate_hz),
                    name="microphone-open",
                    limit_s=_OPEN_LIMIT_S,
                    discard=_Capture.close,
                )
            except TimeoutError as exc:
                _shut_down_with_a_limit()
                raise DeviceError(
                    "the audio system does not answer",
                    "restart the sound server, or unplug the microphone and plug it in again",
                ) from exc
        self._watch = asyncio.create_task(self._capture.watch(), name="microphone-watch")
        if self._stopping:
            self._capture.end()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._release()

    async def _release(self) -> None:
        if self._capture is None or self._watch is None:
            return
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        self._watch = None
        with native_stderr(_log):
            try:
                await in_daemon_thread(
                    self._capture.close, name="microphone-close", limit_s=_CLOSE_LIMIT_S
                )
            except TimeoutError:
                _log.warning("the microphone does not close; left behind")
                _shut_down_with_a_limit()

    async def frames(self) -> AsyncIterator[Frame]:
        """Frames of about 50 ms, counted from the first captured sample."""
        assert self._capture is not None, "enter the microphone first"
        start_sample = 0
        async for pcm in self._capture.pcm():
            yield Frame(pcm, start_sample, self._sample_rate_hz)
            start_sample += len(pcm) // SAMPLE_BYTES
        await self._release()  # nobody hears any more: the device need not look as if

    def stop(self) -> None:
        """Take no more in, but for what the device has recorded and not yet handed over."""
        if self._capture is not None and not self._stopping:
            asyncio.get_running_loop().call_later(_DRAIN_S, self._capture.end)
        self._stopping = True

    def notices(self) -> list[str]:
        """What was lost, if anything."""
        return self._capture.notices() if self._capture is not None else []


class _Capture:
    """A running stream and what it has caught.

    ``opened``, ``callback`` and ``finished`` run in PortAudio's thread or the opening one, the
    rest on the event loop, ``close`` in a thread of its own.
    """

    def __init__(self, device: InputDevice, native: NativeFormat, sample_rate_hz: int) -> None:
        self.device = device
        self.native = native
        self.begun = threading.Event()
        self._stream: Any = None
        # Made here, in the opening thread: it may import numpy and soxr.
        self._converter = NativeConverter(native, sample_rate_hz)
        self._handover = Handover(_QUEUE_S * native.bytes_a_second)
        self._overflows = 0
        self._called_at_s = time.monotonic()

    def start(self, sounddevice: Any) -> None:
        """Open the device and wait until it gives its first block."""
        self._stream = sounddevice.RawInputStream(
            samplerate=self.native.sample_rate_hz,
            blocksize=self.native.sample_rate_hz * _BLOCK_MS // 1000,
            device=self.device.index,
            channels=self.native.channels,
            dtype="int16",
            latency=_LATENCY_S,
            callback=self._callback,
            finished_callback=self._finished,
        )
        self._stream.start()
        if not self.begun.wait(_FIRST_BLOCK_LIMIT_S):
            raise DeviceError(
                f"the microphone {self.device.name!r} gives no audio", _CHOOSE_ANOTHER
            )

    def _callback(self, block: Any, frames: int, when: Any, status: Any) -> None:
        """PortAudio's thread, every block: copy, enqueue, and nothing that could wait."""
        self._called_at_s = time.monotonic()
        if status.input_overflow:
            self._overflows += 1
        self._handover.offer(bytes(block))
        self.begun.set()

    def _finished(self) -> None:
        """The stream has ended; by itself, unless it was ended before."""
        self._handover.close(self._gone())
        self.begun.set()

    async def watch(self) -> None:
        """End the capture when the callbacks stop coming."""
        overdue = False
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            was_overdue = overdue
            overdue = time.monotonic() - self._called_at_s > _OVERDUE_S
            if overdue and was_overdue:
                self._handover.close(self._gone())
                return

    def _gone(self) -> DeviceError:
        return DeviceError(f"the microphone {self.device.name!r} went away", _CHOOSE_ANOTHER)

    def end(self) -> None:
        """Take no more in."""
        self._handover.close()

    async def pcm(self) -> AsyncIterator[bytes]:
        """PCM16 at the session's rate, to the last sample caught; then the error, if it was one."""
        while (block := await self._handover.get()) is not None:
            if pcm := self._converter.push(block):
                yield pcm
        if tail := self._converter.flush():
            yield tail
        if self._handover.error is not None:
            raise self._handover.error

    def close(self) -> None:
        """Give the device back. May never return."""
        self._handover.close()
        if self._stream is not None:
            self._stream.abort()
            self._stream.close()

    def notices(self) -> list[str]:
        """What was lost, if anything."""
        notices = []
        if self._overflows:
            times = "once" if self._overflows == 1 else f"{self._overflows} times"
            notices.append(f"the microphone overflowed {times}: some audio is missing")
        if self._handover.lost_bytes:
            lost_s = self._handover.lost_bytes / self.native.bytes_a_second
            notices.append(f"{lost_s:.1f} s of audio were lost: too much was waiting to be sent")
        return notices


def _open(spec: str | int | None, sample_rate_hz: int) -> _Capture:
    """Find the device and have it run, in the first form that it takes."""
    sounddevice = load_sounddevice()
    device = choose_input(query_inputs(), spec)
    refusal: Exception | None = None
    for native in formats_to_try(device, sample_rate_hz):
        capture = _Capture(device, native, sample_rate_hz)
        try:
            capture.start(sounddevice)
        except sounddevice.PortAudioError as exc:
            capture.close()
            refusal = exc
            if len(exc.args) < 2 or exc.args[1] not in _REFUSALS:
                break
            _log.debug("%s refuses %s: %s", device.name, native, exc)
        except DeviceError:
            capture.close()
            raise
        else:
            _log.debug("capturing %s as %s", device.name, native)
            return capture
    raise DeviceError(
        f"the microphone {device.name!r} cannot be opened: {refusal}",
        "close programs that use it, allow access to it, or choose another: `sayd devices`",
    ) from refusal


def _shut_down_with_a_limit() -> None:
    """Have sounddevice shut PortAudio down for a second at most when the program ends.

    With a device that hangs, that would hang too. Without it, a device that comes back would call
    into an interpreter that is gone, and crash it. The thread is made now: at the end of a program
    none can be started any more (Python 3.12).
    """
    shut_down = getattr(sys.modules.get("sounddevice"), "_exit_handler", None)
    if shut_down is None:
        return
    ending, ended = threading.Event(), threading.Event()

    def run() -> None:
        ending.wait()
        shut_down()
        ended.set()

    def at_exit() -> None:
        ending.set()
        ended.wait(_CLOSE_LIMIT_S)

    threading.Thread(target=run, name="portaudio-end", daemon=True).start()
    atexit.unregister(shut_down)
    atexit.register(at_exit)
