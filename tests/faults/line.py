"""One direction of a connection: bytes that come as late and as slowly as the network is told to.

Owns delay, rate and standstill. Knows nothing of what the bytes are.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable

QUEUE_MAX = 32
"""Frames under way: three seconds of audio. What is full takes no more, as a network does."""

_PIECES_PER_S = 50
"""A throttled line writes so often, so that a large frame does not come in one piece."""


class Network:
    """How all lines of a proxy are disturbed, and until when."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._delay_s = 0.0
        self._jitter_s = 0.0
        self._delayed_until_s = 0.0
        self._bytes_per_s = math.inf
        self._throttled_until_s = 0.0

    def delay(self, delay_s: float, jitter_s: float, until_s: float) -> None:
        """Delay what is taken until then, by loop time."""
        self._delay_s, self._jitter_s, self._delayed_until_s = delay_s, jitter_s, until_s

    def throttle(self, bytes_per_s: float, until_s: float) -> None:
        """Pass on no more than that until then, by loop time."""
        self._bytes_per_s, self._throttled_until_s = bytes_per_s, until_s

    def delay_at(self, now_s: float) -> float:
        """By how many seconds bytes taken now come later."""
        if now_s >= self._delayed_until_s:
            return 0.0
        return self._delay_s + self._jitter_s * self._draw.random()

    def rate_at(self, now_s: float) -> float:
        """How many bytes a second a line carries now."""
        return self._bytes_per_s if now_s < self._throttled_until_s else math.inf


class Line:
    """Carries bytes to a writer.

    Calling order: ``run`` is a task; ``put`` any number of times, ``end`` once. ``hold``,
    ``release`` and ``drop`` at any time.

    Args:
        writer: Where the bytes go.
        network: How they are disturbed.
        passed: Told how many bytes have just been written.
    """

    def __init__(
        self, writer: asyncio.StreamWriter, network: Network, passed: Callable[[int], None]
    ) -> None:
        self._writer = writer
        self._network = network
        self._passed = passed
        self._queue: asyncio.Queue[tuple[float, bytes | Callable[[], None] | None]] = asyncio.Queue(
            QUEUE_MAX
        )
        self._loop = asyncio.get_running_loop()
        self._due_s = 0.0
        self._free_at_s = 0.0
        self._held_until_s = 0.0
        self._released = asyncio.Event()
        self._dropped = False

    async def put(self, data: bytes | Callable[[], None]) -> None:
        """Take bytes, or what is to be called once all before it is written."""
        await self._put(data)

    async def end(self) -> None:
        """Nothing more comes: the writer gets a FIN, after all that was put."""
        await self._put(None)

    def hold(self, until_s: float = math.inf) -> None:
        """Write nothing until then, by loop time."""
        self._held_until_s = max(self._held_until_s, until_s)
        self._released.set()

    def release(self) -> None:
        """Go on."""
        self._held_until_s = 0.0
        self._released.set()

    def drop(self) -> None:
        """Write nothing any more."""
        self._dropped = True

    async def run(self) -> None:
        """Carry, until the end.

        Raises:
            OSError: The other end of the writer is gone.
        """
        while not self._dropped:
            due_s, item = await self._queue.get()
            if (wait_s := due_s - self._loop.time()) > 0:
                await asyncio.sleep(wait_s)
            if isinstance(item, bytes):
                await self._write(item)
                continue
            await self._stand_still()
            if item is None:
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                return
            item()

    async def _put(self, item: bytes | Callable[[], None] | None) -> None:
        now_s = self._loop.time()
        self._due_s = max(self._due_s, now_s + self._network.delay_at(now_s))
        await self._queue.put((self._due_s, item))

    async def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            await self._stand_still()
            now_s = self._loop.time()
            rate = self._network.rate_at(now_s)
            piece = view[: max(1, int(min(rate / _PIECES_PER_S, len(view))))]
            self._free_at_s = max(self._free_at_s, now_s) + len(piece) / rate
            if (wait_s := self._free_at_s - now_s) > 0:
                await asyncio.sleep(wait_s)
                await self._stand_still()
            if self._dropped:
                return
            self._writer.write(piece)
            view = view[len(piece) :]
            await self._writer.drain()
        self._passed(len(data))

    async def _stand_still(self) -> None:
        while (until_s := self._held_until_s) > self._loop.time():
            self._released.clear()
            try:
                async with asyncio.timeout_at(None if until_s == math.inf else until_s):
                    await self._released.wait()
            except TimeoutError:
                return
