from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from sayd_cli.capture.daemon import in_daemon_thread
from sayd_cli.errors import DeviceError


async def test_it_gives_what_the_work_gives() -> None:
    assert await in_daemon_thread(lambda: 7, name="test", limit_s=20) == 7


async def test_it_raises_what_the_work_raises() -> None:
    def work() -> None:
        raise DeviceError("no")

    with pytest.raises(DeviceError, match="no"):
        await in_daemon_thread(work, name="test", limit_s=20)


async def test_what_comes_too_late_is_discarded() -> None:
    go, discarded = threading.Event(), threading.Event()

    def work() -> str:
        go.wait(20)
        return "late"

    with pytest.raises(TimeoutError):
        await in_daemon_thread(
            work, name="test", limit_s=0.05, discard=lambda late: discarded.set()
        )
    go.set()
    assert await asyncio.to_thread(discarded.wait, 20)


async def test_what_comes_after_a_cancellation_is_discarded() -> None:
    go, discarded = threading.Event(), threading.Event()

    def work() -> str:
        go.wait(20)
        return "late"

    waiting = asyncio.create_task(
        in_daemon_thread(work, name="test", limit_s=None, discard=lambda late: discarded.set())
    )
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    assert await asyncio.to_thread(discarded.wait, 20)


def test_a_call_that_never_returns_does_not_hold_up_the_end_of_the_program() -> None:
    script = """
import asyncio, threading
from sayd_cli.capture.daemon import in_daemon_thread
try:
    asyncio.run(in_daemon_thread(threading.Event().wait, name="test", limit_s=0.05))
except TimeoutError:
    print("left behind")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "left behind\n"
