"""A bounded queue of audio from a device's callback, which must not wait, to the event loop.

Whatever gives up the interpreter in a callback, a lock or a system call, may wait for it again,
5 ms at a time; waking the event loop is a system call. So the callback takes no lock and calls
nothing, and a thread of this queue wakes the loop. Knows nothing of what the bytes are.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque


class BlockQueue:
    """Blocks of audio on their way from one callback to one task.

    Args:
        limit_bytes: How much may lie in it before what comes is lost.

    Attributes:
        lost_bytes: What found no room.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.lost_bytes = 0
        self._limit_bytes = limit_bytes
        self._blocks: deque[bytes] = deque()
        # Each is written by one side only.
        self._offered_bytes = 0
        self._taken_bytes = 0
        self._awaited = False
        self._closed = False
        self._arrived = asyncio.Event()
        self._rings: queue.SimpleQueue[bool] = queue.SimpleQueue()  # at most one for each wait
        self._bell: threading.Thread | None = None

    @property
    def held_bytes(self) -> int:
        """What lies in it."""
        return self._offered_bytes - self._taken_bytes

    def offer(self, block: bytes) -> None:
        """Leave a block, from one thread, without waiting; lost where there is no room."""
        if self._closed:
            return
        if self._offered_bytes - self._taken_bytes >= self._limit_bytes:
            self.lost_bytes += len(block)
            return
        self._leave(block)

    def _leave(self, block: bytes) -> None:
        self._blocks.append(block)
        self._offered_bytes += len(block)
        if self._awaited:
            self._awaited = False
            self._rings.put(True)

    def mark(self) -> None:
        """Leave an empty block, as ``offer`` does; for this there is always room."""
        if not self._closed:
            self._leave(b"")

    def close(self) -> None:
        """Take no more in, from any thread. What lies in it can still be taken out."""
        self._closed = True
        self._rings.put(False)

    async def get(self) -> bytes | None:
        """The next block, waiting for it; None when it is closed and empty."""
        if self._bell is None:
            self._bell = threading.Thread(
                target=self._ring,
                args=(asyncio.get_running_loop(),),
                name="microphone-bell",
                daemon=True,
            )
            self._bell.start()
        while True:
            self._arrived.clear()
            self._awaited = True
            closed = self._closed
            if self._blocks:
                self._awaited = False
                block = self._blocks.popleft()
                self._taken_bytes += len(block)
                return block
            if closed:
                return None
            await self._arrived.wait()

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        more = True
        while more:
            more = self._rings.get()
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                loop.call_soon_threadsafe(self._arrived.set)
