"""Rows of styled text that no terminal finds too wide.

Terminals do not agree on how wide a cluster of several characters is: some show a family of emoji
in two cells, others show its members side by side. Owns the widest that any finds. Refuses to
know what the text says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from sayd_cli.render.wrapping import clusters, wrap

_EMOJI_STYLE = "\ufe0f"


def fit(text: Text, columns: int) -> list[Text]:
    """The text in rows, broken between words where possible; one empty row where there is none.

    Args:
        text: One line.
        columns: The width of a row, in cells; a character of two still takes two of one.
    """
    parts = (
        slice(row.start + part.start, row.start + part.stop)
        for row in wrap(text.plain, max(columns, 2))
        for part in _folded(text.plain[row], columns)
    )
    return [text[part] for part in parts] or [Text()]


def widest(cluster: str) -> int:
    """The most cells that a terminal may give to a cluster."""
    cells = sum(map(_cells, cluster))
    return max(cells, 2) if _EMOJI_STYLE in cluster else cells


def _folded(row: str, columns: int) -> Iterator[slice]:
    """The parts of a row, without the spaces around them."""
    start = end = at = used = 0
    for cluster in clusters(row):
        cells = widest(cluster)
        is_space = cluster == " "
        if end > start and used + cells > columns and not is_space:
            yield slice(start, end)
            start, used = at, 0
        at += len(cluster)
        used += cells
        if not is_space:
            end = at
    if end > start:
        yield slice(start, end)


def _cells(character: str) -> int:
    if unicodedata.category(character) == "Mc":
        return 1
    is_flag = "\U0001f1e6" <= character <= "\U0001f1ff"
    if is_flag or unicodedata.east_asian_width(character) in "WF":
        return 2
    return cell_len(character)
