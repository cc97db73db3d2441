"""Waiting for a condition, with a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    """Let other tasks run until the condition holds; fail after ``limit_s`` seconds."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {limit_s} s in vain"
        await asyncio.sleep(0)


def wait_until(condition: Callable[[], object], limit_s: float = 30.0) -> None:
    """The same for code without an event loop."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {limit_s} s in vain"
        time.sleep(0.01)
