"""A level meter: a bar as long as it is loud, and a mark that stays a while at the highest peak.

Owns how levels become cells and colours, and how long a peak stays. Time comes from the audio,
not from a clock. Refuses to know where levels come from.
"""

from __future__ import annotations

import math

from rich.text import Text

_FLOOR_DBFS = -60.0
_LOUD_DBFS, _TOO_LOUD_DBFS = -12.0, -3.0
"""Where the bar turns yellow and red. It shows a root mean square: speech stays well below."""
_LOUD_PEAK_DBFS, _TOO_LOUD_PEAK_DBFS = -6.0, -0.3
"""Where the mark does."""

_HOLD_S = 1.5
_FALL_DB_A_SECOND = 20.0


class PeakHold:
    """The highest peak of the last moments; it stays for 1.5 s, then falls by 20 dB a second."""

    def __init__(self) -> None:
        self._held_dbfs = -math.inf
        self._held_since_s = 0.0

    def take(self, peak_dbfs: float, at_s: float) -> None:
        """Take in a new peak.

        Args:
            peak_dbfs: The largest magnitude; -inf for digital silence.
            at_s: When; never before an earlier one.
        """
        if peak_dbfs >= self.at(at_s):
            self._held_dbfs, self._held_since_s = peak_dbfs, at_s

    def at(self, now_s: float) -> float:
        """Where the mark stands, in dBFS; -inf before the first sound."""
        falling_s = max(now_s - self._held_since_s - _HOLD_S, 0.0)
        return self._held_dbfs - falling_s * _FALL_DB_A_SECOND


def meter(
    level_dbfs: float | None, held_dbfs: float | None, *, cells: int, ascii_only: bool = False
) -> Text:
    """A meter from -60 dBFS to full scale.

    Args:
        level_dbfs: Root mean square; how long the bar is. None before the first sound.
        held_dbfs: What ``PeakHold.at`` gives; None for no mark.
        cells: How wide it is.
        ascii_only: Draw it with characters that any terminal has.
    """
    full, rest, mark = ("#", "-", "|") if ascii_only else ("━", "─", "┃")
    level_dbfs = _FLOOR_DBFS if level_dbfs is None else level_dbfs
    filled = round(_share(level_dbfs) * cells)
    bar = Text.assemble(
        (full * filled, _colour(level_dbfs, _LOUD_DBFS, _TOO_LOUD_DBFS)),
        (rest * (cells - filled), "bright_black"),
    )
    if held_dbfs is None or held_dbfs <= _FLOOR_DBFS:
        return bar
    place = min(math.floor(_share(held_dbfs) * cells), cells - 1)
    style = _colour(held_dbfs, _LOUD_PEAK_DBFS, _TOO_LOUD_PEAK_DBFS)
    return Text.assemble(bar[:place], (mark, style), bar[place + 1 :])


def _share(dbfs: float) -> float:
    """Which part of the meter lies below; 0 to 1."""
    return min(max(1 - dbfs / _FLOOR_DBFS, 0.0), 1.0)


def _colour(dbfs: float, loud_dbfs: float, too_loud_dbfs: float) -> str:
    return "red" if dbfs > too_loud_dbfs else "yellow" if dbfs > loud_dbfs else "green"
