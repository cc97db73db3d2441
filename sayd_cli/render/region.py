"""The last rows of a terminal, redrawn in place while text scrolls away above them.

Owns the cursor. Between updates it waits, hidden, at the left of the region's first row, which
is empty. From there everything below can be erased however the terminal has wrapped it since, so
a resize leaves nothing behind; and what others write meanwhile (the echo of Ctrl-C, the other end
of our own pipe) lands on a row of its own. Refuses to know what the rows say.

Where tmux (3.3) makes a screen narrower, it wraps each row and moves as many into its history,
from the top of the screen on, as then do not fit above its last row, however empty that is; what
is there stays there. An anchored region therefore stands on the last row: first go the rows above
it and the empty ones before its text, and never the text, if no more is drawn than fits when
wrapped. Empty rows may stay in the history, where fewer rows of text are above than must go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from sayd_cli.render.terminal import may_synchronize, write

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"
_SAVE_CURSOR, _RESTORE_CURSOR = "\x1b7", "\x1b8"
_TO_LAST_ROW = "\x1b[999B"
# To the next row, if there is one: unlike a newline it never scrolls.
_DOWN = "\r\x1b[B"
# https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036: the terminal shows
# all of it at once, or ignores both.
_BEGIN_UPDATE, _END_UPDATE = "\x1b[?2026h", "\x1b[?2026l"
# Not simply "erase below": in the upper left corner that means the whole screen, which tmux then
# moves into its history (scroll-on-clear). From the second column on it does not.
_ERASE = "\r\x1b[2K\x1b[C\x1b[J\r"


class Region:
    """The region of one terminal. Each call is one write at most.

    Calling order: ``update`` and ``renew`` any number of times, ``close`` at the end; after it,
    ``update`` begins anew.

    Args:
        stream: The terminal.
        anchored: The rows stand at the bottom of the screen; else right below the region's first.
    """

    def __init__(self, stream: TextIO, *, anchored: bool = False) -> None:
        self._stream = stream
        self._anchored = anchored
        self._open = False
        self._hidden = False
        self._begin, self._end = (_BEGIN_UPDATE, _END_UPDATE) if may_synchronize() else ("", "")

    def update(self, above: str, rows: Sequence[str]) -> None:
        """Let text scroll away above the region, and redraw it.

        Args:
            above: Whole lines, each with its line end.
            rows: The region's rows under its empty one, without line ends; fewer than the
                terminal has by one at least. What does not fit into the width is cut off.

        Raises:
            OSError: The terminal has gone.
        """
        opening = "" if self._hidden else _HIDE_CURSOR
        self._open = self._hidden = True
        draw = _drawn_at_bottom if self._anchored else _drawn_below
        drawn = draw(rows) if rows else ""
        # Rows must not wrap even where the terminal finds a character wider than we do, or the
        # way back up would be too short.
        redrawn = f"{_ERASE}{above}{_WRAP_OFF}{drawn}{_WRAP_ON}"
        write(self._stream, f"{self._begin}{opening}{redrawn}{self._end}")

    def renew(self) -> None:
        """Others have used the screen: the next update hides the cursor again, wherever it is."""
        self._hidden = False

    def close(self, above: str = "") -> None:
        """Take the region away, and give the cursor back where it was.

        Args:
            above: Whole lines to leave in its place.

        Raises:
            OSError: The terminal has gone.
        """
        if self._open:
            self._open = self._hidden = False
            write(self._stream, f"{self._begin}{_ERASE}{above}{_WRAP_ON}{self._end}{_SHOW_CURSOR}")
        elif above:
            write(self._stream, above)


def _drawn_below(rows: Sequence[str]) -> str:
    drawn = "".join(f"\n{row}" for row in rows)
    return f"{drawn}\r{_up(len(rows))}"


def _drawn_at_bottom(rows: Sequence[str]) -> str:
    # tmux tells us of a new size up to 250 ms late: of rows that are too many by then, only what
    # makes room for them may scroll.
    room = "\n" * len(rows) + _up(len(rows))
    start = _TO_LAST_ROW + _up(len(rows) - 1)
    return f"{room}{_SAVE_CURSOR}{start}{_DOWN.join(rows)}{_RESTORE_CURSOR}"


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows > 0 else ""
