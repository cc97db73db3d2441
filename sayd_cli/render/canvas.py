"""The screen of a live view: what stays goes above, what may change is redrawn below it.

Owns how rows get onto one terminal, in one write each time, and how much of it may be redrawn.
Refuses to know when, and what the rows say.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from sayd_cli.model.report import Heard, Notice
from sayd_cli.render.region import Region
from sayd_cli.render.view import View, notice_rows, sentence_rows


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
        self._region = Region(stream)

    @property
    def is_outdated(self) -> bool:
        """A Windows console of the time before escape sequences."""
        return self._console.legacy_windows

    def rows(self, view: View, size: os.terminal_size) -> list[Text]:
        """What a view shows on a screen of this size."""
        room = _room(size.lines)
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


def _room(height: int) -> int:
    """How many rows of a screen may be redrawn, the region's empty one aside.

    Half of them: the sentences need the rest, and a screen that is suddenly half as wide wraps
    each of our rows into two, which must not push the first of them off its top.
    """
    return min(max((height - 1) // 2, 2), height - 1)
