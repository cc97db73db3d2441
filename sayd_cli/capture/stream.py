"""One run of one device: the PortAudio stream, what it has caught, and how it ended.

A device that dies stops calling back and raises nothing; one that freezes claims to be active,
and hangs whoever closes it. One that was held up, since the machine slept or was too busy, goes on
and does not say how much it missed: the clock does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from sayd_cli.capture.blocks import BlockQueue
from sayd_cli.capture.clock import capture_clock_s
from sayd_cli.capture.devices import InputDevice
from sayd_cli.capture.native import NativeConverter, NativeFormat
from sayd_cli.capture.portaudio import exclusive_call, portaudio
from sayd_cli.capture.reckoning import JITTER_S, Reckoning
from sayd_cli.errors import DeviceError

# Most of the cost of capture is being woken. This is as long as a message, and as often as
# PortAudio wakes, which is four times a buffer.
_BLOCK_MS = 100
# PortAudio's buffer in the device. Its own "high" is 35 ms on some devices, and 200 ms overflow on
# a loaded machine.
_LATENCY_S = 0.4
_OVERDUE_S = 0.55
# Longer than the buffer holds: something may be missing. What it is, the blocks tell that follow,
# once those have come that the device had kept.
_HELD_UP_S = _LATENCY_S + 2 * _BLOCK_MS / 1000
_SETTLING_S = 0.25


@dataclass(frozen=True, slots=True)
class Hole:
    """The device went on, and what it would have given before is missing.

    Attributes:
        length_s: How much.
    """

    length_s: float


@dataclass(slots=True)
class Losses:
    """What a run has lost, over all its streams.

    Attributes:
        overflows: How often a device said that its buffer was full.
        dropped_s: Audio that a device did not give, though the clock says that it should.
        unsent_s: Audio for which there was no room.
    """

    overflows: int = 0
    dropped_s: float = 0.0
    unsent_s: float = 0.0


class DeviceStream:
    """A running stream.

    ``start`` and ``close`` run in threads of their own, ``_callback`` and ``_finished`` in
    PortAudio's, the rest on the event loop.

    Calling order: ``start``; ``pcm`` once; ``end`` or ``lose`` at any time; ``close``, whether or
    not ``start`` has succeeded.

    Args:
        device: What to open.
        native: The form to ask for.
        sample_rate_hz: The rate that is wanted.
        room_s: How much may wait in it; what finds no room is counted.
        losses: Where to count.
        on_end: Called once, in any thread, when no more will come.
        clock: Seconds that also pass while the machine sleeps.

    Attributes:
        lost: It ended because the device went away.
    """

    def __init__(
        self,
        device: InputDevice,
        native: NativeFormat,
        sample_rate_hz: int,
        *,
        room_s: float,
        losses: Losses,
        on_end: Callable[[], None],
        clock: Callable[[], float] = capture_clock_s,
    ) -> None:
        self.device = device
        self.native = native
        self.lost = False
        self.ended = False
        self._stream: Any = None
        self._use = contextlib.ExitStack()
        # Made here, in the opening thread: it may import numpy and soxr.
        self._converter: NativeConverter | None = NativeConverter(native, sample_rate_hz)
        self._blocks = BlockQueue(round(room_s * native.bytes_a_second))
        self._clock = clock
        # One from the beginning, and one after each time that the device was held up.
        self._reckonings = [Reckoning(native.sample_rate_hz, clock())]
        # By the clock that stops while the machine sleeps: the device cannot be overdue then.
        self._called_s = time.monotonic()
        self._losses = losses
        self._on_end = on_end
        self._begun = threading.Event()
        self._is_over = False
        self._ending = threading.Lock()

    @property
    def began_s(self) -> float:
        """When its first sample was captured, on the clock."""
        return self._reckonings[0].began_s

    @property
    def due_in_s(self) -> float:
        """Seconds until a block is overdue; less than 0 when one is."""
        return self._called_s + _OVERDUE_S - time.monotonic()

    @property
    def waiting_s(self) -> float:
        """How much lies in it."""
        return self._blocks.held_bytes / self.native.bytes_a_second

    def start(self, first_block_limit_s: float) -> None:
        """Open the device and wait until it gives its first block.

        Raises:
            DeviceError: It gives none.
            sounddevice.PortAudioError: It cannot be opened.
        """
        sounddevice = self._use.enter_context(portaudio())
        with exclusive_call():
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
        if not self._begun.wait(first_block_limit_s):
            raise DeviceError(
                f"the microphone {self.device.name!r} gives no audio",
                "plug it in again, or choose another: `sayd devices` lists them",
            )

    def _callback(self, block: Any, frames: int, when: Any, status: Any) -> None:
        """PortAudio's thread, every block: copy, enqueue, and nothing that could wait."""
        if self.ended:
            return
        now_s, reckoning = self._clock(), self._reckonings[-1]
        self._called_s = time.monotonic()
        if self._begun.is_set() and now_s - reckoning.counted_s > _HELD_UP_S:
            reckoning = Reckoning(self.native.sample_rate_hz, now_s)
            self._reckonings.append(reckoning)
            self._blocks.mark()
        reckoning.count(frames, now_s)
        if status.input_overflow:
            self._losses.overflows += 1
        self._blocks.offer(bytes(block))
        if not self._begun.is_set():
            self._begun.set()

    def _finished(self) -> None:
        """The stream has ended; by itself, unless it was ended before."""
        self._is_over = True
        self._end(lost=True)
        self._begun.set()

    async def pcm(self) -> AsyncIterator[bytes | Hole]:
        """PCM16 at the session's rate, to the last sample caught and what the converter held."""
        held_up = 0
        # Gone with the reading: where a thread that closes the device still held it when the
        # program ends, soxr would complain about that on standard error.
        converter, self._converter = self._converter, None
        assert converter is not None, "read it once"
        while (block := await self._blocks.get()) is not None:
            if not block:
                held_up += 1
                if (length_s := await self._missing_before(held_up)) > JITTER_S:
                    yield Hole(length_s)
            elif pcm := converter.push(block):
                yield pcm
        if tail := converter.flush():
            yield tail

    async def _missing_before(self, number: int) -> float:
        """How much is missing before the device went on for the ``number``-th time, in seconds."""
        await asyncio.sleep(_SETTLING_S)
        before, after = self._reckonings[number - 1 : number + 1]
        return after.began_s - before.ended_s

    def end(self) -> None:
        """Take no more in."""
        self._end(lost=False)

    def lose(self) -> None:
        """Take no more in: the device has stopped to give any."""
        self._end(lost=True)

    def _end(self, *, lost: bool) -> None:
        with self._ending:
            if self.ended:
                return
            self.ended = True
            self.lost = lost
        self._losses.dropped_s += sum(each.missing_s for each in self._reckonings)
        self._losses.unsent_s += self._blocks.lost_bytes / self.native.bytes_a_second
        self._blocks.close()
        self._on_end()

    def close(self) -> None:
        """Give the device back. May never return."""
        frozen = self.due_in_s < 0 and not self._is_over
        self._end(lost=False)
        if self._stream is not None:
            # Stopping waits for PortAudio's thread. A frozen one is cancelled instead: where it
            # runs Python, as a sound one may, that would leave the interpreter locked for ever.
            if frozen:
                self._stream.abort()
            else:
                self._stream.stop()
            with exclusive_call():
                self._stream.close()
        self._use.close()
