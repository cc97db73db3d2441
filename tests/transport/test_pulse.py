"""The pulse of a connection that is played by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from sayd_cli.transport.pulse import EVERY_BYTES, WINDOW_BYTES, Pulse
from tests.waiting import until

if TYPE_CHECKING:
    from sayd_cli.transport.connection import HeardConnection


class Line:
    """A connection whose pongs come when we say so."""

    def __init__(self) -> None:
        self.close_code: int | None = None
        self.on_data: Callable[[], None] | None = None
        self.pings: list[asyncio.Future[float]] = []
        self.aborted = False
        self.transport = SimpleNamespace(abort=self._abort)

    def _abort(self) -> None:
        self.aborted = True

    async def ping(self) -> asyncio.Future[float]:
        self.pings.append(asyncio.get_running_loop().create_future())
        return self.pings[-1]

    def pong(self) -> None:
        for ping in self.pings:
            if not ping.done():
                ping.set_result(0.0)


def pulse_of(line: Line) -> Pulse:
    return Pulse(cast("HeardConnection", line), "host")


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_more_is_sent_than_a_window_ahead_of_what_is_taken() -> None:
    line = Line()
    async with asyncio.timeout(20), pulse_of(line) as pulse:
        for _ in range(WINDOW_BYTES // 4096):
            await pulse.room()
            pulse.sent(4096)
        waiting = asyncio.create_task(pulse.room())
        await turns()
        assert not waiting.done()
        # The first ping that is answered tells of what was sent before it, and of no more.
        line.pings[0].set_result(0.0)
        await waiting
        for _ in range(EVERY_BYTES // 4096):
            pulse.sent(4096)
        waiting = asyncio.create_task(pulse.room())
        await turns()
        assert not waiting.done()
        line.pong()
        await waiting


async def test_pings_go_with_the_audio() -> None:
    line = Line()
    async with asyncio.timeout(20), pulse_of(line) as pulse:
        for _ in range(8):
            pulse.sent(EVERY_BYTES // 2)
        await turns()
        assert len(line.pings) == 4


@pytest.mark.parametrize("waiters", [1, 3])
async def test_whoever_waits_for_room_is_let_go_when_the_connection_is_over(waiters: int) -> None:
    line = Line()
    async with asyncio.timeout(20), pulse_of(line) as pulse:
        pulse.sent(WINDOW_BYTES)
        waiting = [asyncio.create_task(pulse.room()) for _ in range(waiters)]
        await turns()
        assert not any(task.done() for task in waiting)
        line.close_code = 1006
        await asyncio.gather(*waiting)
        # And so is who comes later.
        await pulse.room()
    assert not line.aborted


async def test_a_quiet_connection_is_asked_and_leaves_nothing_behind() -> None:
    line = Line()
    before = asyncio.all_tasks()
    listened = []
    async with pulse_of(line):
        await until(lambda: line.pings)
        listened.append(line.on_data is not None)
    listened.append(line.on_data is not None)
    assert listened == [True, False]
    assert asyncio.all_tasks() == before
    assert not line.aborted
