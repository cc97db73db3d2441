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

    @property
    def over(self) -> bool:
        """Everything known has been heard again, or something that cannot be it."""
        return not self._known

    def remove(self, text: str) -> str:
        """The part of a final sentence that is new; the next one follows on it."""
        rest, self._known = self._aligned(text)
        return rest

    def peek(self, text: str) -> str:
        """The same of a text that may still change."""
        return self._aligned(text)[0]

    def _aligned(self, text: str) -> tuple[str, list[str]]:
        """What is new in the text, and what is known and may still come."""
        pieces = _pieces(text)
        if not self._known or not pieces:
            return text, self._known
        known_end, heard_end = _best(self._known, [piece.key for piece in pieces])
        if heard_end == 0:
            return text, []
        left = self._known[known_end:]
        if heard_end < len(pieces):
            # What follows on the match is new, so nothing known comes any more.
            return _after(text, pieces[heard_end - 1].end), []
        return "", left


def _best(known: list[str], heard: list[str]) -> tuple[int, int]:
    """Where the best overlap ends in both; (0, 0) when there is none.

    Either the known words are used up, or the heard ones are.
    """
    rows, columns = len(known), len(heard)
    # Anything known may be left out before the overlap; nothing heard, since it begins in it.
    scores = [[0] * (columns + 1) for _ in range(rows + 1)]
    for column in range(1, columns + 1):
        scores[0][column] = column * _GAP
    best = (min(_LEAST_SCORE, _MATCH * columns) - 1, 0, 0)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            same = known[row - 1] == heard[column - 1]
            scores[row][column] = max(
                scores[row - 1][column - 1] + (_MATCH if same else _MISMATCH),
                scores[row - 1][column] + _GAP,
                scores[row][column - 1] + _GAP,
            )
            if row == rows or column == columns:
                # Of equal ones the last: what is known twice was said twice.
                best = max(best, (scores[row][column], row, column))
    _, known_end, heard_end = best
    return known_end, heard_end


def _after(text: str, at: int) -> str:
    """The text from there on, without the punctuation of what was before."""
    while at < len(text) and unicodedata.category(text[at]) in ("Po", "Pd", "Pe", "Pf", "Zs"):
        at += 1
    return text[at:]


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
