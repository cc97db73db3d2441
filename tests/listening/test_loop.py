from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import (
    DeviceError,
    InputError,
    RefusedError,
    SaydError,
    StorageError,
    UnconfirmedError,
    UnreachableError,
)
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Tape
from sayd_cli.listening.rules import Pace, Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import Codec, GapReason
from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Fault,
    Final,
    Partial,
    ServerMessage,
)
from sayd_cli.model.report import Ended, EndReason, Gap, Heard, Interim, Phase, Started
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.protocol.server import ServerState
from sayd_cli.spool.memory import MemorySpool
from tests.listening.world import (
    RATE_HZ,
    Connection,
    FakeClock,
    Hearing,
    Recorder,
    ScriptedService,
    ScriptedSource,
    one_sentence_a_second,
)
from tests.waiting import until

Answers = list[ServerMessage | BaseException | None]


class Run:
    """A run in the scripted world, and everything that came of it."""

    def __init__(
        self,
        source: ScriptedSource,
        service: ScriptedService | None = None,
        rules: Rules | None = None,
        tape: Tape | None = None,
    ) -> None:
        self.source = source
        self.service = service or ScriptedService()
        self.recorder = Recorder()
        self.clock = FakeClock()
        self.stop = StopSignal()
        self.pause = PauseSwitch()
        self.listening = Listening(
            source,
            self.service.entered(),
            MemorySpool(RATE_HZ),
            settings=SessionSettings(),
            rules=rules or Rules(),
            sink=self.recorder,
            stop=self.stop,
            pause=self.pause,
            tape=tape,
            clock=self.clock,
        )

    async def go(self) -> Ended:
        async with asyncio.timeout(30):
            return await self.listening.run()

    async def fail(self, kind: type[SaydError]) -> SaydError:
        with pytest.raises(kind) as caught:
            await self.go()
        return caught.value


def hearing(on_audio: Answers, on_end: Answers) -> Hearing:
    """A service that answers the first audio, and the end."""
    left = list(on_audio)

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        nonlocal left
        if isinstance(message, End):
            return on_end
        answers, left = (left, []) if isinstance(message, Audio) else ([], left)
        return answers

    return hears


async def test_everything_captured_is_sent_and_everything_heard_is_told() -> None:
    run = Run(ScriptedSource(3.05))
    ended = await run.go()
    assert run.service.pcm == run.source.pcm
    assert run.service.message_bytes == [3200] * 30 + [1600]
    assert run.recorder.texts == ["word 0", "word 1", "word 2"]
    assert ended == Ended(EndReason.EOF, 3.05, 3, 6)
    assert run.recorder.reports[-1] == ended


async def test_the_source_is_open_before_the_service_is_asked_and_until_it_is_left() -> None:
    source, order = ScriptedSource(0.5), list[str]()
    service = ScriptedService()
    source.events = service.events = order
    await Run(source, service).go()
    assert order == [
        "opened",
        "entered",
        "created",
        "connected",
        "disconnected",
        "left",
        "closed",
    ]


async def test_the_first_report_of_a_session_says_what_it_is() -> None:
    run = Run(ScriptedSource(0.2))
    await run.go()
    assert [r for r in run.recorder.reports if isinstance(r, Started)] == [
        Started("session-1", BackendName.LOCAL, "multi", RATE_HZ, Codec.PCM16, run.clock.utc_now())
    ]


async def test_phases_come_in_order_with_levels_while_listening() -> None:
    run = Run(ScriptedSource(0.5))
    await run.go()
    phases = [progress.phase for progress in run.recorder.progress]
    assert phases == sorted(phases, key=list(Phase).index)
    assert set(phases) == {Phase.STARTING, Phase.LISTENING, Phase.FINISHING}
    levels = [p.level_dbfs for p in run.recorder.progress if p.level_dbfs is not None]
    assert levels
    assert all(-20 < level < 0 for level in levels)


async def test_stopping_sends_what_was_captured_and_waits_for_the_last_words() -> None:
    run = Run(ScriptedSource(2.5, live=True, endless=True))

    async def stop_when_sent() -> None:
        await until(lambda: len(run.service.pcm) >= 2.4 * RATE_HZ * 2)
        run.stop.request(EndReason.INTERRUPT)

    stopper = asyncio.create_task(stop_when_sent())
    ended = await run.go()
    await stopper
    assert run.service.pcm == run.source.pcm
    assert run.recorder.texts == ["word 0", "word 1"]
    assert ended.reason is EndReason.INTERRUPT
    assert "stopped" in run.source.events


async def test_stopping_before_the_service_is_ready_loses_nothing() -> None:
    source = ScriptedSource(1.2, live=True, endless=True)
    run = Run(source)
    run.stop.request(EndReason.INTERRUPT)
    await run.go()
    assert run.service.pcm == source.pcm
    assert run.recorder.texts == ["word 0"]


async def test_the_first_reason_to_stop_is_the_one_that_counts() -> None:
    run = Run(ScriptedSource(5), rules=Rules(duration_s=1.0))
    ended = await run.go()
    run.stop.request(EndReason.INTERRUPT)
    assert ended.reason is EndReason.DURATION
    assert run.stop.reason is EndReason.DURATION


@given(st.integers(1, 40_000), st.integers(64, 5000))
def test_the_duration_is_kept_to_the_sample(limit_samples: int, block_samples: int) -> None:
    async def go() -> None:
        run = Run(
            ScriptedSource(2, block_samples=block_samples),
            rules=Rules(duration_s=limit_samples / RATE_HZ),
        )
        ended = await run.go()
        expected = min(limit_samples, 2 * RATE_HZ)
        assert run.service.pcm == run.source.pcm[: 2 * expected]
        assert ended.duration_s == expected / RATE_HZ

    asyncio.run(go())


async def test_once_gives_one_sentence_however_many_come() -> None:
    def several(message: ClientMessage, service: ScriptedService) -> Answers:
        return (
            [Complete()] if isinstance(message, End) else [Final("a."), Final("b."), Partial("c")]
        )

    run = Run(ScriptedSource(0.3), ScriptedService(several), Rules(once=True))
    ended = await run.go()
    assert run.recorder.texts == ["a."]
    assert (ended.reason, ended.sentences) == (EndReason.ONCE, 1)
    assert not [r for r in run.recorder.reports if isinstance(r, Interim)]


async def test_real_time_sends_no_faster_than_a_live_source_would() -> None:
    run = Run(ScriptedSource(3), rules=Rules(pace=Pace.REALTIME))
    await run.go()
    assert run.clock.time_s == pytest.approx(3.0)


async def test_as_fast_as_possible_does_not_wait() -> None:
    run = Run(ScriptedSource(3), rules=Rules(pace=Pace.MAX))
    await run.go()
    assert run.clock.time_s < 3.0


async def test_text_without_times_is_placed_where_the_audio_was() -> None:
    run = Run(ScriptedSource(1), ScriptedService(hearing([], [Final("hello"), Complete()])))
    await run.go()
    (heard,) = [r for r in run.recorder.reports if isinstance(r, Heard)]
    assert heard.sentence.approximate
    assert (heard.sentence.start_s, heard.sentence.end_s) == (0.0, 1.0)


async def test_text_that_comes_only_with_complete_counts() -> None:
    run = Run(ScriptedSource(1), ScriptedService(hearing([], [Complete(text="all of it")])))
    await run.go()
    assert run.recorder.texts == ["all of it"]


async def test_text_that_complete_repeats_does_not() -> None:
    answers: Answers = [Final("all"), Complete(text="all")]
    run = Run(ScriptedSource(1), ScriptedService(hearing([], answers)))
    await run.go()
    assert run.recorder.texts == ["all"]


async def test_silence_of_the_source_is_filled_with_keepalives() -> None:
    run = Run(ScriptedSource(0.1, live=True, endless=True))

    async def stop_after_a_minute() -> None:
        await until(lambda: run.clock.time_s >= 60)
        run.stop.request(EndReason.INTERRUPT)

    stopper = asyncio.create_task(stop_after_a_minute())
    await run.go()
    await stopper
    assert run.service.keepalives == 4


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(InputError("broken"), EndReason.ERROR), (DeviceError("gone"), EndReason.DEVICE)],
)
async def test_a_source_that_fails_has_what_it_gave_transcribed(
    failure: InputError, reason: EndReason
) -> None:
    run = Run(ScriptedSource(2.1, failure=failure))
    assert await run.fail(InputError) is failure
    assert run.service.pcm == run.source.pcm
    assert run.recorder.texts == ["word 0", "word 1"]
    assert [end.reason for end in run.recorder.ends] == [reason]


async def test_a_source_that_does_not_open_asks_nothing_of_the_service() -> None:
    run = Run(ScriptedSource(1, open_failure=DeviceError("none")))
    await run.fail(DeviceError)
    assert run.service.events == []
    assert [end.reason for end in run.recorder.ends] == [EndReason.DEVICE]


async def test_a_session_that_is_not_created_closes_the_source() -> None:
    run = Run(ScriptedSource(1), ScriptedService(create_failures=[RefusedError("no")]))
    await run.fail(RefusedError)
    assert run.source.events[-1] == "closed"
    assert [end.reason for end in run.recorder.ends] == [EndReason.ERROR]


@pytest.mark.parametrize("loss", [RefusedError("no"), Fault("no such voice")])
async def test_a_refusal_keeps_the_text_that_was_never_confirmed(
    loss: ServerMessage | BaseException,
) -> None:
    answers: Answers = [Final("sure.", 0.0, 0.05), Partial("not sure", 0.06, 0.1), loss]
    if isinstance(loss, Fault):
        answers.append(RefusedError("close code 1008"))
    run = Run(ScriptedSource(0.5, endless=True), ScriptedService(hearing(answers, [])))
    await run.fail(RefusedError)
    sentences = [r.sentence for r in run.recorder.reports if isinstance(r, Heard)]
    assert [(s.text, s.unconfirmed) for s in sentences] == [("sure.", False), ("not sure", True)]
    assert [end.sentences for end in run.recorder.ends] == [2]


async def test_a_service_that_is_never_ready_is_not_waited_for_for_ever() -> None:
    rules = Rules(ready_timeout_s=0.05)
    run = Run(ScriptedSource(1), ScriptedService(ready=lambda _: None), rules)
    error = await run.fail(UnreachableError)
    assert "ready" in error.message
    assert run.clock.time_s >= rules.start_patience_s


async def test_a_service_that_never_completes_is_not_waited_for_for_ever() -> None:
    rules = Rules(complete_timeout_s=0.05)
    run = Run(ScriptedSource(1), ScriptedService(hearing([Partial("last words")], [])), rules)
    await run.fail(UnconfirmedError)
    assert run.recorder.texts == ["last words"]


async def test_a_service_that_still_sends_sentences_is_waited_for() -> None:
    service = ScriptedService(hearing([], []))
    run = Run(ScriptedSource(0.2), service, Rules(complete_timeout_s=0.5))

    async def slow_sentences() -> None:
        await until(lambda: service.protocol.state is ServerState.ENDING)
        for n in range(4):
            await asyncio.sleep(0.2)
            service.connection.say([Final(f"{n}.")])
        service.connection.say([Complete()])

    slow = asyncio.create_task(slow_sentences())
    await run.go()
    await slow
    assert run.recorder.texts == ["0.", "1.", "2.", "3."]


@pytest.mark.parametrize("words", [Partial("still"), Final("still")])
async def test_a_service_that_talks_for_ever_is_not_waited_for_for_ever(
    words: Partial | Final,
) -> None:
    service = ScriptedService(hearing([], []))
    run = Run(ScriptedSource(0.2), service, Rules(complete_timeout_s=0.3, complete_limit_s=0.6))

    async def talk() -> None:
        await until(lambda: service.protocol.state is ServerState.ENDING)
        while True:
            service.connection.say([words])
            await asyncio.sleep(0.05)

    talking = asyncio.create_task(talk())
    await run.fail(UnconfirmedError)
    talking.cancel()


async def test_stopping_does_not_wait_for_a_service_that_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = ScriptedService()
    blocked = asyncio.Event()

    async def never(connection: Connection, data: bytes | str) -> None:
        blocked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Connection, "send", never)
    run = Run(ScriptedSource(5), service, Rules(complete_timeout_s=0.1))

    async def stop() -> None:
        await blocked.wait()
        run.stop.request(EndReason.INTERRUPT)

    stopping = asyncio.create_task(stop())
    await run.fail(UnconfirmedError)
    await stopping


async def test_an_error_keeps_its_cause() -> None:
    cause = OSError("the cable")
    lost = RefusedError("no")
    lost.__cause__ = cause
    run = Run(ScriptedSource(0.5, endless=True), ScriptedService(hearing([lost], [])))
    assert (await run.fail(RefusedError)).__cause__ is cause


async def test_a_time_out_of_somebody_else_is_not_taken_for_ours() -> None:
    run = Run(ScriptedSource(2))

    def fail(report: object) -> None:
        if isinstance(report, Heard):
            raise TimeoutError("the terminal")

    run.recorder.take = fail  # type: ignore[method-assign]
    with pytest.raises(TimeoutError, match="the terminal"):
        await run.go()


async def test_a_sink_that_fails_ends_the_run_with_its_own_error() -> None:
    run = Run(ScriptedSource(2))

    def fail(report: object) -> None:
        if isinstance(report, Heard):
            raise BrokenPipeError

    run.recorder.take = fail  # type: ignore[method-assign]
    with pytest.raises(BrokenPipeError):
        await run.go()
    assert run.source.events[-1] == "closed"


async def test_a_run_that_is_cancelled_leaves_nothing_behind() -> None:
    run = Run(ScriptedSource(1, live=True, endless=True))
    task = asyncio.create_task(run.go())
    await until(lambda: run.recorder.texts)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.source.events[-1] == "closed"
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_notices_of_the_source_are_told_at_the_end() -> None:
    run = Run(ScriptedSource(0.1))
    await run.go()
    assert run.recorder.notices == ["a notice"]


async def test_control_characters_of_a_service_do_not_get_through() -> None:
    answers: Answers = [Final("a\x1b[31mb\x07\u202ec")]
    run = Run(ScriptedSource(0.2), ScriptedService(hearing(answers, [Complete()])))
    await run.go()
    assert run.recorder.texts == ["abc"]


SILENCE = bytes(RATE_HZ * 2)


async def test_a_gap_is_told_and_is_in_the_times() -> None:
    source = ScriptedSource(4, live=True, gap_at_s=2.5, gap_s=60)
    run = Run(source)
    ended = await run.go()
    cut = round(2.5 * RATE_HZ) * 2
    assert run.service.pcm == source.pcm[:cut] + SILENCE + source.pcm[cut:]
    assert run.recorder.gaps == [Gap(2.5, 62.5, GapReason.DEVICE)]
    assert "the microphone went away" in run.recorder.notices
    # The stream has a sentence a second; its third second lies on both sides of the silence that
    # was put in, its fourth begins in it.
    times = [
        (r.sentence.start_s, r.sentence.end_s) for r in run.recorder.reports if isinstance(r, Heard)
    ]
    assert times == [(0, 1), (1, 2), (2, 2.5), (62.5, 63), (63, 64)]
    assert ended.duration_s == 64
    phases = [p.phase for p in run.recorder.progress]
    waiting = phases.index(Phase.WAITING)
    assert phases[waiting + 1] is Phase.LISTENING


async def test_a_device_that_never_returns_ends_with_the_duration() -> None:
    source = ScriptedSource(1, live=True, endless=True, gap_at_s=1)
    run = Run(source, rules=Rules(duration_s=30))
    ended = await run.go()
    assert (ended.reason, ended.duration_s) == (EndReason.DURATION, 1)
    assert run.clock.time_s >= 30
    assert run.service.keepalives >= 1


async def test_a_live_source_that_is_paused_is_not_heard() -> None:
    source = ScriptedSource(3, live=True)
    run = Run(source)
    cuts: list[int] = []

    async def pause_and_go_on() -> None:
        await until(lambda: source.given >= len(source.pcm) // 3)
        run.pause.toggle()
        cuts.append(source.given)
        await until(lambda: source.given >= 2 * len(source.pcm) // 3)
        run.pause.toggle()
        cuts.append(source.given)

    pausing = asyncio.create_task(pause_and_go_on())
    await run.go()
    await pausing
    (gap,) = run.recorder.gaps
    begin, end = round(gap.start_s * RATE_HZ) * 2, round(gap.end_s * RATE_HZ) * 2
    block_bytes = 777 * 2
    assert gap.reason is GapReason.PAUSE
    assert abs(begin - cuts[0]) <= block_bytes
    assert abs(end - cuts[1]) <= block_bytes
    assert run.service.pcm == source.pcm[:begin] + SILENCE + source.pcm[end:]
    assert Phase.PAUSED in [p.phase for p in run.recorder.progress]


async def test_a_file_that_is_paused_waits() -> None:
    source = ScriptedSource(3)
    run = Run(source, rules=Rules(pace=Pace.REALTIME))
    run.pause.toggle()

    async def go_on() -> None:
        await until(lambda: Phase.PAUSED in [p.phase for p in run.recorder.progress])
        await run.clock.sleep(100)
        run.pause.toggle()

    going_on = asyncio.create_task(go_on())
    await run.go()
    await going_on
    assert run.service.pcm == source.pcm
    assert run.recorder.gaps == []
    assert run.clock.time_s == pytest.approx(103)


async def test_stopping_ends_a_pause() -> None:
    run = Run(ScriptedSource(3))
    run.pause.toggle()
    run.stop.request(EndReason.INTERRUPT)
    assert (await run.go()).reason is EndReason.INTERRUPT


class ListTape:
    """A tape that remembers, and is full after so many bytes."""

    def __init__(self, limit_bytes: int = 10**9) -> None:
        self.pcm = b""
        self._limit_bytes = limit_bytes

    def write(self, pcm: bytes) -> None:
        if len(self.pcm) >= self._limit_bytes:
            raise StorageError("the tape is full")
        self.pcm += pcm


async def test_the_tape_holds_exactly_what_was_sent() -> None:
    tape = ListTape()
    run = Run(
        ScriptedSource(4, live=True, gap_at_s=2.5, gap_s=60),
        rules=Rules(duration_s=63.2),
        tape=tape,
    )
    await run.go()
    assert tape.pcm == run.service.pcm
    assert len(tape.pcm) == round((2.5 + 1 + 0.7) * RATE_HZ) * 2


async def test_a_tape_that_is_full_is_told_once_and_ends_nothing() -> None:
    run = Run(ScriptedSource(2), tape=ListTape(RATE_HZ))
    await run.go()
    assert run.service.pcm == run.source.pcm
    assert run.recorder.notices.count("the tape is full") == 1


@pytest.mark.parametrize("live", [True, False])
async def test_pure_silence_of_a_microphone_is_told(live: bool) -> None:
    source = ScriptedSource(2, live=live)
    source.pcm = bytes(len(source.pcm))
    run = Run(source)
    await run.go()
    told = [notice for notice in run.recorder.notices if "pure silence" in notice]
    assert len(told) == (1 if live else 0)
    assert any(p.warning for p in run.recorder.progress) is live


def test_rules_are_a_value() -> None:
    assert replace(Rules(), once=True).once
    assert one_sentence_a_second(End(), ScriptedService(ready=lambda _: None)) == [Complete()]
