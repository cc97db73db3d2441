"""Services that end a session by themselves, again and again; and those that break."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from sayd_cli.errors import RefusedError, ServiceFailedError, UnconfirmedError
from sayd_cli.listening.rules import Rules
from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.model.events import Audio, ClientMessage, Complete, End, Final
from sayd_cli.model.report import EndReason
from sayd_cli.protocol import wire
from tests.listening.test_outage import Answers, Hearer, Run, UniqueSource, expected
from tests.listening.world import RATE_HZ, ScriptedService
from tests.waiting import until

SECOND_BYTES = RATE_HZ * SAMPLE_BYTES


def completes(service: ScriptedService, duration_ms: int | None = None) -> None:
    """Say so before it was asked to, which our own server would never do."""
    service.connection.say_raw(wire.encode_server(Complete(duration_ms)))


class Limited(Hearer):
    """It completes each session when that has so much audio; what is in flight then is not heard.

    Of the audio, only some seconds are speech.
    """

    def __init__(
        self,
        source: UniqueSource,
        limit_s: float,
        spoken: set[int],
        *,
        times: bool,
        duration: bool,
    ) -> None:
        super().__init__(source, {}, times=times)
        self._limit_bytes = round(limit_s * SECOND_BYTES)
        self._spoken = {f"word{n} of{n}" for n in spoken}
        self._duration = duration

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        connection = service.connection
        if len(connection.pcm) > self._limit_bytes + 3200:
            return []
        answers = super().__call__(message, service)
        heard: Answers = [
            answer
            for answer in answers
            if not isinstance(answer, Final) or answer.text in self._spoken
        ]
        if isinstance(message, Audio) and len(connection.pcm) >= self._limit_bytes:
            duration_ms = len(connection.pcm) * 1000 // SECOND_BYTES
            connection.say(heard)
            completes(service, duration_ms if self._duration else None)
            return []
        return heard


@pytest.mark.parametrize(
    ("times", "duration", "live"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, True)],
)
async def test_a_session_limit_ends_no_run_however_long_it_is_silent(
    times: bool, duration: bool, live: bool
) -> None:
    spoken = {3, 4, 80, 81, 82, 119}
    source = UniqueSource(120, live=live)
    limit_s = 20 if duration else 50
    service = ScriptedService(Limited(source, limit_s, spoken, times=times, duration=duration))
    run = Run(source, service)
    ended = await run.go()
    assert run.recorder.texts == [f"word{n} of{n}" for n in sorted(spoken)]
    assert ended.reason is EndReason.EOF
    # Each session takes the audio on by about half of its limit, or more.
    assert 120 // limit_s < service.sessions <= 2 * 120 // limit_s + 4
    # A session that is over is not asked for again.
    assert service.sessions == len(service.connections)


async def test_a_service_that_completes_at_once_is_given_up() -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        completes(service)
        return []

    service = ScriptedService(hears)
    run = Run(UniqueSource(2, live=True, endless=True), service)
    await run.fail(RefusedError)
    assert service.sessions == 3


async def test_breakdowns_long_apart_in_a_silence_end_no_run() -> None:
    source = UniqueSource(8, live=True, endless=True)
    quiet = Hearer(source, {})
    service = ScriptedService(lambda message, _: [Complete()] if isinstance(message, End) else [])
    run = Run(source, service)

    def has_connections(count: int) -> bool:
        return len(service.connections) == count

    async def break_now_and_then() -> None:
        for count in range(1, 8):
            await until(partial(has_connections, count))
            await until(lambda: run.listening._backlog.sent_s == 8)
            run.clock.time_s += 600
            if count == 7:
                service.hears = quiet
            service.connection.say([ServiceFailedError("1011")])
        await until(lambda: len(run.recorder.texts) == 8)
        run.stop.request(EndReason.INTERRUPT)

    breaking = asyncio.create_task(break_now_and_then())
    await run.go()
    await breaking
    assert run.recorder.texts == expected(8)


async def test_a_service_that_is_down_is_tried_for_as_long_as_one_listens() -> None:
    source = UniqueSource(6, live=True, endless=True)
    service = ScriptedService(Hearer(source, {2: ServiceFailedError("1011")}))
    # What a gateway says while there is nothing behind it.
    failures: list[BaseException] = [ServiceFailedError("502") for _ in range(40)]
    run = Run(source, service)

    async def mend() -> None:
        await until(lambda: len(service.connections) == 1)
        service.create_failures = failures
        service.open_failures = failures
        await until(lambda: len(run.recorder.texts) == 6)
        run.stop.request(EndReason.INTERRUPT)

    mending = asyncio.create_task(mend())
    await run.go()
    await mending
    assert run.recorder.texts == expected(6)


async def test_the_end_of_a_pipe_does_not_wait_for_the_next_attempt() -> None:
    source = UniqueSource(4, live=True, endless=True)
    service = ScriptedService(Hearer(source, {2: ServiceFailedError("1011")}))
    run = Run(source, service, Rules(complete_timeout_s=0.2))

    async def end() -> None:
        await until(lambda: len(service.connections) == 1)
        service.create_failures = [ServiceFailedError("502") for _ in range(10**5)]
        await until(lambda: run.clock.time_s > 100)
        source.stop()

    ending = asyncio.create_task(end())
    await run.fail(UnconfirmedError)
    await ending
    assert run.listening.unconfirmed_s > 2
