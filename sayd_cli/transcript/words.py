"""Texts as words that can be compared: for the search, and for what is heard a second time.

Owns what a word is: a run of letters and digits, without regard to case, accents and width; in
writing that puts no spaces between words (Chinese, Japanese, Thai), and in Korean, whose particles
cling to words, each character is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Attributes:
        folded: As it is compared: letters, digits and their marks, never empty.
        span: Where it stands.
    """

    folded: str
    span: Span


def words_of(text: str) -> Iterator[Word]:
    """The words of a text, in order."""
    if text.isascii():
        for word in _ASCII_WORD.finditer(text):
            yield Word(word[0].lower(), Span(*word.span()))
        return
    for start, end in _spans(text):
        if folded := _folded(text[start:end]):
            yield Word(folded, Span(start, end))


def text_after(text: str, at: int) -> str:
    """The text from there on, without the punctuation of what was before."""
    while at < len(text) and unicodedata.category(text[at]) in ("Po", "Pd", "Pe", "Pf"):
        at += 1
    rest = text[at:].lstrip()
    # A dash, or what else stands alone.
    while (mark := rest.partition(" ")[0]) and all(unicodedata.category(c)[0] == "P" for c in mark):
        rest = rest[len(mark) :].lstrip()
    return rest


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
