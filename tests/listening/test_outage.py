from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from sayd_cli.errors import (
    BusyError,
    KeyRefusedError,
    ProtocolError,
    RefusedError,
    SaydError,
    ServiceFailedError,
    UnconfirmedError,
    UnreachableError,
)
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, GapReason
from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Fault,
    Final,
    Partial,
    Ready,
    ServerMessage,
)
from sayd_cli.model.report import Ended, EndReason, Heard, Phase, Started
from sayd_cli.model.session import SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.transcript.overlap import Overlap
from tests.listening.world import (
    RATE_HZ,
    FakeClock,
    Recorder,
    ScriptedService,
    ScriptedSource,
)
from tests.waiting import until

Answers = list[ServerMessage | BaseException | None]
SECOND_BYTES = RATE_HZ * SAMPLE_BYTES


class Run:
    def __init__(
        self,
        source: ScriptedSource,
        service: ScriptedService,
        rules: Rules | None = None,
        *,
        spool: MemorySpool | None = None,
        heard: tuple[Sentence, ...] = (),
    ) -> None:
        self.source = source
        self.service = service
        self.recorder = Recorder()
        self.clock = FakeClock()
        self.stop = StopSignal()
        self.listening = Listening(
            source,
            service.entered(),
            spool or MemorySpool(RATE_HZ),
            settings=SessionSettings(),
            rules=rules or Rules(),
            sink=self.recorder,
            stop=self.stop,
            clock=self.clock,
            random=Random(1),
            heard=heard,
        )

    async def go(self) -> Ended:
        async with asyncio.timeout(30):
            return await self.listening.run()

    async def fail(self, kind: type[SaydError]) -> SaydError:
        with pytest.raises(kind) as caught:
            await self.go()
        return caught.value

    @property
    def sentences(self) -> list[Sentence]:
        return [r.sentence for r in self.recorder.reports if isinstance(r, Heard)]


def replayed_from(pcm: bytes, source: ScriptedSource) -> int:
    """Where in the source's audio a stream that begins in its midst begins, in samples."""
    assert not any(pcm[:SECOND_BYTES]), "no silence before it"
    return source.pcm.index(pcm[SECOND_BYTES:][:2000]) // SAMPLE_BYTES


class Hearer:
    """Hears a word for each second of the source's audio, known from the samples themselves; a
    stream's last word is heard when it ends. Loses the connection when told to.
    """

    def __init__(
        self,
        source: ScriptedSource,
        losses: Mapping[int, BaseException | Fault | None],
        *,
        times: bool = True,
    ) -> None:
        self.source = source
        self.losses = dict(losses)
        self.times = times
        self.taken = 0
        """Bytes, over all connections."""

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        connection = service.connection
        answers: Answers = []
        if isinstance(message, Audio):
            self.taken += len(message.payload)
            # A stream that begins in the midst has a second of silence before it.
            silence = 0 if any(connection.pcm[:1000]) else SECOND_BYTES
            if len(connection.pcm) <= silence:
                return []
            start = self.source.pcm.index(connection.pcm[silence:][:1000]) - silence
            before = start + len(connection.pcm) - len(message.payload)
            after = start + len(connection.pcm)
            for number in range(before // SECOND_BYTES, after // SECOND_BYTES):
                begin_s = number - start / SECOND_BYTES
                if begin_s < silence / SECOND_BYTES - 0.5:
                    continue  # most of it is not in this stream
                text = f"word{number} of{number}"
                if self.times:
                    answers.append(Final(text, begin_s + 0.1, begin_s + 0.9))
                else:
                    answers.append(Final(text))
            for at in [at for at in self.losses if at * SECOND_BYTES <= self.taken]:
                loss = self.losses.pop(at)
                answers.append(loss)
                if isinstance(loss, Fault):
                    answers.append(BusyError("close code 1013"))
        if isinstance(message, End):
            answers.append(Complete())
        return answers


class UniqueSource(ScriptedSource):
    """Audio that is nowhere like anywhere else."""

    def __init__(self, seconds: float, *, live: bool = False, endless: bool = False) -> None:
        super().__init__(seconds, live=live, endless=endless)
        self.pcm = Random(7).randbytes(len(self.pcm))


def expected(seconds: int) -> list[str]:
    return [f"word{n} of{n}" for n in range(seconds)]


class Interrupted:
    """A run that was interrupted at a service without times; its audio is still there.

    Args:
        seconds: How much of it.
        told: How many of its words were told.
    """

    def __init__(self, seconds: int, told: int) -> None:
        self.source = UniqueSource(seconds)
        self.spool = MemorySpool(RATE_HZ)
        for n in range(seconds):
            pcm = self.source.pcm[n * SECOND_BYTES : (n + 1) * SECOND_BYTES]
            self.spool.append(Frame(pcm, n * RATE_HZ, RATE_HZ))
        self.heard = tuple(
            Sentence(n, text, n, n + 1, approximate=True) for n, text in enumerate(expected(told))
        )

    def finished_by(self, service: ScriptedService, rules: Rules | None = None) -> Run:
        return Run(ScriptedSource(0), service, rules, spool=self.spool, heard=self.heard)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    "loss",
    [
        UnreachableError("cut"),
        None,
        BusyError("later", retry_after_s=3),
        ServiceFailedError("1011"),
        Fault("the engine broke"),
    ],
)
async def test_a_lost_connection_loses_no_word_and_repeats_none(
    loss: BaseException | Fault | None, live: bool
) -> None:
    source = UniqueSource(12, live=live)
    run = Run(source, ScriptedService(Hearer(source, {3: loss, 7: loss})))
    ended = await run.go()
    assert run.recorder.texts == expected(12)
    assert ended.reason is EndReason.EOF
    times = [(round(s.start_s, 3), round(s.end_s, 3)) for s in run.sentences]
    assert times == [(n + 0.1, n + 0.9) for n in range(12)]
    assert len(run.recorder.reconnections) == 2
    assert len([r for r in run.recorder.reports if isinstance(r, Started)]) == 1
    assert run.listening.unconfirmed_s == 0


async def test_the_same_url_is_tried_first_then_a_new_session() -> None:
    source = UniqueSource(8)
    hearer = Hearer(source, {3: UnreachableError("cut")})
    refusals: list[BaseException] = []

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        answers = hearer(message, service)
        if not hearer.losses and not refusals:
            refusals.append(RefusedError("this session is over"))
            service.open_failures.append(refusals[0])
        return answers

    service = ScriptedService(hears)
    run = Run(source, service)
    await run.go()
    assert run.recorder.texts == expected(8)
    order = ["entered", "created", "connected", "disconnected", "connected", "created"]
    assert [e for e in service.events if e != "disconnected"][:5] == [
        e for e in order if e != "disconnected"
    ]
    assert [r.session_id for r in run.recorder.reconnections] == ["session-2"]


async def test_text_without_times_is_told_from_what_was_heard_before_by_its_words() -> None:
    source = UniqueSource(60, live=True)
    hearer = Hearer(source, {20: UnreachableError("cut"), 50: None}, times=False)
    run = Run(source, ScriptedService(hearer))
    await run.go()
    assert run.recorder.texts == expected(60)


async def test_only_what_is_not_confirmed_is_sent_again() -> None:
    source = UniqueSource(12, live=True)
    service = ScriptedService(Hearer(source, {10: UnreachableError("cut")}))
    run = Run(source, service)
    await run.go()
    again = service.connections[1].pcm
    # Word 9 ends at 9.9 s, and was heard before the connection was cut.
    assert replayed_from(again, source) == round(9.9 * RATE_HZ)


class Continuing:
    """A service that continues a stream where it is, as ours does."""

    def __init__(self, source: ScriptedSource, losses: dict[int, int]) -> None:
        self.pcm = b""
        self.said: list[Final] = []
        self.losses = losses
        """At so many bytes the connection is lost, and so many bytes before were not received."""
        self.is_lost = False

    def ready(self, service: ScriptedService) -> Ready:
        self.is_lost = False
        have = service.connection.have
        for final in self.said[have:] if have is not None else []:
            missed: Answers = [final]
            asyncio.get_running_loop().call_soon(service.connection.say, missed)
        return Ready(30.0, len(self.pcm) // SAMPLE_BYTES)

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        answers: Answers = []
        if isinstance(message, Audio) and not self.is_lost:
            self.pcm += message.payload
            while len(self.said) < len(self.pcm) // SECOND_BYTES:
                n = len(self.said)
                self.said.append(Final(f"word{n} of{n}", n + 0.1, n + 0.9, n))
                answers.append(self.said[-1])
            for at in [at for at in self.losses if at <= len(self.pcm)]:
                self.pcm = self.pcm[: -self.losses.pop(at)]
                self.is_lost = True
                # What was said last is lost on its way.
                answers = [UnreachableError("cut")]
        if isinstance(message, End):
            answers.append(Complete(sentences=len(self.said)))
        return answers


async def test_a_stream_that_the_service_continues_is_sent_only_what_it_lacks() -> None:
    source = UniqueSource(12)
    hears = Continuing(source, {3 * SECOND_BYTES: 3200, 7 * SECOND_BYTES + 100: 6400})
    service = ScriptedService(hears, ready=hears.ready)
    run = Run(source, service)
    await run.go()
    assert hears.pcm == source.pcm
    assert run.recorder.texts == expected(12)
    assert service.sessions == 1
    # Of the third second, a tenth was not received, so its word was not heard either.
    assert [c.have for c in service.connections] == [None, 2, 7]


async def test_a_stream_that_ended_is_complete_before_it_is_asked_again() -> None:
    source = UniqueSource(2)
    hears = Continuing(source, {})
    service = ScriptedService(ready=hears.ready)

    def loses_the_end(message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, End) and len(service.connections) == 1:
            return [UnreachableError("cut")]
        if len(service.connections) == 2:
            return []  # it has said all it has to say
        return hears(message, service)

    def ready(service: ScriptedService) -> Ready:
        if len(service.connections) == 2:
            told = '{"type":"complete","sentences":2}'
            asyncio.get_running_loop().call_soon(service.connection.say_raw, told)
        return hears.ready(service)

    service.hears, service.ready = loses_the_end, ready
    run = Run(source, service)
    ended = await run.go()
    assert run.recorder.texts == expected(2)
    assert ended.reason is EndReason.EOF
    assert (service.sessions, len(service.connections)) == (1, 2)


async def test_a_stream_that_says_there_was_more_is_asked_for_it() -> None:
    source = UniqueSource(2)
    hears = Continuing(source, {})
    service = ScriptedService(hears, ready=hears.ready)
    original = hears.__call__
    dropped: list[Final] = []

    def drops_one(message: ClientMessage, service: ScriptedService) -> Answers:
        answers = original(message, service)
        for answer in list(answers):
            if isinstance(answer, Final) and answer.index == 1 and not dropped:
                dropped.append(answer)
                answers.remove(answer)
        return answers

    service.hears = drops_one
    run = Run(source, service)
    await run.go()
    assert dropped
    assert run.recorder.texts == expected(2)
    assert [c.have for c in service.connections] == [None, 1]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0], [0, 0, 1, 1, 2, 0, 3]])
async def test_sentences_that_overtake_or_come_twice_are_told_once_and_in_order(
    order: list[int],
) -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if not isinstance(message, End):
            return []
        finals = [Final(f"{n}.", n / 10, (n + 1) / 10, n) for n in order]
        return [*finals, Complete(sentences=4)]

    service = ScriptedService(hears, ready=lambda _: Ready(30.0, 0))
    run = Run(UniqueSource(1), service)
    await run.go()
    assert run.recorder.texts == ["0.", "1.", "2.", "3."]


@pytest.mark.parametrize(
    "refusal",
    [KeyRefusedError("no"), RefusedError("no"), ProtocolError("what is that?")],
)
async def test_refusals_are_no_outages(refusal: SaydError) -> None:
    source = UniqueSource(4, endless=True)
    service = ScriptedService(Hearer(source, {2: refusal}))
    run = Run(source, service)
    assert await run.fail(type(refusal)) is refusal
    assert run.recorder.texts == expected(2)
    assert len(service.connections) == 1


@pytest.mark.parametrize(
    "loss", [ServiceFailedError("the engine broke"), RefusedError("a newer connection has it")]
)
async def test_a_stream_that_failed_is_not_continued_though_the_service_could(
    loss: SaydError,
) -> None:
    source = UniqueSource(12, live=True)
    hearer = Hearer(source, {2: loss, 5: loss, 8: loss, 11: loss})
    run = Run(source, ScriptedService(hearer, ready=lambda _: Ready(30.0, 0)))
    await run.go()
    assert run.recorder.texts == expected(12)
    # A stream that is continued would be asked for what came of it since.
    assert [c.have for c in run.service.connections] == [None] * 5
    assert run.service.sessions == 5


async def test_a_service_that_refuses_every_stream_after_its_ready_is_given_up() -> None:
    def refuses(message: ClientMessage, service: ScriptedService) -> Answers:
        return [RefusedError("no")] if isinstance(message, Audio) else []

    run = Run(UniqueSource(2), ScriptedService(refuses, ready=lambda _: Ready(30.0, 0)))
    await run.fail(RefusedError)
    assert run.service.sessions == 3


async def test_a_service_that_takes_every_connection_and_drops_it_is_not_hammered() -> None:
    source = UniqueSource(4, live=True, endless=True)
    hearer = Hearer(source, {})

    def drops(message: ClientMessage, service: ScriptedService) -> Answers:
        if run.clock.time_s > 60:
            return hearer(message, service)
        return [UnreachableError("cut")]

    run = Run(source, ScriptedService(drops))

    async def stop() -> None:
        await until(lambda: len(run.recorder.texts) == 4)
        run.stop.request(EndReason.INTERRUPT)

    stopping = asyncio.create_task(stop())
    await run.go()
    await stopping
    assert run.recorder.texts == expected(4)
    assert 5 < len(run.service.connections) < 20


async def test_a_refused_key_at_a_new_session_ends_an_outage() -> None:
    source = UniqueSource(4, endless=True)
    service = ScriptedService(Hearer(source, {2: UnreachableError("cut")}))
    service.ready = lambda s: Ready() if len(s.connections) == 1 else None
    run = Run(source, service, Rules(ready_timeout_s=0.05))

    async def expire() -> None:
        await until(lambda: service.sessions == 1)
        service.create_failures.append(KeyRefusedError("expired"))

    expiring = asyncio.create_task(expire())
    await run.fail(KeyRefusedError)
    await expiring
    assert run.recorder.texts == expected(2)


async def test_a_busy_service_is_asked_again_when_it_said() -> None:
    busy: list[BaseException] = [
        BusyError("busy", retry_after_s=7),
        BusyError("busy", retry_after_s=9),
    ]
    run = Run(UniqueSource(1), ScriptedService(create_failures=busy))
    await run.go()
    assert 16 <= run.clock.time_s <= 18
    assert run.recorder.texts == ["word 0"]


async def test_a_run_is_told_of_once_however_many_sessions_it_takes_to_begin() -> None:
    lost: list[BaseException] = [UnreachableError("cut"), UnreachableError("cut")]
    run = Run(UniqueSource(1), ScriptedService(open_failures=lost))
    await run.go()
    assert run.service.sessions == 3
    started = [r for r in run.recorder.reports if isinstance(r, Started)]
    assert [s.session_id for s in started] == ["session-1"]
    assert run.recorder.reconnections == []


async def test_a_service_that_was_never_reached_is_given_up_soon() -> None:
    failures: list[BaseException] = [UnreachableError("no") for _ in range(99)]
    run = Run(UniqueSource(1, live=True, endless=True), ScriptedService(create_failures=failures))
    await run.fail(UnreachableError)
    assert Rules().start_patience_s <= run.clock.time_s < 3 * Rules().start_patience_s


async def test_a_live_source_is_listened_to_through_an_outage_of_an_hour() -> None:
    source = UniqueSource(6, live=True, endless=True)
    failures: list[BaseException] = [UnreachableError("no") for _ in range(500)]
    service = ScriptedService(Hearer(source, {2: UnreachableError("cut")}))
    run = Run(source, service)

    async def mend() -> None:
        await until(lambda: len(service.connections) == 1)
        service.open_failures = failures
        service.create_failures = failures
        await until(lambda: run.clock.time_s > 3600, 25)
        failures.clear()
        await until(lambda: len(run.recorder.texts) == 6)
        run.stop.request(EndReason.INTERRUPT)

    mending = asyncio.create_task(mend())
    await run.go()
    await mending
    assert run.recorder.texts == expected(6)
    (reconnected,) = run.recorder.reconnections
    assert reconnected.outage_s > 3600
    assert reconnected.replayed_s == pytest.approx(6 - 1.9, abs=0.1)
    assert Phase.RECONNECTING in [p.phase for p in run.recorder.progress]
    assert any("cut" in n or "no;" in n for n in run.recorder.notices)


async def test_a_file_is_not_tried_for_ever() -> None:
    source = UniqueSource(60)
    failures: list[BaseException] = [UnreachableError("no") for _ in range(500)]
    service = ScriptedService(Hearer(source, {2: UnreachableError("cut")}))
    run = Run(source, service)

    async def cut() -> None:
        await until(lambda: len(service.connections) == 1)
        service.open_failures = failures
        service.create_failures = failures

    cutting = asyncio.create_task(cut())
    await run.fail(UnreachableError)
    await cutting
    assert run.clock.time_s >= Rules().outage_limit_s
    # It was read no further than it had to be.
    assert source.given < 20 * SECOND_BYTES
    assert run.listening.unconfirmed_s > 0


async def test_stopping_in_an_outage_waits_no_longer_than_for_the_last_words() -> None:
    source = UniqueSource(4, live=True, endless=True)
    service = ScriptedService(Hearer(source, {2: UnreachableError("cut")}))
    run = Run(source, service, Rules(complete_timeout_s=0.2))

    async def stop() -> None:
        await until(lambda: len(service.connections) == 1)
        service.open_failures = service.create_failures = [
            UnreachableError("no") for _ in range(10**6)
        ]
        await until(lambda: Phase.RECONNECTING in [p.phase for p in run.recorder.progress])
        run.stop.request(EndReason.INTERRUPT)

    stopping = asyncio.create_task(stop())
    await run.fail(UnconfirmedError)
    await stopping
    assert run.listening.unconfirmed_s == pytest.approx(4 - 1.9, abs=0.1)


async def test_at_the_end_of_an_outage_there_is_time_for_more_than_one_attempt() -> None:
    source = UniqueSource(4, live=True, endless=True)
    service = ScriptedService(Hearer(source, {2: UnreachableError("cut")}))
    run = Run(source, service)
    failures: list[BaseException] = [UnreachableError("no") for _ in range(10**4)]

    async def stop() -> float:
        await until(lambda: len(service.connections) == 1)
        service.open_failures = service.create_failures = failures
        # The attempts have become rare.
        await until(lambda: run.clock.time_s > 60)
        run.stop.request(EndReason.INTERRUPT)
        stopped_s = run.clock.time_s
        left = len(failures)
        await until(lambda: len(failures) <= left - 6)
        failures.clear()
        return stopped_s

    stopping = asyncio.create_task(stop())
    await run.go()
    assert run.clock.time_s - await stopping < 10
    assert run.recorder.texts == expected(4)


async def test_a_service_that_breaks_on_the_same_audio_again_and_again_is_given_up() -> None:
    def breaks(message: ClientMessage, service: ScriptedService) -> Answers:
        return [ServiceFailedError("the engine broke")] if isinstance(message, Audio) else []

    service = ScriptedService(breaks)
    run = Run(UniqueSource(2), service)
    await run.fail(RefusedError)
    assert len(service.connections) == 3


async def test_audio_that_there_was_no_room_for_is_a_gap() -> None:
    source = UniqueSource(20, live=True)
    service = ScriptedService(
        Hearer(source, {2: UnreachableError("cut")}),
    )
    run = Run(
        source, service, spool=MemorySpool(RATE_HZ, memory_bytes=5 * SECOND_BYTES, segment_s=1)
    )
    service.ready = lambda s: (
        Ready() if len(s.connections) == 1 or source.given == len(source.pcm) else None
    )
    run.listening._rules = Rules(ready_timeout_s=0.05)
    await run.go()
    storage = [g for g in run.recorder.gaps if g.reason is GapReason.STORAGE]
    assert storage
    assert storage[0].start_s == pytest.approx(1.9)
    assert 13 < storage[-1].end_s < 17


async def test_an_interrupted_run_is_finished_from_its_spool() -> None:
    source = UniqueSource(6)
    spool = MemorySpool(RATE_HZ)
    spool.append(Frame(source.pcm, 0, RATE_HZ))
    heard = tuple(Sentence(n, f"word{n} of{n}", n + 0.1, n + 0.9) for n in range(3))
    nothing = ScriptedSource(0)
    service = ScriptedService(Hearer(source, {}))
    run = Run(nothing, service, spool=spool, heard=heard)
    ended = await run.go()
    assert run.recorder.texts == expected(6)[3:]
    assert [s.index for s in run.sentences] == [3, 4, 5]
    assert ended.sentences == 6
    assert replayed_from(service.pcm, source) == round(2.9 * RATE_HZ)


async def test_an_interrupted_run_without_times_is_finished_by_its_words() -> None:
    before = Interrupted(12, told=5)
    run = before.finished_by(ScriptedService(Hearer(before.source, {}, times=False)))
    await run.go()
    assert run.recorder.texts == expected(12)[5:]


async def test_a_service_that_breaks_on_what_is_known_is_further_each_time() -> None:
    before = Interrupted(40, told=36)
    hearer = Hearer(before.source, {})
    said: list[int] = []

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if len(said) < len(service.connections):
            said.append(0)
        answers: Answers = []
        for answer in hearer(message, service):
            answers.append(answer)
            said[-1] += isinstance(answer, Final)
            if said[-1] == 5:
                return [*answers, ServiceFailedError("1011")]
        return answers

    run = before.finished_by(ScriptedService(hears))
    await run.go()
    assert run.recorder.texts == expected(40)[36:]
    assert len(said) > 3


@pytest.mark.parametrize("times", [(1000.0, 2000.0), (0.0, 1e9), (5.0, 4.0), (-3.0, -2.0)])
async def test_a_known_sentence_with_times_that_are_none_confirms_nothing(
    times: tuple[float, float],
) -> None:
    before = Interrupted(40, told=30)
    hearer = Hearer(before.source, {}, times=False)
    said: list[Final] = []

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        answers: Answers = []
        for answer in hearer(message, service):
            if not isinstance(answer, Final):
                answers.append(answer)
                continue
            said.append(Final(answer.text, *times))
            # All of the audio has been sent, and may be on its way, when it is lost.
            if len(service.connections) == 1 and len(said) == 40:
                return [*said[:5], ServiceFailedError("1011")]
            if len(service.connections) > 1:
                answers.append(said[-1])
        return answers

    run = before.finished_by(ScriptedService(hears))
    await run.go()
    assert run.recorder.texts == expected(40)[30:]


async def test_a_service_that_says_what_is_known_is_waited_for_at_the_end() -> None:
    before = Interrupted(12, told=10)
    talks: list[asyncio.Task[None]] = []

    async def talk(service: ScriptedService) -> None:
        for text in expected(12):
            # The limit at the end is one of real time; all of it takes three times as long.
            await asyncio.sleep(0.25)
            service.connection.say([Final(text)])
        service.connection.say([Complete()])

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, End):
            talks.append(asyncio.create_task(talk(service)))
        return []

    run = before.finished_by(ScriptedService(hears), Rules(complete_timeout_s=1.0))
    await run.go()
    assert run.recorder.texts == expected(12)[10:]


async def test_of_what_was_heard_only_what_ended_later_may_be_heard_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    laid: list[tuple[list[str], list[str]]] = []

    class Spied(Overlap):
        def __init__(self, known: Sequence[str], before: Sequence[str] = ()) -> None:
            laid.append((list(known), list(before)))
            super().__init__(known, before)

    monkeypatch.setattr("sayd_cli.listening.loop.Overlap", Spied)
    before = Interrupted(12, told=9)
    before.spool.release(6 * RATE_HZ)
    run = before.finished_by(ScriptedService(Hearer(before.source, {}, times=False)))
    await run.go()
    assert laid[0] == (expected(12)[6:9], expected(12)[4:6])
    assert run.recorder.texts == expected(12)[9:]


async def test_interim_text_of_a_lost_stream_does_not_come_twice() -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, End):
            return [Final("all of it.", 0.0, 0.5), Complete()]
        if len(service.connections) == 1 and len(service.pcm) > 3200:
            return [Partial("all of", 0.0, 0.2), UnreachableError("cut")]
        return []

    run = Run(UniqueSource(1), ScriptedService(hears))
    await run.go()
    assert run.recorder.texts == ["all of it."]
    assert not any(s.unconfirmed for s in run.sentences)


async def test_silence_ends_a_run() -> None:
    # Nothing is said after the third second.
    source = UniqueSource(9, live=True, endless=True)

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if len(service.pcm) >= 3 * SECOND_BYTES and not service.sentences:
            service.sentences = 1
            return [Final("three.", 0.0, 3.0)]
        return [Complete()] if isinstance(message, End) else []

    run = Run(source, ScriptedService(hears), Rules(until_silence_s=2.0))
    ended = await run.go()
    assert ended.reason is EndReason.SILENCE
    assert run.recorder.texts == ["three."]


async def test_silence_in_a_file_ends_it_before_the_next_word() -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        finals = [Final("a.", 0.0, 1.0), Final("b.", 2.0, 3.0), Final("c.", 6.0, 7.0)]
        return [*finals, Complete()] if isinstance(message, End) else []

    service = ScriptedService(hears)
    run = Run(UniqueSource(9), service, Rules(until_silence_s=2.0))
    ended = await run.go()
    assert ended.reason is EndReason.SILENCE
    assert run.recorder.texts == ["a.", "b."]
