"""Listening to coded speech over a line that fails, and what became of the words.

The real loop, transport, server and spool; only the microphone, the engine and the line are made
up. ``python -m tests.faults.long`` is the long run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol, Self
from urllib.parse import urlsplit

from sayd_cli.capture.ended import EndedSource
from sayd_cli.errors import SaydError, UnconfirmedError
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.ports import Source, Spool
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, Interruption
from sayd_cli.model.report import Heard, Notice, Phase, Progress, Reconnected, Report
from sayd_cli.model.secret import Secret
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.server.limits import Limits
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.transport.service import Service
from tests.faults.engine import CodedEngine
from tests.faults.plain import Plain
from tests.faults.plan import TRANSIENT, Duplicate, Fault, Faults, Reorder
from tests.faults.proxy import FaultProxy
from tests.faults.score import Score, score
from tests.faults.speech import TALE, CodedSpeech
from tests.server.running import KEY, running

RATE_HZ = 16000
FRAME_SAMPLES = RATE_HZ // 10
SILENCE_AFTER_S = 1.0
_RECOVERIES = 5


class Audible(Protocol):
    """What a microphone hears."""

    @property
    def length_samples(self) -> int: ...

    def pcm(self, start_sample: int, end_sample: int) -> bytes: ...


class Microphone:
    """Speech at a multiple of its pace; silence after it, until ``enough``.

    Args:
        speech: What is said.
        speed: How much faster than it was spoken.
        enough: Ends the silence after the speech.
    """

    live = True
    can_wait = False

    def __init__(self, speech: Audible, speed: float, enough: asyncio.Event | None = None) -> None:
        self.said = asyncio.Event()
        """Everything is said."""
        self._speech = speech
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
        spoken = self._speech.length_samples
        last = spoken + round(SILENCE_AFTER_S * RATE_HZ)
        while not self._stopped:
            if start >= last:
                self.said.set()
                if self._enough is None or self._enough.is_set():
                    return
            end = start + FRAME_SAMPLES
            await asyncio.sleep(max(0.0, began_s + end / RATE_HZ / self._speed - loop.time()))
            pcm = self._speech.pcm(start, min(end, max(start, spoken)))
            yield Frame(pcm.ljust(FRAME_SAMPLES * SAMPLE_BYTES, b"\0"), start, RATE_HZ)
            start = end

    def stop(self) -> None:
        self._stopped = True

    def notices(self) -> list[str]:
        return []


class Ledger:
    """A sink that keeps what matters here."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.reconnections: list[Reconnected] = []
        self.notices: list[str] = []
        self.ended = ""
        """The errors with which runs ended."""
        self.progress: Progress | None = None
        """The last."""
        self.lag_s = 0.0
        """The most audio that was captured and not sent."""
        self.heard = asyncio.Event()
        """There is a sentence."""
        self.lost = asyncio.Event()
        """The loop has found that it has no connection."""

    def take(self, report: Report) -> None:
        match report:
            case Heard(sentence) if not sentence.unconfirmed:
                self.sentences.append(sentence)
                self.heard.set()
            case Reconnected():
                self.reconnections.append(report)
            case Notice(text):
                self.notices.append(text)
            case Progress():
                self.progress = report
                self.lag_s = max(self.lag_s, report.captured_s - report.sent_s)
                if report.phase is Phase.RECONNECTING:
                    self.lost.set()
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which a session is held.

    Attributes:
        length_s: How long is spoken, in seconds.
        speed: How much faster than that.
        faults: How many there are.
        kinds: Which kinds of them.
        pace_s: What they are measured by, as in ``Faults``.
        resume_s: How long the server keeps a stream whose client was lost; with 0 every outage
            takes a new session, and what is not confirmed is sent again.
        plain: The server does no more than the Listen API promises.
        times: The engine gives times.
        text: What is said, again and again; without, each word is another. Only without times:
            where a sentence belongs is told by its words.
        delay_s: By how many seconds of audio its sentences come late.
        hears_s: How many seconds of audio it takes in a second; None is any number.
        fail_every: It breaks after so many sentences of a stream; None is never.
    """

    length_s: float = 30.0
    speed: float = 5.0
    faults: int = 10
    kinds: tuple[type[Fault], ...] = TRANSIENT
    pace_s: float = 0.7
    resume_s: float = 30.0
    plain: Plain | None = None
    times: bool = True
    text: tuple[str, ...] = ()
    delay_s: float = 0.0
    hears_s: float | None = None
    fail_every: int | None = None

    @classmethod
    def drawn(cls, seed: int, faults: int = 10) -> Conditions:
        """Some of those under which nothing may go wrong, as the seed decides."""
        draw = Random(seed)
        plain, times = draw.choice((None, None, *Plain)), draw.random() < 0.7
        return cls(
            text=() if times or seed % 2 else TALE,
            faults=faults,
            # Without numbers, a sentence that comes twice was said twice.
            kinds=tuple(kind for kind in TRANSIENT if not (plain and kind in (Duplicate, Reorder))),
            resume_s=draw.choice((0.0, 30.0)),
            plain=plain,
            times=times,
            delay_s=draw.choice((0.0, 0.0, 2.0)),
            # Without times, more sentences than these are sent again, so it would break on them
            # again and again.
            fail_every=draw.choice((None, None, 5)) if times else None,
        )

    def engine(self) -> CodedEngine:
        """One that hears so."""
        return CodedEngine(
            text=self.text,
            times=self.times,
            delay_s=self.delay_s,
            speed=self.hears_s,
            fail_every=self.fail_every,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one session.

    Attributes:
        score: What became of the words.
        words: How many were said.
        faults: How many happened.
        counts: How many of each kind.
        reconnections: How often the service was found again.
        recoveries: How often the run had to be finished afterwards.
        ended: What it ended with before that.
        wrong_times: Sentences that are not where they were said.
        lag_s: The most audio that waited to be sent.
        story: What happened, for a message.
    """

    score: Score
    words: int
    faults: int
    counts: Counter[str]
    reconnections: int
    recoveries: int
    ended: str
    wrong_times: int
    lag_s: float
    story: str

    @property
    def is_perfect(self) -> bool:
        """No word is lost, repeated, out of order or misplaced."""
        return self.score.is_perfect and not self.wrong_times

    def explain(self) -> str:
        """What is wrong, and all that happened."""
        return f"{self.score.explain()}\n{self.wrong_times} misplaced\n{self.story}"


async def disturbed_session(
    seed: int, conditions: Conditions | None = None, *, spool: Spool | None = None
) -> Outcome:
    """Listen once, to speech and through faults that the seed decides."""
    conditions = conditions or Conditions()
    speech = CodedSpeech(conditions.length_s, seed, text=conditions.text)
    plan = Faults(seed, conditions.faults, conditions.kinds, conditions.pace_s)
    limits = Limits(streams_per_key=None, resume_s=conditions.resume_s)
    async with (
        running(conditions.engine(), limits=limits) as url,
        FaultProxy("127.0.0.1", urlsplit(url).port or 0, plan, plain=conditions.plain) as proxy,
    ):
        enough = asyncio.Event()
        microphone = Microphone(speech, conditions.speed, enough)
        ledger = Ledger()
        watching = asyncio.create_task(until_done(proxy, microphone, enough))
        try:
            recoveries = await listen(microphone, proxy, ledger, Random(seed), spool)
        finally:
            watching.cancel()
        heard = ledger.sentences
        told = [
            f"{sentence.start_s:.2f} to {sentence.end_s:.2f}: {sentence.text}" for sentence in heard
        ]
        return Outcome(
            score([sentence.text for sentence in heard], speech.expected_words),
            speech.word_count,
            len(proxy.injected),
            proxy.counts,
            len(ledger.reconnections),
            recoveries,
            ledger.ended,
            _misplaced(heard, speech, conditions.plain) if conditions.times else 0,
            ledger.lag_s,
            "\n".join(
                [f"seed {seed}, {conditions}", proxy.story(), *ledger.notices, ledger.ended, *told]
            ),
        )


async def until_done(
    proxy: FaultProxy, microphone: Microphone, enough: asyncio.Event, limit_s: float = 60.0
) -> None:
    """End the silence when the plan is worked off; what then still waits for its chance is let
    go, and nothing is held any longer.
    """
    await microphone.said.wait()
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    while not proxy.is_done and loop.time() < until_s:  # noqa: ASYNC110 - a proxy has no event
        await asyncio.sleep(0.05)
    proxy.calm()
    enough.set()


async def listen(
    microphone: Source,
    proxy: FaultProxy,
    ledger: Ledger,
    random: Random,
    spool: Spool | None = None,
) -> int:
    """Listen; and finish what was not, as ``sayd recover`` does. Gives how often that was."""
    kept = spool or MemorySpool(RATE_HZ)
    for attempt in range(_RECOVERIES):
        listening = Listening(
            microphone if attempt == 0 else EndedSource(),
            service_at(proxy.url),
            kept,
            settings=SessionSettings(),
            rules=Rules(start_patience_s=30.0),
            sink=ledger,
            stop=StopSignal(),
            random=random,
            heard=tuple(ledger.sentences),
        )
        try:
            await listening.run()
        except SaydError as exc:
            ledger.ended += f"{exc.message}\n"
            if not exc.retryable and not isinstance(exc, UnconfirmedError):
                raise AssertionError(f"{exc.message}\n{proxy.story()}") from exc
        else:
            return attempt
    raise AssertionError(f"never finished:\n{proxy.story()}")


@asynccontextmanager
async def service_at(url: str) -> AsyncIterator[Service]:
    """The service behind that URL, as the cloud is reached."""
    yield Service(BackendName.CLOUD, url, Secret(KEY))


def _misplaced(heard: list[Sentence], speech: CodedSpeech, plain: Plain | None) -> int:
    """How many sentences begin elsewhere than their first word was said, or end elsewhere.

    On a server that takes a stream's URL twice and does not say how it counts then, a sentence may
    be said to be placed approximately: it lies within its times.
    """
    places = {word.text: word for word in speech.words()}
    wrong = 0
    for sentence in heard:
        first, last = (places.get(sentence.text.strip(".").split()[at]) for at in (0, -1))
        if first is None or last is None:
            wrong += 1
            continue
        early_s = first.start_sample / RATE_HZ - sentence.start_s
        late_s = sentence.end_s - last.end_sample / RATE_HZ
        if sentence.approximate and plain is Plain.ANEW:
            early_s, late_s = min(early_s, 0.0), min(late_s, 0.0)
        wrong += not (abs(early_s) < 0.2 and abs(late_s) < 0.2)
    return wrong
