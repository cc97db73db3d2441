"""An engine whose words are known in advance: which ones depends on the sample count alone.

Word number k is spoken from second k / words_per_second on; it is heard when its last sample was
fed. Every ``words_per_sentence`` words make a sentence; the others are interim until ``finish``
makes a last sentence of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.model.events import Final, Partial


class ScriptedEngine:
    """Fits ``engine.port.Engine``.

    Args:
        words_per_second: How fast it is spoken.
        words_per_sentence: After how many words a sentence is final.
        languages: What it says it knows.
        start_error: Raised by ``start``.
        start_gate: ``start`` waits for it.
        feed_gate: Every ``feed`` waits for it.
        fail_after_words: The stream's events raise when this word was heard.
        keep_audio: Streams remember what they were fed.
    """

    name = "scripted"

    def __init__(
        self,
        words_per_second: float = 2.0,
        words_per_sentence: int = 4,
        *,
        languages: tuple[str, ...] = ("en",),
        start_error: Exception | None = None,
        start_gate: asyncio.Event | None = None,
        feed_gate: asyncio.Event | None = None,
        fail_after_words: int | None = None,
        keep_audio: bool = False,
    ) -> None:
        self.words_per_second = words_per_second
        self.words_per_sentence = words_per_sentence
        self.languages = languages
        self.start_error = start_error
        self.start_gate = start_gate
        self.feed_gate = feed_gate
        self.fail_after_words = fail_after_words
        self.keep_audio = keep_audio
        self.started = False
        self.closed = False
        self.streams: list[ScriptedStream] = []

    async def start(self) -> None:
        if self.start_gate is not None:
            await self.start_gate.wait()
        if self.start_error is not None:
            raise self.start_error
        self.started = True

    async def close(self) -> None:
        assert all(stream.closed for stream in self.streams)
        self.closed = True

    def open_stream(self, sample_rate_hz: int) -> ScriptedStream:
        assert self.started
        assert not self.closed
        stream = ScriptedStream(self, sample_rate_hz)
        self.streams.append(stream)
        return stream

    def sentences(self, duration_s: float) -> list[Final]:
        """The sentences of so many seconds of audio, as a stream gives them."""
        words = int(duration_s * self.words_per_second)
        firsts = range(0, words, self.words_per_sentence)
        return [self._final(first, min(first + self.words_per_sentence, words)) for first in firsts]

    def texts(self, duration_s: float) -> list[str]:
        """Their texts."""
        return [sentence.text for sentence in self.sentences(duration_s)]

    def _final(self, first: int, end: int) -> Final:
        return Final(self.text(first, end) + ".", self._second(first), self._second(end))

    def _partial(self, first: int, end: int) -> Partial:
        return Partial(self.text(first, end), self._second(first), self._second(end))

    def text(self, first: int, end: int) -> str:
        """The words from number ``first`` up to ``end``."""
        return " ".join(f"word{number}" for number in range(first, end))

    def _second(self, word: int) -> float:
        return word / self.words_per_second


class ScriptedStream:
    """Fits ``engine.port.EngineStream``."""

    def __init__(self, engine: ScriptedEngine, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.fed_bytes = 0
        self.heard = bytearray()
        """What it was fed, where ``keep_audio`` is set."""
        self.finished = False
        self.closed = False
        self._engine = engine
        self._words = 0
        self._final_words = 0
        self._events: asyncio.Queue[Partial | Final | Exception | None] = asyncio.Queue()

    @property
    def events_left(self) -> int:
        """Events that nobody has taken yet."""
        return self._events.qsize()

    async def feed(self, pcm: bytes) -> None:
        assert not self.finished
        assert not self.closed
        assert pcm
        assert len(pcm) % SAMPLE_BYTES == 0
        engine = self._engine
        if engine.feed_gate is not None:
            await engine.feed_gate.wait()
        self.fed_bytes += len(pcm)
        if engine.keep_audio:
            self.heard += pcm
        fed_s = self.fed_bytes / SAMPLE_BYTES / self.sample_rate_hz
        while self._words < int(fed_s * engine.words_per_second):
            self._words += 1
            if self._words == engine.fail_after_words:
                self._events.put_nowait(RuntimeError("the model broke"))
            elif self._words - self._final_words == engine.words_per_sentence:
                self._finalize()
            else:
                self._events.put_nowait(engine._partial(self._final_words, self._words))

    async def finish(self) -> None:
        assert not self.finished
        self.finished = True
        if self._words > self._final_words:
            self._finalize()
        self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[Partial | Final]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def close(self) -> None:
        self.closed = True
        self._events.put_nowait(None)

    def _finalize(self) -> None:
        self._events.put_nowait(self._engine._final(self._final_words, self._words))
        self._final_words = self._words
