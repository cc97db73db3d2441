"""Texts as words that can be compared."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a character of a script without spaces.

    Attributes:
        key: As it compares with others: without case and punctuation.
        end: Where it ends in the text.
    """

    key: str
    end: int


def words_of(text: str) -> list[Word]:
    """The words; of Chinese and the like, the characters."""
    words: list[Word] = []
    word = ""
    for at, character in enumerate(text):
        kind = unicodedata.category(character)
        if kind == "Lo" and unicodedata.east_asian_width(character) == "W":
            if word:
                words.append(Word(word, at))
                word = ""
            words.append(Word(character, at + 1))
        elif kind[0] in "LMN":
            word += character.casefold()
        elif word and character not in "'\u2019":
            words.append(Word(word, at))
            word = ""
    if word:
        words.append(Word(word, len(text)))
    return words


def text_after(text: str, at: int) -> str:
    """The text from there on, without the punctuation of what was before."""
    while at < len(text) and unicodedata.category(text[at]) in ("Po", "Pd", "Pe", "Pf"):
        at += 1
    rest = text[at:].lstrip()
    # A dash, or what else stands alone.
    while (mark := rest.partition(" ")[0]) and all(unicodedata.category(c)[0] == "P" for c in mark):
        rest = rest[len(mark) :].lstrip()
    return rest
