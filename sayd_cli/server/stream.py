"""One stream: audio in, sentences out, whoever is connected to it or nobody.

Owns the engine's stream and its two tasks, the count of samples taken, the numbers of sentences,
and how it ended. A sentence is in the archive before anybody can see it. Knows nothing of
connections: ``conversation`` brings audio, and takes away what is heard.

However the audio ends (``end``, a client that does not come back, a message that breaks the
protocol, the server stopping), what came before it is transcribed and kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, replace

from sayd_cli.engine.port import EngineStream
from sayd_cli.errors import SaydError
from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.model.events import Complete, Fault, Final, Partial
from sayd_cli.model.session import SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.server.archive import Archive
from sayd_cli.server.line import CLOSE_DONE, CLOSE_FAILED, CLOSE_LATER
from sayd_cli.server.payload import unpacker
from sayd_cli.server.resent import Resent, TakenAudio

_log = logging.getLogger(__name__)

_AT_HAND = 32
"""Sentences that are in memory for a client that reads them; older ones are in the archive."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the audio ended.

    Attributes:
        fault: What the client is told in place of ``complete``, if anything.
        close_code: How the connection is closed.
        abandoned: The client went without a word.
    """

    fault: Fault | None
    close_code: int
    abandoned: bool = False


DONE = Ending(None, CLOSE_DONE)
ABANDONED = Ending(None, CLOSE_DONE, abandoned=True)
STOPPING = Ending(Fault("the server is stopping"), CLOSE_LATER)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last word on a stream.

    Attributes:
        message: What the client is told.
        close_code: How the connection is closed after it.
    """

    message: Complete | Fault
    close_code: int


class Stream:
    """A session's audio through the engine, and its sentences into the archive.

    Calling order: ``run`` in a task of its own; meanwhile ``room`` and ``take`` from one connection
    at a time, then ``end``. ``news`` is set whenever ``count``, ``partial`` or ``outcome`` changed.

    Args:
        session_id: The session; it is in the archive.
        settings: Its rate and codec.
        audio: The engine's side; closed when ``run`` returns.
        archive: Where sentences are kept.
        languages: What the engine knows.
    """

    def __init__(
        self,
        session_id: str,
        settings: SessionSettings,
        audio: EngineStream,
        archive: Archive,
        languages: tuple[str, ...],
    ) -> None:
        self.session_id = session_id
        self.settings = settings
        self.taken_samples = 0
        """Samples that were taken; those that the engine was not fed yet will be."""
        self.count = 0
        """Sentences heard; they have the numbers below it."""
        self.partial: Partial | None = None
        """The last interim text after them."""
        self.ending: Ending | None = None
        self.outcome: Outcome | None = None
        """The last word, once all is transcribed."""
        self.said = 0
        """Sentences that a client was sent; it may not have got the last of them."""
        self.told = False
        """A client was sent the outcome."""
        self.news = asyncio.Event()
        self._audio = audio
        self._archive = archive
        self._languages = languages
        self._unpack = unpacker(settings)
        self._taken = TakenAudio(settings)
        self._heard_until_s = 0.0
        self._recent: deque[Final] = deque(maxlen=_AT_HAND)
        # One message; more would only be a second queue in front of the engine's.
        self._unfed = b""
        self._room = asyncio.Event()
        self._room.set()
        self._work = asyncio.Event()
        self._closed = False

    @property
    def taken_s(self) -> float:
        """Seconds of audio taken."""
        return self.taken_samples / self.settings.sample_rate_hz

    async def room(self) -> None:
        """Wait until audio can be taken, or never will be."""
        await self._room.wait()

    def take(self, payload: bytes) -> None:
        """Take a message's payload; there is ``room``. After the end it is ignored."""
        if self._closed:
            return
        if not self._room.is_set():
            raise RuntimeError("there is no room")
        self._taken.add(payload)
        pcm = self._unpack(payload)
        if pcm:
            self.taken_samples += len(pcm) // SAMPLE_BYTES
            self._unfed = pcm
            self._room.clear()
            self._work.set()

    def end(self, ending: Ending, *, in_flight: bool = False) -> None:
        """No more audio will come; the first reason counts.

        Args:
            ending: Why.
            in_flight: It may still for a moment, until ``end`` is called again.
        """
        if self.ending is None:
            self.ending = ending
        if not in_flight:
            self._closed = True
            self._work.set()

    def renew(self) -> None:
        """Audio that comes from now on is of an encoder that has just begun."""
        self._unpack = unpacker(self.settings)

    def resent(self) -> Resent:
        """Who tells what of a new connection's audio was taken before."""
        return self._taken.resent()

    async def sentences(self, first: int) -> list[Final]:
        """The sentences from number ``first`` on, in order.

        Raises:
            StorageError: The archive cannot be read.
        """
        missing = self.count - first
        if missing <= len(self._recent):
            return list(self._recent)[len(self._recent) - missing :] if missing > 0 else []
        count = self.count
        kept = await self._archive.ask(lambda store: store.sentences(self.session_id))
        return [_final(sentence) for sentence in kept if first <= sentence.index < count]

    async def run(self) -> None:
        """Until all is transcribed, or it failed: the ``outcome`` tells."""
        try:
            outcome = await self._run()
        except SaydError as exc:
            _log.error("a stream failed: %s", exc.message, exc_info=exc)
            outcome = Outcome(Fault(exc.message), CLOSE_FAILED)
        except Exception:  # noqa: BLE001 - the task's boundary
            _log.exception("a stream failed")
            outcome = Outcome(Fault("the server failed"), CLOSE_FAILED)
        finally:
            self._closed = True
            self._room.set()
            self._taken.clear()
        _log.info(
            "session %s: ended after %.1f s, %d sentences",
            self.session_id,
            self.taken_s,
            self.count,
        )
        self.outcome = outcome
        self.news.set()

    async def _run(self) -> Outcome:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed())
                tasks.create_task(self._listen())
        except BaseExceptionGroup as failures:
            # One of the two failed and the other was cancelled for it.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        finally:
            await self._audio.close()
        ending = self.ending
        assert ending is not None
        if self.taken_samples or not ending.abandoned:
            # Else nothing was begun, and the client may come again at any time.
            taken_s = self.taken_s
            await self._archive.ask(lambda store: store.finish(self.session_id, taken_s))
        complete = Complete(duration_ms=round(self.taken_s * 1000), sentences=self.count)
        return Outcome(ending.fault or complete, ending.close_code)

    async def _feed(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if self._unfed:
                await self._audio.feed(self._unfed)
                self._unfed = b""
                self._room.set()
            if self._closed:
                await self._audio.finish()
                return

    async def _listen(self) -> None:
        async for event in self._audio.events():
            if isinstance(event, Final):
                await self._keep(event)
            else:
                self.partial = event
            self.news.set()
        if not self._closed:
            raise SaydError("the engine stopped before the audio did")

    async def _keep(self, event: Final) -> None:
        sentence = self._sentence(event)
        await self._archive.ask(lambda store: store.add_sentence(self.session_id, sentence))
        self._recent.append(replace(event, index=sentence.index, language=sentence.language))
        self._heard_until_s = sentence.end_s
        self.partial = None
        self.count += 1

    def _sentence(self, event: Final) -> Sentence:
        """The engine's text, numbered; with times even where the engine gives none."""
        languages = self._languages
        return Sentence(
            index=self.count,
            text=event.text,
            start_s=self._heard_until_s if event.start_s is None else event.start_s,
            end_s=self.taken_s if event.end_s is None else event.end_s,
            approximate=event.start_s is None or event.end_s is None,
            confidence=event.confidence,
            language=event.language or (languages[0] if len(languages) == 1 else None),
        )


def _final(sentence: Sentence) -> Final:
    """As it was sent when it was heard: without times that the engine did not give."""
    return Final(
        sentence.text,
        None if sentence.approximate else sentence.start_s,
        None if sentence.approximate else sentence.end_s,
        sentence.index,
        sentence.confidence,
        sentence.language,
    )
