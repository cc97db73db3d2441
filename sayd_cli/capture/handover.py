"""A bounded queue of audio from one thread to the event loop.

The thread either never waits (``offer``: a device callback, which must not; what finds no room is
counted) or waits for room (``put``: a reader, whose writer then waits too). Knows nothing of what
the bytes are.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator

from sayd_cli.errors import SaydError


class Handover:
    """Blocks of audio on their way from one thread to one task.

    Args:
        limit_bytes: How much may lie in it before ``offer`` refuses and ``put`` waits.

    Attributes:
        held_bytes: What lies in it.
        lost_bytes: What ``offer`` refused for want of room.
        error: Why the thread closed it, if for a reason; for the reader to raise, once it has
            taken everything.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.held_bytes = 0
        self.lost_bytes = 0
        self.error: BaseException | None = None
        self._limit_bytes = limit_bytes
        self._blocks: deque[bytes] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._arrived = asyncio.Event()
        self._awaited = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def offer(self, block: bytes) -> None:
        """Leave a block, from any thread, without waiting; lost where there is no room."""
        with self._changed:
            if self._closed:
                return
            if self.held_bytes >= self._limit_bytes:
                self.lost_bytes += len(block)
                return
            self._leave(block)

    def put(self, block: bytes) -> bool:
        """Leave a block, from a thread that may wait for room.

        Returns:
            False when it is closed, and no more is wanted.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self.held_bytes < self._limit_bytes)
            if not self._closed:
                self._leave(block)
            return not self._closed

    def close(self, error: BaseException | None = None) -> None:
        """Take no more in, from any thread. What lies in it can still be taken out. The first
        call decides on the error.
        """
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self.error = error
            self._changed.notify_all()
            self._wake()

    async def get(self) -> bytes | None:
        """The next block, waiting for it; None when it is closed and empty."""
        self._loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._blocks:
                    block = self._blocks.popleft()
                    self.held_bytes -= len(block)
                    self._changed.notify_all()
                    return block
                if self._closed:
                    return None
                self._arrived.clear()
                self._awaited = True
            await self._arrived.wait()

    def _leave(self, block: bytes) -> None:
        self._blocks.append(block)
        self.held_bytes += len(block)
        self._wake()

    def _wake(self) -> None:
        # A reader with work left is not woken; after the loop has closed, nobody waits again.
        if self._loop is not None and self._awaited:
            self._awaited = False
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._arrived.set)


def pump(blocks: Iterator[bytes], handover: Handover, name: str) -> None:
    """Run an iterator that blocks in a thread of its own, until it ends or nobody wants more.

    Its error closes the handover. The thread is a daemon: a read that never returns holds up
    neither ``close`` nor the end of the program.
    """

    def run() -> None:
        try:
            for block in blocks:
                if block and not handover.put(block):
                    break
        except SaydError as exc:
            handover.close(exc)
        except Exception as exc:  # noqa: BLE001 - the thread's boundary: the reader raises it
            handover.close(exc)
        else:
            handover.close()

    threading.Thread(target=run, name=name, daemon=True).start()
