"""Sentences cut into the cues of subtitles: what fits on a screen at once, and from when to when.

Owns the widths, where a line may break, and the times. Refuses to know how cues are written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from sayd_cli.model.transcript import Sentence

_LINE_CELLS = 42
"""What one line holds: the usual limit of broadcasters for Latin script. A wide character, as of
Chinese, takes two cells."""

_LINES = 2

_BALANCED_LINES = 40
"""What is longer is no sentence, and nobody sees how its last lines end."""

_SHORTEST_MS = 500
"""A cue stands at least so long; services give sentences no time at all, or too little, where
they do not know better."""

_CLOSING = frozenset(")]},.!?:;%»’”…、。〉》」』】〕〗！），．：；？］｝～")  # noqa: RUF001
"""These begin no line."""
_OPENING = frozenset("([{«‘“〈《「『【〔〖（［｛")  # noqa: RUF001
"""These end no line."""
_JOINER = "\u200d"
_FLAG_OR_CHARACTER = re.compile("[\U0001f1e6-\U0001f1ff]{2}|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands on the screen for a while.

    Attributes:
        start_ms: When it appears, in milliseconds from the first captured sample.
        end_ms: When it goes; after ``start_ms``.
        lines: One or two lines, none of them empty.
    """

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What no line break should part."""

    text: str
    cells: int
    spaced: bool
    """White space is before it."""


def cues(sentence: Sentence, text: str, *, not_before_ms: int) -> list[Cue]:
    """A sentence as cues, which follow on each other and share its time by their lengths.

    Args:
        sentence: Whose times count.
        text: What is to be shown of it, already safe. White space in it may become a line break.
        not_before_ms: Where the cue before ends: the first one waits for that.

    Returns:
        At least one, unless the text is blank.
    """
    lines = _balanced(text)
    blocks = [tuple(lines[first : first + _LINES]) for first in range(0, len(lines), _LINES)]
    if not blocks:
        return []
    start_ms = max(round(sentence.start_s * 1000), not_before_ms)
    length_ms = round(sentence.end_s * 1000) - start_ms
    cells = [max(sum(map(_cells, block)), 1) for block in blocks]
    ends_ms = [start_ms + end_ms for end_ms in _shared(length_ms, cells)]
    return list(map(Cue, [start_ms, *ends_ms], ends_ms, blocks))


def _shared(length_ms: int, weights: list[int]) -> list[int]:
    """Where each part of a length ends, shared out by weights; none is shorter than the least."""
    whole = sum(weights)
    least_ms, rest_ms = 0, length_ms
    if min(weights) * length_ms < _SHORTEST_MS * whole:
        least_ms, rest_ms = _SHORTEST_MS, max(length_ms - _SHORTEST_MS * len(weights), 0)
    return [
        least_ms * number + rest_ms * weight // whole
        for number, weight in enumerate(accumulate(weights), 1)
    ]


def _balanced(text: str) -> list[str]:
    """The text in as few lines as it takes, and these about equally long."""
    pieces = list(_pieces(text))
    fewest = _wrapped(pieces, _LINE_CELLS)
    if len(fewest) > _BALANCED_LINES:
        return fewest
    shortest, longest = 2, _LINE_CELLS
    while shortest < longest:
        middle = (shortest + longest) // 2
        if len(_wrapped(pieces, middle)) > len(fewest):
            shortest = middle + 1
        else:
            longest = middle
    return _wrapped(pieces, longest)


def _wrapped(pieces: list[_Piece], line_cells: int) -> list[str]:
    """Lines of at most so many cells, each as full as can be."""
    lines: list[str] = []
    line, used = "", 0
    for piece in pieces:
        gap = " " if piece.spaced and line else ""
        if used + len(gap) + piece.cells <= line_cells:
            line, used = f"{line}{gap}{piece.text}", used + len(gap) + piece.cells
            continue
        if line:
            lines.append(line)
        *full, line = _cut(piece.text, line_cells)
        lines += full
        used = _cells(line)
    return [*lines, line] if line else lines


def _pieces(text: str) -> Iterator[_Piece]:
    for word in text.split():
        if word.isascii():
            yield _Piece(word, len(word), spaced=True)
            continue
        spaced = True
        piece = ""
        for cluster in _clusters(word):
            if piece and _parts(piece, cluster):
                yield _Piece(piece, _cells(piece), spaced)
                piece, spaced = "", False
            piece += cluster
        yield _Piece(piece, _cells(piece), spaced)


def _parts(before: str, after: str) -> bool:
    """Whether a line may break between the two: beside a wide character, but for punctuation."""
    if after[0] in _CLOSING or before[-1] in _OPENING:
        return False
    return _is_wide(after[0]) or _is_wide(before[-1])


def _cut(piece: str, line_cells: int) -> Iterator[str]:
    """A piece longer than a line, in lines; a character keeps what is combined with it."""
    line, used = "", 0
    for cluster in _clusters(piece):
        cells = _cells(cluster)
        if line and used + cells > line_cells:
            yield line
            line, used = "", 0
        line, used = line + cluster, used + cells
    yield line


def _clusters(word: str) -> Iterator[str]:
    """Characters as a reader sees them, nearly: marks and joined ones with what is before."""
    if word.isascii():
        yield from word
        return
    cluster = ""
    for match in _FLAG_OR_CHARACTER.finditer(word):
        character = match[0]
        joined = cluster.endswith(_JOINER) or _is_mark(character[0])
        if cluster and not joined:
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _is_mark(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
    )


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _cells(text: str) -> int:
    """How wide the text is, in cells."""
    if text.isascii():
        return len(text)
    return sum(
        2 if _is_wide(character) else unicodedata.category(character) not in ("Mn", "Me", "Cf")
        for character in text
    )
