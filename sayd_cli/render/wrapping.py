"""Rows of text in any script: how wide it is, and where it may be broken.

Pure. Rows are greedy, as browsers make them: what is added at the end never moves what stands in
the rows before the last. Refuses to know what the text is and where the rows are shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

_JOINER = "\u200d"
_NO_BREAK_SPACES = "\u00a0\u202f"

# Chinese and Japanese rows neither begin with the first nor end with the second: categories of
# Unicode that come close to its line breaking classes (Standard Annex 14) in what speech has.
_CLOSING = ("Pe", "Pf", "Po", "Lm")
_OPENING = ("Ps", "Pi")

_HANGUL = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7FF))


def clusters(text: str) -> Iterator[str]:
    """The characters of a text as readers count them: each with its combining marks, emoji with
    what they are joined of.
    """
    cluster = ""
    for character in text:
        if cluster and not _continues(cluster, character):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _continues(cluster: str, character: str) -> bool:
    if unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf"):
        return True
    if cluster[-1] == _JOINER:
        return True
    code = ord(character)
    if 0x1F3FB <= code <= 0x1F3FF or 0x1160 <= code <= 0x11FF:  # Skin tones; vowels of Hangul.
        return True
    flags = range(0x1F1E6, 0x1F200)
    return code in flags and len(cluster) == 1 and ord(cluster) in flags


def cells(cluster: str) -> int:
    """The width of one cluster: two for a wide one, else one."""
    return min(2, max(1, cell_len(cluster)))


def separator(before: str, after: str) -> str:
    """What stands between two texts that follow on each other: nothing where their script has no
    spaces, else one.
    """
    if not before or not after:
        return ""
    *_, last = clusters(before)
    first = next(clusters(after))
    return "" if _spaceless(last) and _spaceless(first) else " "


def wrap(text: str, columns: int) -> list[slice]:
    """Where each row begins and ends in the text, without the spaces around it.

    Words stay whole, but for one that is wider than a row; clusters stay whole always.

    Args:
        text: One line.
        columns: The width of a row, in cells; 2 or more.
    """
    rows: list[slice] = []
    start = end = 0
    used = 0
    for atom in _atoms(text, columns):
        if end > start and used + atom.cells > columns:
            rows.append(slice(start, end))
            start, used = atom.start, 0
        elif end == start:
            start = atom.start
        end = atom.end
        used += atom.cells_with_spaces
    if end > start:
        rows.append(slice(start, end))
    return rows


@dataclass(frozen=True, slots=True)
class _Atom:
    """Text that stays in one row, and the spaces after it.

    Attributes:
        start: Where it begins.
        end: Where it ends, without the spaces.
        cells: Its width without the spaces.
        cells_with_spaces: Its width with them.
    """

    start: int
    end: int
    cells: int
    cells_with_spaces: int


def _atoms(text: str, columns: int) -> Iterator[_Atom]:
    start = end = at = 0
    width = with_spaces = 0
    before = ""
    for cluster in clusters(text):
        cluster_cells = cells(cluster)
        space = _is_space(cluster)
        splits = not space and with_spaces + cluster_cells > columns
        if end > start and (splits or _may_break(before, cluster)):
            yield _Atom(start, end, width, with_spaces)
            start = end = at
            width = with_spaces = 0
        at += len(cluster)
        if not space:
            end = at
            width = with_spaces + cluster_cells
            with_spaces += cluster_cells
        elif end > start:
            with_spaces += cluster_cells
        else:
            start = end = at  # Nothing stands before these spaces.
        before = cluster
    if end > start:
        yield _Atom(start, end, width, with_spaces)


def _may_break(before: str, after: str) -> bool:
    if _is_space(after):
        return False
    if _is_space(before):
        return True
    if unicodedata.category(after[0]) in _CLOSING or unicodedata.category(before[0]) in _OPENING:
        return False
    return _spaceless(before) or _spaceless(after)


def _is_space(cluster: str) -> bool:
    return cluster.isspace() and cluster not in _NO_BREAK_SPACES


def _spaceless(cluster: str) -> bool:
    """Wide, and of a script that has no spaces between words: all wide ones but Hangul."""
    code = ord(cluster[0])
    return cells(cluster) == 2 and not any(first <= code <= last for first, last in _HANGUL)
