"""The session store, used from the event loop.

SQLite waits for the disk and for other processes; a worker thread does the waiting. It is one
thread, so that calls are done in the order in which they were made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sayd_cli.history.store import SessionStore

T = TypeVar("T")


class Archive:
    """A store with its worker.

    Args:
        store: Open; it stays so, and nobody else uses it, until ``close`` returns.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="sayd-archive")

    async def ask(self, call: Callable[[SessionStore], T]) -> T:
        """What the call gives, or raises; a call that was begun is finished even when the one who
        asked is cancelled.
        """
        return await asyncio.get_running_loop().run_in_executor(self._worker, call, self._store)

    async def close(self) -> None:
        """Wait for calls under way; no more may be made."""
        await asyncio.to_thread(self._worker.shutdown)
