"""The screen of a live view: what stays goes above, what may change is redrawn below it.

Owns how rows get onto one terminal, in one write each time, and how much of it may be redrawn.
Refuses to know when, and what the rows say.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from sayd_cli.model.report import Heard, Notice
from sayd_cli.render.region import Region
from sayd_cli.render.terminal import is_multiplexed
from sayd_cli.render.view import View, notice_rows, sentence_rows

_NARROWEST_COLUMNS = 20


class Canvas:
    """The screen of one terminal that can move its cursor.

    Calling order: ``draw`` any number of times, ``leave`` at the end; after it, ``draw`` begins
    anew. Each is one write.

    Args:
        stream: The terminal.
        timestamps: Begin each sentence with its time.
    """

    def __init__(self, stream: TextIO, *, timestamps: bool = False) -> None:
        self._timestamps = timestamps
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._anchored = is_multiplexed()
        self._region = Region(stream, anchored=self._anchored)

    @property
    def is_outdated(self) -> bool:
        """A Windows console of the time before escape sequences."""
        return self._console.legacy_windows

    @property
    def is_anchored(self) -> bool:
        """What is redrawn stands at the bottom of the screen, for tmux to keep none of it.

        Still each time that tmux wraps rows it keeps as many empty ones: ``draw`` none while the
        screen is being made narrower.
        """
        return self._anchored

    def rows(self, view: View, size: os.terminal_size) -> list[Text]:
        """What a view shows on a screen of this size."""
        room = _room(size, anchored=self._anchored)
        ascii_only = self._console.options.ascii_only
        return view.rows(columns=size.columns, height=room, ascii_only=ascii_only) if room else []

    def draw(
        self, staying: Sequence[Heard | Notice], rows: Sequence[Text], size: os.terminal_size
    ) -> None:
        """Write what stays, and below it the rows.

        Args:
            staying: Sentences and notices.
            rows: What ``rows`` gave for the same size.
            size: The terminal's.

        Raises:
            OSError: The terminal has gone.
        """
        self._region.update(self._above(staying, size), self._coded(rows).splitlines())

    def leave(self, staying: Sequence[Heard | Notice], size: os.terminal_size) -> None:
        """Write what stays, take everything else away and give the cursor back.

        Raises:
            OSError: The terminal has gone.
        """
        self._region.close(self._above(staying, size))

    def renew(self) -> None:
        """Others have used the screen: go on below what they wrote."""
        self._region.renew()

    def _above(self, staying: Sequence[Heard | Notice], size: os.terminal_size) -> str:
        return self._coded([row for report in staying for row in self._staying(report, size)])

    def _staying(self, report: Heard | Notice, size: os.terminal_size) -> list[Text]:
        if isinstance(report, Notice):
            return notice_rows(report, columns=size.columns)
        return sentence_rows(report.sentence, columns=size.columns, timestamps=self._timestamps)

    def _coded(self, rows: Sequence[Text]) -> str:
        """The rows with the codes of their colours, each with its line end."""
        with self._console.capture() as capture:
            for row in rows:
                self._console.print(row, no_wrap=True, overflow="ignore", crop=False)
        return capture.get()


def _room(size: os.terminal_size, *, anchored: bool) -> int:
    """How many rows of a screen may be redrawn, the region's empty one aside.

    Half of them: the sentences need the rest, and a screen that is suddenly half as wide wraps
    each of our rows into two, which must not push the first of them off its top. An anchored
    region: so many that they fit even where it is suddenly 20 columns wide.

    Two at least, if there are three: one would show no text. So on a screen that is very wide for
    its height an anchored region of two full rows fits again only down to some width above 20.
    """
    # A row of 20 cells may hold 19: a wide character does not begin in the last.
    parts = math.ceil(size.columns / (_NARROWEST_COLUMNS - 1)) if anchored else 0
    return min(max((size.lines - 1) // max(parts, 2), 2), size.lines - 1)
