"""Listening to coded speech over a line that fails, and what became of the words.

The real loop, transport, server and spool; only the microphone, the engine and the line are made
up. ``python -m tests.faults.long`` is the long run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Self
from urllib.parse import urlsplit

from sayd_cli.errors import SaydError
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.ports import Spool
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, Interruption
from sayd_cli.model.report import Heard, Notice, Reconnected, Report
from sayd_cli.model.secret import Secret
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.server.limits import Limits
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.transport.service import Service
from tests.faults.engine import CodedEngine
from tests.faults.plan import Faults
from tests.faults.proxy import FaultProxy
from tests.faults.score import Score, score
from tests.faults.speech import CodedSpeech
from tests.server.running import KEY, running

RATE_HZ = 16000
FRAME_SAMPLES = RATE_HZ // 10
SILENCE_AFTER_S = 1.0
_RECOVERIES = 5


class Microphone:
    """Coded speech at a multiple of the pace of speech; silence after it, until ``enough``.

    Args:
        speech: What is said.
        speed: How much faster than it was spoken.
        enough: Ends the silence after the speech.
    """

    live = True
    can_wait = False

    def __init__(
        self, speech: CodedSpeech, speed: float, enough: asyncio.Event | None = None
    ) -> None:
        self.speech = speech
        self.said = asyncio.Event()
        """Everything is said."""
        self._speed = speed
        self._enough = enough
        self._stopped = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        start = 0
        last = self.speech.length_samples + round(SILENCE_AFTER_S * RATE_HZ)
        while not self._stopped:
            if start >= last:
                self.said.set()
                if self._enough is None or self._enough.is_set():
                    return
            end = start + FRAME_SAMPLES
            await asyncio.sleep(max(0.0, began_s + end / RATE_HZ / self._speed - loop.time()))
            pcm = self.speech.pcm(start, min(end, max(start, self.speech.length_samples)))
            yield Frame(pcm.ljust(FRAME_SAMPLES * SAMPLE_BYTES, b"\0"), start, RATE_HZ)
            start = end

    def stop(self) -> None:
        self._stopped = True

    def notices(self) -> list[str]:
        return []


class Silent:
    """A source that has ended."""

    live = False
    can_wait = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        nothing: tuple[Frame, ...] = ()
        for frame in nothing:
            yield frame

    def stop(self) -> None: ...

    def notices(self) -> list[str]:
        return []


class Ledger:
    """A sink that keeps what matters here."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.reconnections: list[Reconnected] = []
        self.notices: list[str] = []

    def take(self, report: Report) -> None:
        if isinstance(report, Heard) and not report.sentence.unconfirmed:
            self.sentences.append(report.sentence)
        elif isinstance(report, Reconnected):
            self.reconnections.append(report)
        elif isinstance(report, Notice):
            self.notices.append(report.text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one session.

    Attributes:
        score: The words.
        faults: How many happened.
        counts: How many of each kind.
        reconnections: How often the service was found again.
        recoveries: How often the run had to be finished afterwards.
        wrong_times: Sentences that are not where they were said.
        story: What happened, for a message.
    """

    score: Score
    faults: int
    counts: dict[str, int]
    reconnections: int
    recoveries: int
    wrong_times: int
    story: str

    @property
    def is_perfect(self) -> bool:
        """No word is lost, repeated, out of order or misplaced."""
        return self.score.is_perfect and not self.wrong_times


async def disturbed_session(
    seed: int,
    *,
    length_s: float = 30.0,
    faults: int = 10,
    pace_s: float = 0.7,
    speed: float = 5.0,
    engine: CodedEngine | None = None,
    spool: Spool | None = None,
) -> Outcome:
    """Listen once, through so many faults."""
    speech = CodedSpeech(length_s, seed)
    engine = engine or CodedEngine()
    plan = Faults(seed, faults, pace_s=pace_s)
    async with (
        running(engine, limits=Limits(streams_per_key=None)) as url,
        FaultProxy("127.0.0.1", urlsplit(url).port or 0, plan) as proxy,
    ):
        enough = asyncio.Event()
        microphone = Microphone(speech, speed, enough)
        ledger = Ledger()
        watching = asyncio.create_task(_until_done(proxy, microphone, enough))
        try:
            recoveries = await _listen(microphone, proxy, ledger, seed, spool)
        finally:
            watching.cancel()
        heard = ledger.sentences
        told = [
            f"{sentence.start_s:.2f} to {sentence.end_s:.2f}: {sentence.text}" for sentence in heard
        ]
        return Outcome(
            score([sentence.text for sentence in heard], list(speech.expected_words)),
            len(proxy.injected),
            dict(proxy.counts),
            len(ledger.reconnections),
            recoveries,
            0 if not engine.times else _misplaced(heard, speech),
            "\n".join([f"seed {seed}", proxy.story(), *ledger.notices, *told]),
        )


async def _until_done(
    proxy: FaultProxy, microphone: Microphone, enough: asyncio.Event, limit_s: float = 60.0
) -> None:
    """End the silence when the plan is worked off; what then still waits for its chance is let
    go, and nothing is held any longer.
    """
    await microphone.said.wait()
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    while not proxy.is_done and loop.time() < until_s:
        await asyncio.sleep(0.05)
    proxy.calm()
    enough.set()


async def _listen(
    microphone: Microphone, proxy: FaultProxy, ledger: Ledger, seed: int, spool: Spool | None
) -> int:
    """Listen; and finish what was not, as ``sayd recover`` does. Gives how often that was."""
    kept = spool or MemorySpool(RATE_HZ)
    for attempt in range(_RECOVERIES):
        listening = Listening(
            microphone if attempt == 0 else Silent(),
            _service(proxy.url),
            kept,
            settings=SessionSettings(),
            rules=Rules(start_patience_s=30.0),
            sink=ledger,
            stop=StopSignal(),
            random=Random(seed),
            heard=tuple(ledger.sentences),
        )
        try:
            await listening.run()
        except SaydError as exc:
            ledger.notices.append(f"ended: {exc.message}")
            if not exc.retryable and exc.exit_status != 7:
                raise
        else:
            return attempt
    raise AssertionError(f"never finished:\n{proxy.story()}")


@asynccontextmanager
async def _service(url: str) -> AsyncIterator[Service]:
    yield Service(BackendName.CLOUD, url, Secret(KEY))


def _misplaced(heard: list[Sentence], speech: CodedSpeech) -> int:
    """How many sentences begin elsewhere than their first word was said, or end elsewhere."""
    places = {word.text: word for word in speech.words()}
    wrong = 0
    for sentence in heard:
        first, last = (places.get(sentence.text.strip(".").split()[at]) for at in (0, -1))
        if first is None or last is None:
            wrong += 1
            continue
        begins = abs(sentence.start_s - first.start_sample / RATE_HZ) < 0.2
        ends = abs(sentence.end_s - last.end_sample / RATE_HZ) < 0.2
        wrong += not (begins and ends)
    return wrong
