"""Words, as the search compares them, and queries made of them.

Owns what a word is: a run of letters and digits, without regard to case, accents and width; in
writing that puts no spaces between words (Chinese, Japanese, Thai), and in Korean, whose particles
cling to words, each character is one. So a query of two Chinese characters is a phrase of two
words, and is found wherever they stand together. Refuses to know SQL.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sayd_cli.model.match import Span

_ASCII_WORD = re.compile("[0-9A-Za-z]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_JOINERS = "\u00ad\u200c\u200d"
"""The soft hyphen and the zero-width joiners: they stand within words, and are no part of them."""

# Thai and Lao, Myanmar, Hangul's letters, Khmer, kana and Bopomofo, Han, Hangul, Han again, kana
# of half width and Hangul's letters, historic kana, Han of the supplementary planes.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)

_QUOTED_OR_NOT = re.compile('"([^"]*)"|([^\\s"]+)')


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Attributes:
        folded: As it is compared: letters, digits and their marks, never empty.
        span: Where it stands.
    """

    folded: str
    span: Span


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: each of the phrases, in any order.

    Attributes:
        phrases: Runs of folded words that follow on each other; none is empty.
    """

    phrases: tuple[tuple[str, ...], ...]


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    if text.isascii():
        found = _ASCII_WORD.finditer(text)
        return [Word(word[0].lower(), Span(*word.span())) for word in found]
    spans = (Span(*span) for span in _spans(text))
    folded = ((_folded(text[span.start : span.end]), span) for span in spans)
    return [Word(word, span) for word, span in folded if word]


def indexed(text: str) -> str:
    """The words of a text with spaces between; what is to be found in an index of words."""
    return " ".join(word.folded for word in words(text))


def parse_query(text: str) -> Query:
    """What the user looks for: all the words, and what stands in quotation marks as a phrase.

    Nothing in it is an operator, and any text is a query; one without a letter or digit has no
    phrases. Marks within a word part it as they do in the text: ``don't`` is a phrase of two.
    """
    parts = (quoted or word for quoted, word in _QUOTED_OR_NOT.findall(text))
    phrases = (tuple(word.folded for word in words(part)) for part in parts)
    return Query(tuple(dict.fromkeys(phrase for phrase in phrases if phrase)))


def find(query: Query, text: str) -> tuple[Span, ...]:
    """Where the phrases stand in a text, in order and without overlap; nothing unless all do."""
    there = words(text)
    folded = [word.folded for word in there]
    found: list[Span] = []
    for phrase in query.phrases:
        places = list(_places(phrase, folded))
        if not places:
            return ()
        last = len(phrase) - 1
        found += (Span(there[at].span.start, there[at + last].span.end) for at in places)
    return tuple(_merged(found))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start: int | None = None
    alone = False
    for place, character in enumerate(text):
        if character.isalnum():
            unspaced = _UNSPACED.match(character) is not None
            if start is not None and (alone or unspaced):
                yield start, place
                start = None
            start, alone = place if start is None else start, unspaced
        elif start is not None and not _clings(character):
            yield start, place
            start = None
    if start is not None:
        yield start, len(text)


def _clings(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character in _JOINERS


def _folded(word: str) -> str:
    bare = _ACCENT.sub("", unicodedata.normalize("NFKD", word)).casefold()
    # Some characters are whole formulas, as U+2474, which is "(1)" in small.
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", bare)
        if character.isalnum() or unicodedata.category(character).startswith("M")
    )


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
