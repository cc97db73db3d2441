"""pyte's screen, with what it lacks of today's terminals."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any, TypeAlias

import pyte
from pyte import modes
from pyte.screens import Char, StaticDefaultDict
from wcwidth import wcwidth

Row: TypeAlias = StaticDefaultDict[int, Char]

_DIM = 2


class Screen(pyte.HistoryScreen):
    """A screen and its scrollback.

    Wide characters wrap whole; what has no width joins the character before it; dim text is
    known (as blinking, which nobody uses). On a resize nothing above the cursor is lost: rows
    move into the scrollback and back, and what is below the cursor goes first, as terminals do.

    Args:
        columns: Its width.
        rows: Its height.
        reflows: On a resize long lines are wrapped anew, as most terminals do; else, as xterm
            does, rows stay as they are, and what is right of the edge is out of sight.
        is_tmux: On a resize empty rows count like others, as in tmux 3.3: what does not fit above
            the last row moves into the scrollback, from the top of the screen on.
        is_wide: Characters of ambiguous width are wide, as users of East Asian fonts may choose.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        *,
        reflows: bool = True,
        is_tmux: bool = False,
        is_wide: bool = False,
    ) -> None:
        self._reflows = reflows
        self._is_tmux = is_tmux
        self._is_wide = is_wide
        self._has_scrolled = 0
        super().__init__(columns, rows, history=50_000)

    def draw(self, data: str) -> None:
        for character in data:
            width = wcwidth(character)
            if self._is_wide and unicodedata.east_asian_width(character) == "A":
                width = 2
            if width < 1:
                self._join(character)
                continue
            wraps = modes.DECAWM in self.mode
            if self.cursor.x + width > self.columns:
                if wraps:
                    vars(self.buffer[self.cursor.y])["is_continued"] = True
                    self.carriage_return()
                    self.index()
                else:
                    self.cursor.x = self.columns - width
            super().draw(character)
            for _ in range(width - wcwidth(character)):
                super().draw(" ")

    def _join(self, character: str) -> None:
        row, column = self.buffer[self.cursor.y], self.cursor.x - 1
        while column > 0 and not row[column].data:
            column -= 1
        if column >= 0:
            row[column] = row[column]._replace(data=row[column].data + character)

    def select_graphic_rendition(self, *attributes: int, **options: Any) -> None:
        super().select_graphic_rendition(*attributes, **options)
        if attributes[:1] == (_DIM,):
            self.cursor.attrs = self.cursor.attrs._replace(blink=True)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        super().erase_in_line(how, private)
        vars(self.buffer[self.cursor.y]).pop("is_continued", None)

    def erase_in_display(self, how: int = 0, *args: Any, **options: Any) -> None:
        super().erase_in_display(how, *args, **options)
        for row in range(self.cursor.y + 1 if how == 0 else 0, self.lines):
            vars(self.buffer[row]).pop("is_continued", None)

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self._has_scrolled += 1
        super().index()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        lines, columns = lines or self.lines, columns or self.columns
        rows = [*self.history.top, *(self.buffer[y] for y in range(self.lines))]
        at = len(self.history.top) + self.cursor.y
        if self._is_tmux:
            self._resize_as_tmux(rows, at, lines, columns)
            return
        if self._reflows and columns != self.columns:
            above, below = self._anew(rows[:at], columns), self._anew(rows[at:], columns)
        else:
            above, below = rows[:at], rows[at:]
            for row in below:
                for column in [column for column in row if column >= columns]:
                    del row[column]
        while len(below) > 1 and not text_of(below[-1]):
            below.pop()
        top = min(max(len(above) + len(below) - lines, 0), len(above))
        kept = [*above, *below][top : top + lines]
        self._place([*above, *below][:top], kept, lines, columns)
        self.cursor.y = len(above) - top

    def _resize_as_tmux(self, rows: list[Row], at: int, lines: int, columns: int) -> None:
        # https://github.com/tmux/tmux/blob/3.3a/screen.c (screen_resize_y), grid.c (grid_reflow)
        more = lines - self.lines
        if more < 0:
            fewer_below = min(-more, len(rows) - 1 - at)
            del rows[len(rows) - fewer_below :]
            self._has_scrolled += -more - fewer_below
        else:
            pulled = min(more, self._has_scrolled)
            self._has_scrolled -= pulled
            rows += [self._row() for _ in range(more - pulled)]
        if columns != self.columns:
            above = self._anew(rows[:at], columns)
            rows, at = [*above, *self._anew(rows[at:], columns)], len(above)
            rows += [self._row() for _ in range(lines - len(rows))]
        top = len(rows) - lines
        self._has_scrolled = min(self._has_scrolled, top)
        self._place(rows[:top], rows[top:], lines, columns)
        if at < top:
            self.cursor.x = 0
        self.cursor.y = max(at - top, 0)

    def _place(self, scrolled: list[Row], shown: list[Row], lines: int, columns: int) -> None:
        self.history.top.clear()
        self.history.top.extend(scrolled)
        self.buffer.clear()
        self.buffer.update(enumerate(shown))
        self.lines, self.columns = lines, columns
        self.cursor.x = min(self.cursor.x, columns - 1)
        self.set_margins()

    def _anew(self, rows: Iterable[Row], columns: int) -> list[Row]:
        wrapped: list[Row] = []
        joined: list[Char] = []
        for row in rows:
            is_continued = "is_continued" in vars(row)
            width = self.columns if is_continued else len(_cells(row))
            joined += [row[column] for column in range(width)]
            if not is_continued:
                wrapped += self._broken(joined, columns)
                joined = []
        return [*wrapped, *(self._broken(joined, columns) if joined else [])]

    def _broken(self, cells: list[Char], columns: int) -> list[Row]:
        rows = [self._row()]
        column = 0
        for place, cell in enumerate(cells):
            is_wide = cells[place + 1 : place + 2] and not cells[place + 1].data
            if column + (2 if is_wide else 1) > columns and cell.data:
                vars(rows[-1])["is_continued"] = True
                rows.append(self._row())
                column = 0
            rows[-1][column] = cell
            column += 1
        return rows

    def _row(self) -> Row:
        return StaticDefaultDict(self.default_char)

    def shown(self) -> list[str]:
        """The rows of the screen, without the empty ones at its end."""
        return trimmed([text_of(self.buffer[row], self.columns) for row in range(self.lines)])

    def scrolled(self) -> list[str]:
        """All rows from the beginning of the scrollback to the end of the screen."""
        on_screen = (self.buffer[row] for row in range(self.lines))
        return trimmed([text_of(row) for row in (*self.history.top, *on_screen)])

    def kept(self) -> list[str]:
        """The rows of the scrollback."""
        return [text_of(row) for row in self.history.top]

    def dim(self) -> str:
        """All dim text on the screen."""
        rows = (self.buffer[row] for row in range(self.lines))
        return "".join(cell.data for row in rows for cell in _cells(row) if cell.blink)


def _cells(row: Row) -> list[Char]:
    """The cells of a row up to the last that is not empty."""
    cells = [row[column] for column in range(max(row, default=-1) + 1)]
    while cells and cells[-1].data == " ":
        cells.pop()
    return cells


def text_of(row: Row, columns: int | None = None) -> str:
    text = "".join(cell.data for cell in _cells(row)[:columns]).rstrip()
    return unicodedata.normalize("NFC", text)


def trimmed(rows: list[str]) -> list[str]:
    while rows and not rows[-1]:
        rows = rows[:-1]
    return rows
