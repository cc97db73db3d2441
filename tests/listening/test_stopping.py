"""Asking a run to stop at an awkward moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sayd_cli.errors import UnconfirmedError
from sayd_cli.listening.rules import Rules
from sayd_cli.model.report import EndReason
from sayd_cli.model.session import Session, SessionSettings
from tests.listening.test_outage import Run, UniqueSource
from tests.listening.world import RATE_HZ, ScriptedService
from tests.waiting import until


class SlowService(ScriptedService):
    """It takes its time, when told so: to be there, or to create a session."""

    def __init__(self) -> None:
        super().__init__()
        self.is_there = asyncio.Event()
        self.answers = asyncio.Event()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[ScriptedService]:
        self.events.append("entering")
        await self.is_there.wait()
        async with super().entered() as service:
            yield service

    async def create_session(self, settings: SessionSettings) -> Session:
        self.events.append("asked")
        await self.answers.wait()
        return await super().create_session(settings)


def run_with(service: SlowService, rules: Rules | None = None) -> Run:
    return Run(UniqueSource(2, live=True, endless=True), service, rules)


async def test_while_the_service_is_being_started() -> None:
    service = SlowService()
    run = run_with(service)
    service.answers.set()

    async def stop() -> None:
        await until(lambda: service.events == ["entering"])
        run.stop.request(EndReason.INTERRUPT)
        await until(lambda: "stopped" in run.source.events)
        service.is_there.set()

    stopping = asyncio.create_task(stop())
    ended = await run.go()
    await stopping
    assert ended.reason is EndReason.INTERRUPT
    assert run.recorder.texts == ["word 0", "word 1"]
    assert service.pcm == run.source.pcm


async def test_while_a_service_that_never_answers_is_asked() -> None:
    service = SlowService()
    run = run_with(service, Rules(start_patience_s=0.1))
    service.is_there.set()

    async def stop() -> float:
        await until(lambda: "asked" in service.events and run.source.given == len(run.source.pcm))
        run.stop.request(EndReason.INTERRUPT)
        return time.monotonic()

    stopping = asyncio.create_task(stop())
    await run.fail(UnconfirmedError)
    assert time.monotonic() - await stopping < 5
    # It is said, and the audio is kept.
    assert run.listening.unconfirmed_s == len(run.source.pcm) / 2 / RATE_HZ
    assert run.recorder.ends[0].reason is EndReason.ERROR


async def test_after_the_last_word_while_the_service_is_being_left() -> None:
    service = SlowService()
    service.is_there.set()
    service.answers.set()
    run = Run(UniqueSource(2), service)

    @asynccontextmanager
    async def slow_to_leave() -> AsyncIterator[ScriptedService]:
        async with service.entered() as entered:
            yield entered
            run.stop.request(EndReason.INTERRUPT)
            await until(lambda: "stopped" in run.source.events)

    run.listening._backend = slow_to_leave()
    await run.go()
    assert run.recorder.texts == ["word 0", "word 1"]
