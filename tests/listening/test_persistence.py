"""What must not end a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sayd_cli.errors import BusyError, UnreachableError
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.silence import SilenceRule
from sayd_cli.model.audio import Frame, Interruption
from sayd_cli.model.events import Audio, ClientMessage, Complete, End, Fault, Final, Ready
from sayd_cli.model.report import EndReason
from tests.listening.test_outage import SECOND_BYTES, Answers, Hearer, Run, UniqueSource, expected
from tests.listening.world import ScriptedService
from tests.waiting import until


class Recording(UniqueSource):
    """Gives its second half only after the outage, as who records into a pipe does."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.service: ScriptedService | None = None

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        async for frame in super().frames():
            assert isinstance(frame, Frame)
            if frame.start_sample * 2 >= len(self.pcm) // 2:
                await until(lambda: self.service is not None and len(self.service.connections) > 1)
            yield frame


@pytest.mark.parametrize("can_wait", [False, True])
async def test_what_may_be_recorded_is_listened_to_for_as_long_as_an_outage_takes(
    can_wait: bool,
) -> None:
    source = Recording(8)
    source.can_wait = can_wait
    service = ScriptedService(Hearer(source, {3: UnreachableError("lost")}))
    source.service = service
    run = Run(source, service, Rules(outage_limit_s=30))

    async def go_away() -> None:
        await until(lambda: service.connections)
        service.open_failures = [UnreachableError("no network") for _ in range(20)]

    away = asyncio.create_task(go_away())
    if can_wait:
        # A file can be given again.
        await run.fail(UnreachableError)
    else:
        await run.go()
        assert run.recorder.texts == expected(8)
    assert run.clock.time_s > 30
    await away


async def test_a_service_that_says_later_again_and_again_is_come_back_to() -> None:
    source = UniqueSource(6)
    hears = Hearer(source, {})

    def stops(message: ClientMessage, service: ScriptedService) -> Answers:
        if len(service.connections) <= 6:
            busy = BusyError("close code 1013", retry_after_s=3)
            return [Fault("the server is stopping", ""), busy] if isinstance(message, Audio) else []
        return hears(message, service)

    service = ScriptedService(stops)
    run = Run(source, service)
    assert (await run.go()).reason is EndReason.EOF
    assert run.recorder.texts == expected(6)
    # Six times; one of the waits is cut short, since no more audio will come.
    assert run.clock.time_s >= 15


async def test_a_service_that_is_full_at_the_start_is_waited_for() -> None:
    source = UniqueSource(2)

    def full(service: ScriptedService) -> Ready | None:
        if len(service.connections) > 4:
            return Ready()
        service.connection.say([Fault("this key has 1 stream open", ""), BusyError("1013")])
        return None

    run = Run(source, ScriptedService(Hearer(source, {}), ready=full))
    assert (await run.go()).reason is EndReason.EOF
    assert run.recorder.texts == expected(2)
    assert "this key has 1 stream open" in run.recorder.notices[0]


async def test_silence_is_not_judged_by_audio_that_is_sent_again() -> None:
    source = UniqueSource(20, live=True, endless=True)
    first = Hearer(source, {5: UnreachableError("lost")})
    late: Answers = []

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        answers = first(message, service)
        if len(service.connections) == 1:
            return answers
        # Everything is sent at once, and the words come when it has been.
        late.extend(answers)
        if len(service.pcm) < 15 * SECOND_BYTES:
            return []
        told, late[:] = list(late), []
        return told

    run = Run(source, ScriptedService(hears), Rules(until_silence_s=3))
    going = asyncio.create_task(run.go())
    await until(lambda: len(run.recorder.texts) >= 19 or going.done())
    assert not going.done()
    run.stop.request(EndReason.INTERRUPT)
    assert (await going).reason is EndReason.INTERRUPT
    assert run.recorder.texts == expected(20)


def test_a_silence_begins_where_the_service_has_caught_up() -> None:
    rule = SilenceRule(3)
    rule.is_caught_up_at(5)
    assert not rule.is_over(100)  # nothing was said yet
    rule.heard(10, 10.5)
    rule.is_caught_up_at(30)
    rule.heard(12, 20)
    assert not rule.is_over(32.9)
    assert rule.is_over(33)


async def test_one_sentence_is_enough_though_the_service_never_says_complete() -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, Audio) and not service.sentences:
            service.sentences = 1
            return [Final("Hello.", 0.1, 0.5)]
        return []

    source = UniqueSource(3, live=True, endless=True)
    rules = Rules(once=True, complete_timeout_s=0.1, complete_limit_s=0.2)
    run = Run(source, ScriptedService(hears), rules)
    assert (await run.go()).reason is EndReason.ONCE
    assert run.recorder.texts == ["Hello."]
    assert run.listening.unconfirmed_s == 0


@pytest.mark.parametrize("lost", [True, False])
async def test_the_whole_text_of_a_session_is_not_told_again(lost: bool) -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if not isinstance(message, End):
            return []
        if len(service.connections) > 1:
            return [Complete(text="Hello there. How are you?")]
        told: Answers = [Final("Hello there.", 0.5, 2.0), Final("How are you?", 2.5, 4.0)]
        last = UnreachableError("lost") if lost else Complete(text="Hello there. How are you?")
        return [*told, last]

    run = Run(UniqueSource(5), ScriptedService(hears))
    await run.go()
    assert run.recorder.texts == ["Hello there.", "How are you?"]
