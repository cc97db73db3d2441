"""Listening to real speech, through the real engine, over a line that fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from sayd_cli.engine.port import Engine
from sayd_cli.model.audio import SAMPLE_BYTES
from tests.engine.listening import hear
from tests.engine.references import BECKETT, TWO_CITIES
from tests.engine.signals import pcm16, speech
from tests.engine.wer import normalized_words, word_errors
from tests.faults.plain import Plain
from tests.faults.plan import TRANSIENT, Duplicate, Fault, Faults, Reorder
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.run import RATE_HZ, Ledger, Microphone, listen, until_done

SPEED = 2.0
"""How much faster than it was spoken it is said: two sessions at once, with what else a machine of
two cores has to do."""

PACE_S = 2.5

WITHOUT_NUMBERS: tuple[type[Fault], ...] = tuple(
    kind for kind in TRANSIENT if kind not in (Duplicate, Reorder)
)
"""Without numbers, a sentence that comes twice was said twice."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Real speech, and what is said in it. Fits ``Audible``."""

    audio: bytes
    reference: str

    @property
    def length_samples(self) -> int:
        """How long it is."""
        return len(self.audio) // SAMPLE_BYTES

    @property
    def words(self) -> int:
        """How many are said."""
        return len(normalized_words(self.reference))

    def pcm(self, start_sample: int, end_sample: int) -> bytes:
        """A stretch of it; it stops where it ends."""
        return self.audio[start_sample * SAMPLE_BYTES : end_sample * SAMPLE_BYTES]


def two_cities() -> Recording:
    """44 s, 119 words."""
    return Recording(pcm16(speech("two_cities.wav", RATE_HZ)), TWO_CITIES)


def both() -> Recording:
    """All recordings of the engine's package whose words are known, one after the other."""
    pause = bytes(RATE_HZ * SAMPLE_BYTES)
    beckett = pcm16(speech("beckett.wav", RATE_HZ))
    return Recording(two_cities().audio + pause + beckett, f"{TWO_CITIES} {BECKETT}")


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was heard.

    Attributes:
        text: All of it.
        errors: Word errors against what was said.
        words: How many words were said.
        counts: Faults of each kind.
        reconnections: How often the service was found again.
        plain: What kind of server it was.
        story: What happened, for a message.
    """

    text: str
    errors: int
    words: int
    counts: Counter[str]
    reconnections: int
    plain: bool
    story: str


async def errors_undisturbed(engine: Engine, recording: Recording) -> int:
    """Word errors of what the engine hears over no line at all, as fast as it can: its sentences
    depend on the audio alone.
    """
    return word_errors(recording.reference, (await hear(engine, recording.audio)).text)


async def real_session(
    url: str, recording: Recording, seed: int, faults: int, *, plain: bool
) -> Hearing:
    """Listen once, to a server at that URL that has the real engine.

    Args:
        url: The server's.
        recording: What is said.
        seed: Decides the faults.
        faults: How many.
        plain: The server does no more than the Listen API promises: every outage takes a new
            session.
    """
    plan = Faults(seed, faults, WITHOUT_NUMBERS if plain else TRANSIENT, PACE_S)
    ledger = Ledger()
    enough = asyncio.Event()
    microphone = Microphone(recording, SPEED, enough)
    async with FaultProxy(
        HOST, urlsplit(url).port or 0, plan, plain=Plain.ONCE if plain else None
    ) as proxy:
        watching = asyncio.create_task(until_done(proxy, microphone, enough))
        try:
            await listen(microphone, proxy, ledger, Random(seed))
        finally:
            watching.cancel()
    text = " ".join(sentence.text for sentence in ledger.sentences)
    told = [f"{each.start_s:.2f} to {each.end_s:.2f}: {each.text}" for each in ledger.sentences]
    return Hearing(
        text,
        word_errors(recording.reference, text),
        recording.words,
        proxy.counts,
        len(ledger.reconnections),
        plain,
        "\n".join([f"seed {seed}, plain {plain}", proxy.story(), *ledger.notices, *told]),
    )
