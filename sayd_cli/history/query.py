"""Queries, and where in a text they are met.

A query of two Chinese characters is a phrase of two words, and is found wherever they stand
together. Refuses to know SQL, and what a word is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sayd_cli.model.match import Span
from sayd_cli.transcript.words import words_of

_QUOTED_OR_NOT = re.compile('"([^"]*)"|([^\\s"]+)')


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: each of the phrases, in any order.

    Attributes:
        phrases: Runs of folded words that follow on each other; none is empty.
    """

    phrases: tuple[tuple[str, ...], ...]


def indexed(text: str) -> str:
    """The words of a text with spaces between; what is to be found in an index of words."""
    return " ".join(word.folded for word in words_of(text))


def parse_query(text: str) -> Query:
    """What the user looks for: all the words, and what stands in quotation marks as a phrase.

    Nothing in it is an operator, and any text is a query; one without a letter or digit has no
    phrases. Marks within a word part it as they do in the text: ``don't`` is a phrase of two.
    """
    parts = (quoted or word for quoted, word in _QUOTED_OR_NOT.findall(text))
    phrases = (tuple(word.folded for word in words_of(part)) for part in parts)
    return Query(tuple(dict.fromkeys(phrase for phrase in phrases if phrase)))


def find(query: Query, text: str) -> tuple[Span, ...]:
    """Where the phrases stand in a text, in order and without overlap; nothing unless all do."""
    there = list(words_of(text))
    folded = [word.folded for word in there]
    found: list[Span] = []
    for phrase in query.phrases:
        places = list(_places(phrase, folded))
        if not places:
            return ()
        last = len(phrase) - 1
        found += (Span(there[at].span.start, there[at + last].span.end) for at in places)
    return tuple(_merged(found))


def _places(phrase: Sequence[str], folded: Sequence[str]) -> Iterator[int]:
    size = len(phrase)
    for place in range(len(folded) - size + 1):
        if folded[place] == phrase[0] and tuple(folded[place : place + size]) == phrase:
            yield place


def _merged(spans: Sequence[Span]) -> Iterator[Span]:
    current: Span | None = None
    for span in sorted(spans, key=lambda span: span.start):
        if current is None or span.start >= current.end:
            if current is not None:
                yield current
            current = span
        else:
            current = Span(current.start, max(current.end, span.end))
    if current is not None:
        yield current
