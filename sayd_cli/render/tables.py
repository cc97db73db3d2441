"""Lists: a table for a person, lines of tab-separated fields for a pipe.

Owns the layout. Refuses to know what is listed, but for sessions, whose rows it makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, TextIO

from sayd_cli.model.session import SessionSummary
from sayd_cli.render.terminal import size, write
from sayd_cli.transcript.sanitize import sanitize

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_GAP = 2
"""Cells between columns."""

_NARROWEST_ELASTIC = 12
"""Cells that an elastic column is worth having with."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading; shown to a person only.
        elastic: Its cells are cut short where the screen is narrow; all others stay whole, for
            they are copied from the screen.
        right: Its cells stand at its right.
    """

    title: str
    elastic: bool = False
    right: bool = False


SESSION_COLUMNS = (
    Column("ID"),
    Column("Began"),
    Column("Length", right=True),
    Column("Language"),
    Column("Title", elastic=True),
)


def session_row(summary: SessionSummary, zone: tzinfo | None = None) -> tuple[str, ...]:
    """A session's cells under ``SESSION_COLUMNS``.

    Args:
        summary: The session.
        zone: Where its time is told; None for this machine's zone.
    """
    began, length = summary.created_at, summary.duration_s
    return (
        summary.session_id,
        "" if began is None else began.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
        "" if length is None else _length(length),
        summary.language or "",
        summary.title,
    )


def write_table(stream: TextIO, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Write rows, each with a cell for each column.

    On a terminal: a table; where it is too narrow for one, each row as a short paragraph. Else
    tab-separated lines without headings. Cells are made safe to show: they hold no tab and no
    line end.

    Raises:
        OSError: As the stream raises it; BrokenPipeError when its reader has gone.
    """
    cells = [[sanitize(cell).strip() for cell in row] for row in rows]
    if stream.isatty():
        write(stream, _for_a_person(stream, columns, cells))
    else:
        write(stream, "".join("\t".join(row) + "\n" for row in cells))


def _for_a_person(stream: TextIO, columns: Sequence[Column], rows: list[list[str]]) -> str:
    from rich.cells import cell_len
    from rich.console import Console

    width, height = size(stream)
    console = Console(file=stream, width=width, height=height, highlight=False)
    widths = [
        max(cell_len(cell) for cell in (column.title, *column_cells))
        for column, *column_cells in zip(columns, *rows, strict=True)
    ]
    over = sum(widths) + _GAP * (len(columns) - 1) - width
    for place, column in enumerate(columns):
        if column.elastic and over > 0:
            given = max(widths[place] - over, min(widths[place], _NARROWEST_ELASTIC))
            over -= widths[place] - given
            widths[place] = given
    shown = _table(columns, widths, rows) if over <= 0 else _paragraphs(rows)
    with console.capture() as capture:
        console.print(shown, soft_wrap=over > 0)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _table(columns: Sequence[Column], widths: Sequence[int], rows: list[list[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column, given in zip(columns, widths, strict=True):
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=given,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _paragraphs(rows: list[list[str]]) -> Text:
    """Each row's first cell on a line, the others indented below it; the terminal wraps."""
    from rich.text import Text

    text = Text()
    for first, *rest in rows:
        text.append(f"{first}\n", style="bold")
        text.append("".join(f"  {cell}\n" for cell in rest if cell))
    text.right_crop(1)
    return text


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
