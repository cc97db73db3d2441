"""Calls into libraries that may never return, awaited with a time limit.

A frozen sound server can hang ``import sounddevice``, opening and closing alike. Such a call runs
in a daemon thread, which is left behind when it takes too long: the executor of the event loop
would wait for it at the end of the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def in_daemon_thread(
    work: Callable[[], _T],
    *,
    name: str,
    limit_s: float | None,
    discard: Callable[[_T], object] | None = None,
) -> _T:
    """Call ``work`` in a daemon thread and wait for what it returns or raises.

    Args:
        work: What may block.
        name: The thread's name.
        limit_s: Seconds to wait; None waits for as long as it takes.
        discard: Given what ``work`` returns when it comes too late, or when the wait was
            cancelled; called in the thread.

    Raises:
        TimeoutError: It took longer. The thread lives on.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T) -> None:
        if not future.done():
            future.set_result(result)
        elif discard is not None:
            threading.Thread(target=discard, args=(result,), name=name, daemon=True).start()

    def fail(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            result = work()
        except Exception as exc:  # noqa: BLE001 - the thread's boundary: the caller raises it
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it the caller
                loop.call_soon_threadsafe(fail, exc)
            return
        try:
            loop.call_soon_threadsafe(settle, result)
        except RuntimeError:
            if discard is not None:
                discard(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    async with asyncio.timeout(limit_s):
        return await future
