"""An outage, and something else at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sayd_cli.errors import UnconfirmedError, UnreachableError
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.rules import Rules
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, GapReason, Interruption
from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Final,
    Partial,
    Ready,
)
from sayd_cli.model.report import EndReason, Gap, Interim
from sayd_cli.model.session import SessionSettings
from sayd_cli.spool.memory import MemorySpool
from tests.listening.test_outage import Answers, Run, UniqueSource, expected
from tests.listening.world import RATE_HZ, ScriptedService
from tests.waiting import until

SECOND_BYTES = RATE_HZ * SAMPLE_BYTES


class Steps(UniqueSource):
    """A live source that goes on only when told how far, and what to say before."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, live=True)
        self.steps: asyncio.Queue[float | Interruption | None] = asyncio.Queue()
        self.at_s = 0.0

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        while (step := await self.steps.get()) is not None:
            if isinstance(step, Interruption):
                yield step
                continue
            while self.at_s < step:
                start = round(self.at_s * SECOND_BYTES)
                self.at_s += 0.5
                pcm = self.pcm[start : round(self.at_s * SECOND_BYTES)]
                yield Frame(pcm, start // SAMPLE_BYTES, RATE_HZ)

    def jump(self, to_s: float) -> None:
        self.at_s = to_s

    def stop(self) -> None:
        self.steps.put_nowait(None)


class Finder:
    """Hears a word where its audio is in the stream, whatever is before it."""

    def __init__(self, source: UniqueSource) -> None:
        self._source = source
        self._heard: dict[int, set[int]] = {}

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        pcm, source = service.pcm, self._source.pcm
        heard = self._heard.setdefault(len(service.connections), set())
        answers: Answers = []
        for n in range(len(source) // SECOND_BYTES):
            word = source[n * SECOND_BYTES + SECOND_BYTES // 10 : (n + 1) * SECOND_BYTES - 3200]
            if n not in heard and (at := pcm.find(word)) >= 0:
                heard.add(n)
                start_s = at / SECOND_BYTES
                answers.append(Final(f"word{n} of{n}", start_s, start_s + 0.8))
        return [*answers, Complete()] if isinstance(message, End) else answers


class Disturbed(Run):
    """A run over such a source, with a service whose connections can be cut and refused."""

    def __init__(self, seconds: float, rules: Rules | None = None, *, once: bool = False) -> None:
        self.steps = Steps(seconds)
        self.hearer = Finder(self.steps)
        service = ScriptedService(self.hearer)
        super().__init__(self.steps, service, rules or Rules(once=once))
        self.pause = PauseSwitch()
        self.listening = Listening(
            self.steps,
            service.entered(),
            MemorySpool(RATE_HZ),
            settings=SessionSettings(),
            rules=rules or Rules(once=once),
            sink=self.recorder,
            stop=self.stop,
            pause=self.pause,
            clock=self.clock,
        )

    async def captured(self, until_s: float) -> None:
        self.steps.steps.put_nowait(until_s)
        await until(lambda: self.steps.at_s >= until_s and self.steps.steps.empty())
        await until(lambda: self.pause.paused or self.listening._backlog.captured_s == until_s)

    async def sent(self, until_s: float) -> None:
        await until(lambda: self.listening._backlog.sent_s == until_s)

    def refuse(self) -> None:
        self.service.open_failures = [UnreachableError("no")] * 10**6
        self.service.create_failures = self.service.open_failures

    async def out(self) -> None:
        self.refuse()
        self.service.connection.say([UnreachableError("cut")])
        await until(lambda: not self.listening._backlog.connected)

    def mend(self) -> None:
        self.service.open_failures = []
        self.service.create_failures = []


async def test_a_pause() -> None:
    run = Disturbed(12)

    async def disturb() -> None:
        await run.captured(3)
        await run.sent(3)
        await run.out()
        await run.captured(5)
        run.pause.toggle()
        await run.captured(8)
        run.mend()
        # What was said before the pause is told in it.
        await until(lambda: run.recorder.texts == expected(5))
        run.pause.toggle()
        await run.captured(12)
        run.stop.request(EndReason.INTERRUPT)

    disturbing = asyncio.create_task(disturb())
    await run.go()
    await disturbing
    assert run.recorder.texts == [*expected(5), *expected(12)[8:]]
    assert run.recorder.gaps == [Gap(5.0, 8.0, GapReason.PAUSE)]
    starts = [round(sentence.start_s, 3) for sentence in run.sentences]
    assert starts == [0.1, 1.1, 2.1, 3.1, 4.1, 8.1, 9.1, 10.1, 11.1]


async def test_a_device_that_goes_and_comes_back() -> None:
    run = Disturbed(12)

    async def disturb() -> None:
        await run.captured(3)
        await run.sent(3)
        await run.out()
        await run.captured(5)
        run.steps.steps.put_nowait(Interruption(GapReason.DEVICE, "gone"))
        await until(lambda: run.listening._backlog.broken_off)
        run.steps.jump(7.0)
        await run.captured(9)
        run.mend()
        await until(lambda: len(run.recorder.texts) == 7)
        await run.captured(12)
        run.stop.request(EndReason.INTERRUPT)

    disturbing = asyncio.create_task(disturb())
    await run.go()
    await disturbing
    assert run.recorder.texts == [*expected(5), *expected(12)[7:]]
    assert run.recorder.gaps == [Gap(5.0, 7.0, GapReason.DEVICE)]


async def test_once() -> None:
    run = Disturbed(6, once=True)

    async def disturb() -> None:
        await run.captured(0.5)
        await run.sent(0.5)
        await run.out()
        await run.captured(3)
        run.mend()

    disturbing = asyncio.create_task(disturb())
    ended = await run.go()
    await disturbing
    assert ended.reason is EndReason.ONCE
    assert run.recorder.texts == expected(1)
    assert run.listening.unconfirmed_s == 0


async def test_once_when_the_service_is_lost_after_the_sentence() -> None:
    run = Disturbed(6, once=True)
    heard = run.hearer

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        answers = heard(message, service)
        if answers:
            run.refuse()
            answers.append(UnreachableError("cut"))
        return answers

    run.service.hears = hears
    run.steps.steps.put_nowait(3.0)
    ended = await run.go()
    assert ended.reason is EndReason.ONCE
    assert run.recorder.texts == expected(1)
    assert run.listening.unconfirmed_s == 0


async def test_a_stop_and_interim_text_that_was_told_again_as_a_sentence() -> None:
    """Without times, the sentence is known by its words when it is heard again."""
    source = UniqueSource(9, live=True, endless=True)

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        if not isinstance(message, Audio) or len(service.pcm) != 8 * SECOND_BYTES:
            return [Complete()] if isinstance(message, End) else []
        first = len(service.connections) == 1
        # The second time it is unsure for a while; then it says the same.
        return (
            [Partial("Won tooth reef"), Final("One two three.")]
            if not first
            else [
                Final("One two three."),
                UnreachableError("cut"),
            ]
        )

    run = Run(source, ScriptedService(hears), Rules(complete_timeout_s=0.2))

    async def disturb() -> None:
        await until(lambda: len(run.service.connections) == 2)
        await until(lambda: run.listening._backlog.sent_s == 9)
        for _ in range(100):
            await asyncio.sleep(0)
        run.service.create_failures = [UnreachableError("no")] * 10**6
        run.service.open_failures = run.service.create_failures
        run.service.connection.say([UnreachableError("cut")])
        run.stop.request(EndReason.INTERRUPT)

    disturbing = asyncio.create_task(disturb())
    await run.fail(UnconfirmedError)
    await disturbing
    # Told once, and what it was unsure of is not given up as the last words.
    assert run.recorder.texts == ["One two three."]
    interims = [r.text for r in run.recorder.reports if isinstance(r, Interim)]
    assert interims == ["Won tooth reef", ""]


async def test_silence_at_a_gap_is_sent_again_on_a_stream_that_is_continued() -> None:
    """The audio of a gap arrived, and the silence after it did not."""
    run = Disturbed(6)
    received = 0

    def ready(service: ScriptedService) -> Ready:
        return Ready(30.0, received)

    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        return [Complete()] if isinstance(message, End) else []

    run.service.ready = ready
    run.service.hears = hears

    async def disturb() -> None:
        nonlocal received
        await run.captured(3)
        await run.sent(3)
        run.pause.toggle()
        run.steps.steps.put_nowait(3.5)
        await until(lambda: len(run.service.pcm) == 4 * SECOND_BYTES)
        received = 3 * RATE_HZ
        run.service.connection.say([UnreachableError("cut")])
        await until(lambda: len(run.service.connections) == 2)
        await until(lambda: run.service.pcm == bytes(SECOND_BYTES))
        run.stop.request(EndReason.INTERRUPT)

    disturbing = asyncio.create_task(disturb())
    await run.go()
    await disturbing
    assert run.service.sessions == 1
