"""The microphone: a source that goes on when its device goes away and comes back.

Owns the watch over the running stream, the attempts to have one again, and the place of each
stream's audio in time. No call into the audio system is made on the event loop, and none is
waited for without a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Self

from sayd_cli.capture.daemon import in_daemon_thread
from sayd_cli.capture.devices import InputDevice
from sayd_cli.capture.native import NativeFormat
from sayd_cli.capture.opening import StreamMaker, open_again, open_first
from sayd_cli.capture.stream import DeviceStream, Hole, Losses
from sayd_cli.errors import DeviceError
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, GapReason, Interruption

_log = logging.getLogger(__name__)

# What the device has recorded by the time of stop() reaches the callback within its next wake-up.
_DRAIN_S = 0.12
# A start-up of any length and a service that stalls must not cost a word: 19 MB at 16 kHz. After
# ten minutes something is broken, and memory has an end; what then finds no room is counted.
_ROOM_S = 600.0
_OPEN_LIMIT_S = 10.0
_OPEN_AGAIN_LIMIT_S = 5.0
_CLOSE_LIMIT_S = 0.5
# A block overdue at two looks in a row: one look could come just after the whole process had been
# held up. It is noticed 0.8 s after the last one.
_LOOK_AGAIN_S = 0.25
# Listing the devices anew can take a tenth of a second of work: no more than a fifth of a core.
_RETRY_S = 0.5
_RETRY_REST = 4
_RETRY_LIMIT_S = 3.0
# Attempts that hang, and are left behind. When so many do, another one would too.
_HANGING_LIMIT = 3


class Microphone:
    """A live source: an audio input at a session's rate, mono.

    When the device goes away, what it gave is followed by an ``Interruption``, and the frames go
    on when it is back; where none was named, on whatever is the default by then. So it is, too,
    when the device stayed and the machine slept. Places are those of a clock that does not sleep.

    Args:
        device: An index, or a part of a name; None is the default input.
        sample_rate_hz: The rate of the frames. A device that refuses it is captured at its own
            rate and converted.

    Raises:
        DeviceError: On entering, it cannot be opened.
    """

    live = True
    can_wait = False

    def __init__(self, device: str | int | None, sample_rate_hz: int) -> None:
        self._spec = device
        self._sample_rate_hz = sample_rate_hz
        self._losses = Losses()
        self._running: DeviceStream | None = None
        self._reading: DeviceStream | None = None
        self._unread: deque[DeviceStream] = deque()
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = False
        # Set when a stream has ended, for the supervisor; when one has begun or none will, for
        # frames().
        self._stream_ended = asyncio.Event()
        self._stream_begun = asyncio.Event()
        self._attempts = threading.Semaphore(_HANGING_LIMIT)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        make = self._maker(loop)
        try:
            stream = await in_daemon_thread(
                lambda: open_first(self._spec, self._sample_rate_hz, make),
                name="microphone-open",
                limit_s=_OPEN_LIMIT_S,
                discard=DeviceStream.close,
            )
        except TimeoutError as exc:
            raise DeviceError(
                "the audio system does not answer",
                "restart the sound server, or unplug the microphone and plug it in again",
            ) from exc
        self._take_on(stream)
        self._supervisor = asyncio.create_task(self._supervise(loop), name="microphone-watch")
        self._supervisor.add_done_callback(lambda task: self._stream_begun.set())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._release()

    async def _release(self) -> None:
        if self._supervisor is None:
            return
        supervisor, self._supervisor = self._supervisor, None
        supervisor.cancel()
        await asyncio.wait([supervisor])
        if self._running is not None:
            stream, self._running = self._running, None
            await _close(stream)

    @property
    def device_name(self) -> str | None:
        """What the running device is called; None while there is none."""
        if self._running is None or self._running.lost:
            return None
        return self._running.device.name

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        """Frames of about 100 ms, counted from the first captured sample."""
        position = 0
        origin_s: float | None = None
        while (stream := await self._next_stream()) is not None:
            self._reading = stream
            if origin_s is not None:
                since_s = stream.began_s - origin_s
                position = max(position, round(since_s * self._sample_rate_hz))
            async for piece in stream.pcm():
                if isinstance(piece, Hole):
                    yield Interruption(
                        GapReason.DEVICE,
                        f"nothing came from the microphone {stream.device.name!r} for "
                        f"{piece.length_s:.1f} s: the machine slept, or was too busy",
                    )
                    position += round(piece.length_s * self._sample_rate_hz)
                    continue
                yield Frame(piece, position, self._sample_rate_hz)
                position += len(piece) // SAMPLE_BYTES
            if origin_s is None:
                origin_s = stream.began_s
            if stream.lost and not self._is_over():
                yield Interruption(
                    GapReason.DEVICE,
                    f"the microphone {stream.device.name!r} went away; waiting for it",
                )
        await self._release()  # nobody hears any more: the device need not look as if

    def stop(self) -> None:
        """Take no more in, but for what the device has recorded and not yet handed over."""
        if self._stopping:
            return
        self._stopping = True
        self._stream_begun.set()
        if self._running is not None:
            asyncio.get_running_loop().call_later(_DRAIN_S, self._running.end)

    def notices(self) -> list[str]:
        """What was lost, if anything."""
        losses, notices = self._losses, []
        if losses.overflows:
            times = "once" if losses.overflows == 1 else f"{losses.overflows} times"
            notices.append(f"the microphone overflowed {times}: some audio is missing")
        if losses.dropped_s:
            notices.append(f"about {losses.dropped_s:.1f} s of audio were lost in the device")
        if losses.unsent_s:
            notices.append(
                f"{losses.unsent_s:.1f} s of audio were lost: too much was waiting to be sent"
            )
        return notices

    async def _next_stream(self) -> DeviceStream | None:
        """The next stream to read, waiting for one; None when there will be none."""
        while not self._unread:
            if self._stopping or self._supervisor is None:
                return None
            if self._supervisor.done():
                self._supervisor.result()  # it ends before its time by an error only
            self._stream_begun.clear()
            await self._stream_begun.wait()
        return self._unread.popleft()

    def _is_over(self) -> bool:
        return self._stopping and not self._unread

    def _take_on(self, stream: DeviceStream) -> None:
        self._running = stream
        self._unread.append(stream)
        self._stream_begun.set()
        if self._stopping:
            stream.end()

    async def _supervise(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a stream running, until cancelled."""
        while self._running is not None:
            stream = self._running
            await self._until_ended(stream)
            if not stream.lost:
                return
            _log.debug("%s is lost", stream.device.name)
            self._running = None
            await _close(stream)
            self._take_on(await self._return_of(stream.device, loop))

    async def _until_ended(self, stream: DeviceStream) -> None:
        """Wait until it ends, or lose it when its blocks stop coming."""
        overdue = False
        while not stream.ended:
            self._stream_ended.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S if overdue else stream.due_in_s):
                    await self._stream_ended.wait()
            was_overdue, overdue = overdue, stream.due_in_s < 0
            if overdue and was_overdue:
                stream.lose()

    async def _return_of(self, lost: InputDevice, loop: asyncio.AbstractEventLoop) -> DeviceStream:
        """Try until there is a device again."""

        work_s = 0.0
        make = self._maker(loop)

        def attempt() -> DeviceStream:
            nonlocal work_s
            began_s = time.thread_time()
            try:
                return open_again(lost, self._sample_rate_hz, make, or_default=self._spec is None)
            finally:
                work_s = time.thread_time() - began_s
                self._attempts.release()

        while True:
            if self._attempts.acquire(blocking=False):
                try:
                    return await in_daemon_thread(
                        attempt,
                        name="microphone-reopen",
                        limit_s=_OPEN_AGAIN_LIMIT_S,
                        discard=DeviceStream.close,
                    )
                except DeviceError as exc:
                    _log.debug("not yet: %s", exc)
                except TimeoutError:
                    _log.debug("an attempt hangs, and is left behind")
            await asyncio.sleep(min(max(_RETRY_S, work_s * _RETRY_REST), _RETRY_LIMIT_S))

    def _maker(self, loop: asyncio.AbstractEventLoop) -> StreamMaker:
        unread = [*self._unread, *([self._reading] if self._reading is not None else [])]
        room_s = max(0.0, _ROOM_S - sum(stream.waiting_s for stream in unread))

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody asks any more
                loop.call_soon_threadsafe(self._stream_ended.set)

        def make(device: InputDevice, native: NativeFormat) -> DeviceStream:
            return DeviceStream(
                device,
                native,
                self._sample_rate_hz,
                room_s=room_s,
                losses=self._losses,
                on_end=tell,
            )

        return make


async def _close(stream: DeviceStream) -> None:
    """Give a device back, or leave it behind."""
    try:
        await in_daemon_thread(stream.close, name="microphone-close", limit_s=_CLOSE_LIMIT_S)
    except TimeoutError:
        _log.debug("%s does not close; left behind", stream.device.name)
