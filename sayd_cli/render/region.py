"""The last rows of a terminal, redrawn in place while text scrolls away above them.

Owns the cursor. Between updates it waits, hidden, at the left of the region's first row, which
is empty. From there everything below can be erased however the terminal has wrapped it since, so
a resize leaves nothing behind; and what others write meanwhile (the echo of Ctrl-C, the other end
of our own pipe) lands on a row of its own. Refuses to know what the rows say.

One case is beyond reach: where tmux 3.3 makes a screen narrower that is not full yet, it moves
rows into its history, by as many as it has to wrap; rows of ours among them stay there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from sayd_cli.render.terminal import may_synchronize, write

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"
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
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
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
        drawn = "".join(f"\n{row}" for row in rows)
        back = f"\r\x1b[{len(rows)}A" if rows else ""
        # Rows must not wrap even where the terminal finds a character wider than we do, or the
        # way back up would be too short.
        redrawn = f"{_ERASE}{above}{_WRAP_OFF}{drawn}{back}{_WRAP_ON}"
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
