"""What a search of the history finds."""

from __future__ import annotations

from dataclasses import dataclass

from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text.

    Attributes:
        start: Position of its first character, from 0.
        end: Position after its last character.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Match:
    """A sentence in which everything was found that was looked for.

    Attributes:
        session: In which session.
        short_id: The beginning of its name; as long as it takes to be the only one.
        sentence: What was said.
        spans: Where in its text; in order, without overlap, at least one.
    """

    session: SessionSummary
    short_id: str
    sentence: Sentence
    spans: tuple[Span, ...]
