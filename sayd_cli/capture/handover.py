"""A bounded queue of audio from a reading thread to the event loop.

The reader waits for room, and whoever writes to it then waits too. Knows nothing of what the bytes
are.
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
        limit_bytes: How much may lie in it before ``put`` waits.

    Attributes:
        error: Why the thread closed it, if for a reason; for the reader to raise, once it has
            taken everything.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.error: BaseException | None = None
        self._limit_bytes = limit_bytes
        self._blocks: deque[bytes] = deque()
        self._held_bytes = 0
        self._closed = False
        self._changed = threading.Condition()
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def put(self, block: bytes) -> bool:
        """Leave a block, waiting for room; an empty one only asks whether more is wanted.

        Returns:
            False when it is closed, and no more is wanted.
        """
        with self._changed:
            if block:
                self._changed.wait_for(lambda: self._closed or self._held_bytes < self._limit_bytes)
                if not self._closed:
                    self._blocks.append(block)
                    self._held_bytes += len(block)
                    self._wake()
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

    def discard(self) -> None:
        """Close it and drop what lies in it, and any error behind that, from any thread."""
        with self._changed:
            self._blocks.clear()
            self._held_bytes = 0
            self.error = None
            self._closed = True
            self._changed.notify_all()
            self._wake()

    async def get(self) -> bytes | None:
        """The next block, waiting for it; None when it is closed and empty."""
        self._loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if self._blocks:
                    block = self._blocks.popleft()
                    self._held_bytes -= len(block)
                    self._changed.notify_all()
                    return block
                if self._closed:
                    return None
                self._arrived.clear()
            await self._arrived.wait()

    def _wake(self) -> None:
        # Before the first get() nobody waits; after the loop has closed, nobody will again.
        if self._loop is not None:
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
                if not handover.put(block):
                    break
        except SaydError as exc:
            handover.close(exc)
        except Exception as exc:  # noqa: BLE001 - the thread's boundary: the reader raises it
            handover.close(exc)
        else:
            handover.close()

    threading.Thread(target=run, name=name, daemon=True).start()
