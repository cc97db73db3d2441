"""A level meter on a row of its own, for one who tests a microphone.

Owns that row: the bar, the figures beside it, what is wrong. Refuses to know where levels come
from; whoever calls decides how often it is drawn.
"""

from __future__ import annotations

import math
from typing import TextIO

from rich.console import Console
from rich.text import Text

from sayd_cli.render.meter import PeakHold, meter
from sayd_cli.render.region import Region
from sayd_cli.render.terminal import size
from sayd_cli.transcript.sanitize import sanitize

_WIDEST_METER_CELLS = 50
_NARROWEST_METER_CELLS = 10
_FIGURES_FROM_DBFS = -99.9


class LevelView:
    """The row, from entering its context to leaving it, which takes it away.

    Args:
        stream: A terminal that can move its cursor.
        hint: How to end it.
    """

    def __init__(self, stream: TextIO, *, hint: str) -> None:
        self._stream = stream
        self._hint = hint
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._region = Region(stream)
        self._peak = PeakHold()
        self._suspended = False

    def __enter__(self) -> LevelView:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._region.close()

    def suspend(self) -> None:
        """Leave the screen to others until ``resume``."""
        self._suspended = True
        self._region.close()

    def resume(self) -> None:
        """Draw again from the next level on."""
        self._suspended = False
        self._region.renew()

    def show(self, level_dbfs: float, peak_dbfs: float, at_s: float, warning: str | None) -> None:
        """Draw a level.

        Args:
            level_dbfs: Root mean square; -inf for digital silence.
            peak_dbfs: The largest magnitude, in the same way.
            at_s: When; never before an earlier one.
            warning: What is wrong, in a word.
        """
        self._peak.take(peak_dbfs, at_s)
        columns, _ = size(self._stream)
        self._draw(self._row(level_dbfs, self._peak.at(at_s), warning, columns))

    def wait(self, why: str) -> None:
        """Draw that no levels come for now."""
        self._draw(Text(sanitize(why), style="yellow"))

    def say(self, text: str) -> None:
        """A line that stays, above the row."""
        line = self._coded(Text(sanitize(text))) + "\n"
        if self._suspended:
            self._region.close(line)
        else:
            self._region.update(line, [])

    def _draw(self, row: Text) -> None:
        if not self._suspended:
            self._region.update("", [self._coded(row)])

    def _row(self, level_dbfs: float, held_dbfs: float, warning: str | None, columns: int) -> Text:
        figures = f"{figure(level_dbfs)}  peak {figure(held_dbfs)}"
        parts = [Text(figures)]
        if warning:
            parts.append(Text(warning, style="bold yellow"))
        parts.append(Text(self._hint, style="dim"))
        gap = 2
        beside = sum(part.cell_len + gap for part in parts)
        if columns - beside < _NARROWEST_METER_CELLS:
            beside -= parts.pop().cell_len + gap
        cells = max(min(columns - beside, _WIDEST_METER_CELLS), 0)
        bar = meter(level_dbfs, held_dbfs, cells=cells, ascii_only=self._console.options.ascii_only)
        shown = Text(" " * gap).join([bar, *parts] if cells else parts)
        shown.truncate(columns)
        return shown

    def _coded(self, row: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(row, no_wrap=True, overflow="ignore", crop=False, end="")
        return capture.get()


def figure(dbfs: float) -> str:
    """A level in figures, always of the same width; below what PCM16 can tell it is -inf."""
    return f"{dbfs if dbfs > _FIGURES_FROM_DBFS else -math.inf:5.1f} dBFS"
