"""What is heard a second time, told from what is new by the words alone.

For services that give no times: after an outage, some audio is sent again whose words are known,
and nobody says where they end. The known words and the new ones are laid over each other as two
strings of which the end of the first is the beginning of the second (semi-global alignment: Smith
and Waterman's recurrence with free ends, J. Mol. Biol. 147, 1981).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_MATCH, _MISMATCH, _GAP = 2, -1, -1
_LEAST_SCORE = 3
"""Two words in a row, or most of a longer run: one word alone is often said twice. Where one word
is all that is heard, it is enough."""

_NEXT_SCORE = 2
"""Where it is known which word comes next, that word is enough."""

_STRAYS = 4
"""So many words may be heard that are not the known ones, before it is certain that those will not
come: audio that is sent again begins in the middle of a word, and then it is heard as another."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or a character of a script without spaces: where it ends in the text, and how it
    compares with others.
    """

    key: str
    end: int


class Overlap:
    """Takes sentences that are heard after an outage, and gives what is new of them.

    Args:
        known: The end of what was heard before; somewhat more than the audio that is sent again.
    """

    def __init__(self, known: str) -> None:
        self._known = [piece.key for piece in _pieces(known)]
        self._is_placed = False
        """Some of it was heard again, so it is known which word comes next."""
        self._strays = 0

    def remove(self, text: str) -> str:
        """The part of a final sentence that is new; the next one follows on it."""
        pieces = _pieces(text)
        if not self._known or not pieces:
            return text
        known_end, heard_end = self._match(pieces)
        if heard_end == 0:
            self._strays += len(pieces)
            if self._strays > _STRAYS:
                self._known = []
            return text
        self._is_placed = True
        if heard_end == len(pieces):
            self._known = self._known[known_end:]
            return ""
        # What follows on the match is new, so nothing known comes any more.
        self._known = []
        return _after(text, pieces[heard_end - 1].end)

    def peek(self, text: str) -> str:
        """The same of a text that may still change."""
        pieces = _pieces(text)
        if not self._known or not pieces:
            return text
        _, heard_end = self._match(pieces)
        if heard_end == len(pieces):
            return ""
        return _after(text, pieces[heard_end - 1].end) if heard_end else text

    def _match(self, pieces: list[_Piece]) -> tuple[int, int]:
        heard = [piece.key for piece in pieces]
        if self._is_placed:
            least = min(_NEXT_SCORE, _MATCH * len(heard) - 1)
        else:
            least = min(_LEAST_SCORE, _MATCH * len(heard))
        return _best(self._known, heard, least, is_placed=self._is_placed)


def _best(known: list[str], heard: list[str], least: int, *, is_placed: bool) -> tuple[int, int]:
    """Where the best overlap ends in both; (0, 0) when there is none.

    Either the known words are used up, or the heard ones are.

    Args:
        known: What may be heard.
        heard: What is heard.
        least: The score of the worst overlap that is one.
        is_placed: The first of the known words is expected.
    """
    rows, columns = len(known), len(heard)
    # Anything known may be left out before the overlap; nothing heard, since it begins in it.
    left_out = _GAP if is_placed else 0
    above = [column * _GAP for column in range(columns + 1)]
    best = (least - 1, 0, 0)
    for row in range(1, rows + 1):
        scores = [left_out] * (columns + 1)
        for column in range(1, columns + 1):
            same = known[row - 1] == heard[column - 1]
            scores[column] = max(
                above[column - 1] + (_MATCH if same else _MISMATCH),
                above[column] + _GAP,
                scores[column - 1] + _GAP,
            )
            is_end = row == rows or column == columns
            if is_end and scores[column] >= least:
                # Of equal ones the last: what is known twice was said twice, and rather a word
                # twice than none. But where it is known what comes next, that does.
                best = max(best, (scores[column], -row if is_placed else row, column))
        above = scores
    return abs(best[1]), best[2]


def _after(text: str, at: int) -> str:
    """The text from there on, without the punctuation of what was before."""
    while at < len(text) and unicodedata.category(text[at]) in ("Po", "Pd", "Pe", "Pf"):
        at += 1
    rest = text[at:].lstrip()
    # A dash, or what else stands alone.
    while (mark := rest.partition(" ")[0]) and all(unicodedata.category(c)[0] == "P" for c in mark):
        rest = rest[len(mark) :].lstrip()
    return rest


def _pieces(text: str) -> list[_Piece]:
    """The words, without case and punctuation; of Chinese and the like, the characters."""
    pieces: list[_Piece] = []
    word = ""
    for at, character in enumerate(text):
        kind = unicodedata.category(character)
        if kind == "Lo" and unicodedata.east_asian_width(character) == "W":
            if word:
                pieces.append(_Piece(word, at))
                word = ""
            pieces.append(_Piece(character, at + 1))
        elif kind[0] in "LMN":
            word += character.casefold()
        elif word and character not in "'\u2019":
            pieces.append(_Piece(word, at))
            word = ""
    if word:
        pieces.append(_Piece(word, len(text)))
    return pieces
