"""An engine that hears coded speech, exactly, and can be told to be late, slow or to break.

``Decoding`` is the pure part: samples in, events out, each with the position at which it is known.
``CodedEngine`` fits ``sayd_cli.engine.port``. Hearing depends on the audio fed alone: what is fed
twice is heard twice, what is not fed is not heard.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sayd_cli.errors import SaydError
from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.model.events import Final, Partial
from tests.faults.speech import PAUSE_S, WORD_S, word_text

SENTENCE_MAX_S = 15.0
"""A sentence that has no pause for so long ends at its next word."""

EVENTS_MAX = 1024
"""Events that wait to be taken before ``feed`` waits too, as a client that does not read makes it;
of coded speech that is minutes."""


@dataclass(frozen=True, slots=True)
class Known:
    """An event, and the count of samples after which it is known."""

    event: Partial | Final
    at_sample: int


class Decoding:
    """One stream's samples to words.

    A word is heard when its last sample has passed. Of a word that is cut, at least half must be
    there; of samples of one value that last for one and a half words or more, two are heard, and
    so on. A sentence ends after half a pause, at 15 s, or with the stream.
    """

    def __init__(
        self, word_s: float, pause_s: float, sample_rate_hz: int, text: Sequence[str] = ()
    ) -> None:
        self._text = text
        self._rate_hz = sample_rate_hz
        self._word_samples = round(word_s * sample_rate_hz)
        self._pause_samples = max(1, round(pause_s * sample_rate_hz) // 2)
        self._sentence_samples = round(SENTENCE_MAX_S * sample_rate_hz)
        self._words: list[str] = []
        self._start_sample = 0
        self._end_sample = 0
        self._value = 0
        self._run_start_sample = 0
        self.position = 0
        """Samples taken."""

    def take(self, pcm: bytes) -> list[Known]:
        """What is known after these samples and was not before."""
        samples = np.frombuffer(pcm, dtype="<i2")
        known: list[Known] = []
        if not samples.size:
            return known
        changes = np.flatnonzero(samples[1:] != samples[:-1]) + 1
        starts = [0, *changes.tolist()]
        values = samples[starts].tolist()
        ends = [*starts[1:], samples.size]
        begin = self.position
        for value, start, end in zip(values, starts, ends, strict=True):
            if value != self._value:
                self._end_run(begin + start, known)
                self._value = value
                self._run_start_sample = begin + start
            self.position = begin + end
            if not value:
                self._mark_pause(known)
        return known

    def finish(self) -> list[Known]:
        """What is known once no more samples come."""
        known: list[Known] = []
        self._end_run(self.position, known)
        self._value = 0
        self._run_start_sample = self.position
        self._end_sentence(self.position, known)
        return known

    def _end_run(self, at_sample: int, known: list[Known]) -> None:
        if not self._value:
            return
        length = at_sample - self._run_start_sample
        times = (2 * length + self._word_samples) // (2 * self._word_samples)
        for n in range(times):
            start = self._run_start_sample + n * self._word_samples
            if not self._words:
                self._start_sample = start
            self._words.append(word_text(self._value, self._text))
            self._end_sample = at_sample if n == times - 1 else start + self._word_samples
            known.append(Known(Partial(*self._sentence()), at_sample))
            if self._end_sample - self._start_sample >= self._sentence_samples:
                self._end_sentence(at_sample, known)

    def _mark_pause(self, known: list[Known]) -> None:
        at_sample = self._run_start_sample + self._pause_samples
        if at_sample <= self.position:
            self._end_sentence(at_sample, known)

    def _end_sentence(self, at_sample: int, known: list[Known]) -> None:
        if self._words:
            known.append(Known(Final(*self._sentence()), at_sample))
            self._words = []

    def _sentence(self) -> tuple[str, float, float]:
        return (
            " ".join(self._words),
            self._start_sample / self._rate_hz,
            self._end_sample / self._rate_hz,
        )


class CodedEngine:
    """Fits ``Engine``: hears coded speech.

    The attributes may be changed at any time; they hold for streams opened from then on.

    Args:
        word_s: Length of a word of the speech, in seconds.
        pause_s: Length of its pauses, in seconds.
        text: The words that it says.
        times: Whether events have times.
        delay_s: A final comes when so many more seconds of audio have, or the stream's end. What
            is heard after it waits behind it.
        speed: Seconds of audio that are taken in a second; None is as fast as they come.
        fail_every: Every stream breaks after so many finals; None is never.
    """

    name = "coded"
    languages: tuple[str, ...] = ("en",)

    def __init__(
        self,
        word_s: float = WORD_S,
        pause_s: float = PAUSE_S,
        *,
        text: Sequence[str] = (),
        times: bool = True,
        delay_s: float = 0.0,
        speed: float | None = None,
        fail_every: int | None = None,
    ) -> None:
        self.word_s = word_s
        self.pause_s = pause_s
        self.text = text
        self.times = times
        self.delay_s = delay_s
        self.speed = speed
        self.fail_every = fail_every
        self.opened = 0
        """Streams opened so far."""
        self.open_now = 0
        """Streams not closed yet."""

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to give back."""

    def open_stream(self, sample_rate_hz: int) -> CodedStream:
        """A new, independent stream."""
        return CodedStream(self, sample_rate_hz)


class CodedStream:
    """Fits ``EngineStream``."""

    def __init__(self, engine: CodedEngine, sample_rate_hz: int) -> None:
        self._engine = engine
        self._rate_hz = sample_rate_hz
        self._times = engine.times
        self._delay_samples = round(engine.delay_s * sample_rate_hz)
        self._speed = engine.speed
        self._fail_every = engine.fail_every
        self._decoding = Decoding(engine.word_s, engine.pause_s, sample_rate_hz, engine.text)
        self._late: deque[Known] = deque()
        """Known, and not to be told yet: at most what ``delay_s`` of audio hold."""
        self._events: deque[Partial | Final] = deque()
        """Bounded by ``EVENTS_MAX`` and what one ``feed`` or ``finish`` gives."""
        self._changed = asyncio.Condition()
        self._finished = False
        self._closed = False
        self._free_at_s = 0.0
        engine.opened += 1
        engine.open_now += 1

    async def feed(self, pcm: bytes) -> None:
        """Take audio, at the engine's speed."""
        if self._speed is not None:
            now_s = asyncio.get_running_loop().time()
            audio_s = len(pcm) / SAMPLE_BYTES / self._rate_hz
            self._free_at_s = max(self._free_at_s, now_s) + audio_s / self._speed
            await asyncio.sleep(self._free_at_s - now_s)
        if self._closed or self._finished:
            return
        self._late += self._decoding.take(pcm)
        if not self._late:
            return
        self._tell(self._decoding.position - self._delay_samples)
        async with self._changed:
            self._changed.notify_all()
            await self._changed.wait_for(lambda: len(self._events) < EVENTS_MAX or self._closed)

    async def finish(self) -> None:
        """No more audio will come."""
        if self._closed or self._finished:
            return
        self._finished = True
        self._late += self._decoding.finish()
        self._tell(self._decoding.position)
        await self._notify()

    async def events(self) -> AsyncIterator[Partial | Final]:
        """What is heard.

        Raises:
            SaydError: The engine broke, as it was told to.
        """
        finals = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._events or self._finished or self._closed)
            if not self._events:
                return
            event = self._events.popleft()
            await self._notify()
            yield event
            if isinstance(event, Final):
                finals += 1
                if finals == self._fail_every:
                    raise SaydError("the coded engine broke, as it was told to")

    async def close(self) -> None:
        """Give up the rest."""
        if self._closed:
            return
        self._closed = True
        self._engine.open_now -= 1
        self._late.clear()
        self._events.clear()
        await self._notify()

    def _tell(self, until_sample: int) -> None:
        """Let out what is known by then, in order; only finals are ever held back."""
        while self._late:
            event, at_sample = self._late[0].event, self._late[0].at_sample
            if isinstance(event, Final) and at_sample > until_sample:
                return
            self._late.popleft()
            self._events.append(event if self._times else replace(event, start_s=None, end_s=None))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
