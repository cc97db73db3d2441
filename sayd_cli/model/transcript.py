"""What was heard: sentences, and the transcript they make."""

from __future__ import annotations

from dataclasses import dataclass

from sayd_cli.model.events import Partial


@dataclass(frozen=True, slots=True)
class Sentence:
    """One final sentence, with its place in time.

    Attributes:
        index: Its number in the transcript, from 0.
        text: What was said.
        start_s: Seconds from the first captured sample to its beginning.
        end_s: Seconds from the first captured sample to its end.
        approximate: The times were derived from the count of samples sent, not given.
        confidence: 0 to 1, where the service gives one.
        language: A language tag, where the service gives one.
        unconfirmed: The service never confirmed it: the last interim text before a loss.
    """

    index: int
    text: str
    start_s: float
    end_s: float
    approximate: bool = False
    confidence: float | None = None
    language: str | None = None
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything heard so far: the sentences, and the interim text after them, if any."""

    sentences: tuple[Sentence, ...] = ()
    partial: Partial | None = None

    @property
    def end_s(self) -> float:
        """Where its last sentence ends, in seconds; 0 before the first."""
        return self.sentences[-1].end_s if self.sentences else 0.0

    @property
    def word_count(self) -> int:
        """Words separated by white space, over all sentences."""
        return sum(len(sentence.text.split()) for sentence in self.sentences)
