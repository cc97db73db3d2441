"""Coded speech: audio whose words are known from its samples alone, wherever a stream begins.

Word number k is a stretch of samples that all have the value k + 1; between words of a sentence is
nothing, between sentences a pause of zeros. So any fragment tells which word it is of, and a word
that is lost or heard twice shows without a guess. The words may also be those of a text in which
the same ones come again. Owns where each word lies; who decodes it is ``engine``'s, what is right
``score``'s.

Only PCM16 carries it: no codec or resampling keeps the values.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from sayd_cli.model.audio import Frame

WORDS_MAX = 2**15 - 1
"""There are no more positive samples."""


WORD_S = 0.25
"""Length of a word, in seconds."""

PAUSE_S = 0.4
"""Length of the pause between two sentences, in seconds."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of coded speech; the positions are samples from its beginning."""

    text: str
    start_sample: int
    end_sample: int


_TALE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age "
    "of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the "
    "season of Light, it was the season of Darkness, it was the spring of hope, it was the winter "
    "of despair, we had everything before us, we had nothing before us, we were all going direct "
    "to Heaven, we were all going direct the other way. In short, the period was so far like the "
    "present period, that some of its noisiest authorities insisted on its being received, for "
    "good or for evil, in the superlative degree of comparison only. There were a king with a "
    "large jaw and a queen with a plain face, on the throne of England; there were a king with a "
    "large jaw and a queen with a fair face, on the throne of France. In both countries it was "
    "clearer than crystal to the lords of the State preserves of loaves and fishes, that things "
    "in general were settled for ever."
)
TALE = tuple(_TALE.split())
"""The beginning of A Tale of Two Cities (Dickens, 1859): people do repeat themselves."""


def word_text(value: int, text: Sequence[str] = ()) -> str:
    """The text of the word whose samples have this value.

    Args:
        value: Of the samples.
        text: The words that are said, again and again; without, each has one of its own.
    """
    return text[(value - 1) % len(text)] if text else f"w{value - 1}"


class CodedSpeech:
    """A length of coded speech; it is made when it is asked for, so hours of it need no memory.

    As many whole words as fit are spoken; what is left at the end, less than a word or a pause and
    a word, is silent.

    Args:
        length_s: Its length, in seconds.
        seed: Which lengths the sentences have.
        word_s: Length of a word, in seconds.
        pause_s: Length of the pause between two sentences, in seconds.
        words_per_sentence: The fewest and the most.
        text: The words that are said, again and again; without, each is another.
        sample_rate_hz: Samples a second.

    Raises:
        ValueError: So many words cannot be told apart; longer words or pauses help.
    """

    def __init__(
        self,
        length_s: float,
        seed: int = 0,
        *,
        word_s: float = WORD_S,
        pause_s: float = PAUSE_S,
        words_per_sentence: tuple[int, int] = (1, 8),
        text: Sequence[str] = (),
        sample_rate_hz: int = 16000,
    ) -> None:
        self.word_s = word_s
        self.pause_s = pause_s
        self.text = text
        self.sample_rate_hz = sample_rate_hz
        self.length_samples = round(length_s * sample_rate_hz)
        self._word_samples = round(word_s * sample_rate_hz)
        self._starts = self._place_words(random.Random(seed), words_per_sentence)
        if len(self._starts) > WORDS_MAX:
            raise ValueError(f"{len(self._starts)} words; {WORDS_MAX} can be told apart")

    def _place_words(self, draw: random.Random, words_per_sentence: tuple[int, int]) -> list[int]:
        pause_samples = round(self.pause_s * self.sample_rate_hz)
        last_start = self.length_samples - self._word_samples
        starts: list[int] = []
        self.sentence_lengths: list[int] = []
        """Words in each sentence."""
        position = 0
        while position <= last_start:
            words = min(
                draw.randint(*words_per_sentence), (last_start - position) // self._word_samples + 1
            )
            starts += (position + n * self._word_samples for n in range(words))
            self.sentence_lengths.append(words)
            position = starts[-1] + self._word_samples + pause_samples
        return starts

    @property
    def length_s(self) -> float:
        """Its length, in seconds."""
        return self.length_samples / self.sample_rate_hz

    @property
    def word_count(self) -> int:
        """How many words it has."""
        return len(self._starts)

    @property
    def expected_words(self) -> tuple[str, ...]:
        """All its words."""
        return tuple(word_text(n + 1, self.text) for n in range(len(self._starts)))

    @property
    def expected_sentences(self) -> tuple[str, ...]:
        """All its sentences."""
        words = self.expected_words
        ends = list(accumulate(self.sentence_lengths))
        return tuple(
            " ".join(words[start:end]) for start, end in zip([0, *ends], ends, strict=False)
        )

    @property
    def expected_text(self) -> str:
        """All its words, with a space between two."""
        return " ".join(self.expected_words)

    def words(self, until_s: float | None = None) -> tuple[Word, ...]:
        """The words that have ended after so many seconds; all of them without a limit."""
        count = len(self._starts)
        if until_s is not None:
            until_sample = round(until_s * self.sample_rate_hz)
            count = bisect_right(self._starts, until_sample - self._word_samples)
        return tuple(
            Word(word_text(n + 1, self.text), start, start + self._word_samples)
            for n, start in enumerate(self._starts[:count])
        )

    def pcm(self, start_sample: int, end_sample: int) -> bytes:
        """PCM16 little-endian mono of a stretch; it stops where the speech does."""
        end_sample = min(end_sample, self.length_samples)
        first = max(0, bisect_right(self._starts, start_sample) - 1)
        last = bisect_left(self._starts, end_sample)
        starts = np.asarray(self._starts[first:last], dtype=np.int64)
        # Silence up to the first word, then by turns a word and what follows it up to the next.
        edges = np.empty(2 * len(starts) + 2, dtype=np.int64)
        edges[0], edges[-1] = start_sample, max(start_sample, end_sample)
        edges[1:-1:2] = starts
        edges[2:-1:2] = starts + self._word_samples
        values = np.zeros(len(edges) - 1, dtype="<i2")
        values[1::2] = np.arange(first + 1, first + len(starts) + 1)
        lengths = np.diff(edges.clip(edges[0], edges[-1]))
        return np.repeat(values, lengths).tobytes()

    def frames(self, frame_ms: int = 100, start_sample: int = 0) -> Iterator[Frame]:
        """All of it from a position on, in frames of so many ms; the last may be shorter."""
        step = frame_ms * self.sample_rate_hz // 1000
        for start in range(start_sample, self.length_samples, step):
            yield Frame(self.pcm(start, start + step), start, self.sample_rate_hz)
