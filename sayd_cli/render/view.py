"""What a listening person sees, as rich text: sentences, and below them what goes on now.

Owns the words, the colours and what gives way on a narrow screen. Writes nothing, and refuses to
know about cursors and threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from rich.text import Text

from sayd_cli.model.report import Ended, Heard, Interim, Notice, Phase, Progress, Report
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.fitting import fit
from sayd_cli.render.meter import PeakHold, meter
from sayd_cli.render.settled import settled
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import timestamp, wording

_NARROWEST_BESIDE_TIME = 24
"""Cells that a sentence needs beside its time; with fewer it stands below."""

_METER_CELLS = 10

_GAP = 2
"""Cells between the parts of the status line."""

_USUAL_LAG_S = 3.0
"""A service that is so far behind has not fallen behind yet."""


def sentence_rows(sentence: Sentence, *, columns: int, timestamps: bool) -> list[Text]:
    """A sentence as it stays on the screen, wrapped between words; beside its time, if wanted.

    Args:
        sentence: What was heard.
        columns: The width of the screen, in cells.
        timestamps: Begin with where it begins.
    """
    text = Text(sanitize(wording(sentence)))
    if not timestamps:
        return fit(text, columns)
    time = f"{timestamp(sentence)} "
    if columns < len(time) + _NARROWEST_BESIDE_TIME:
        return [Text(time.rstrip(), style="cyan"), *fit(text, columns)]
    first, *rest = fit(text, columns - len(time))
    indent = Text(" " * len(time))
    return [Text(time, style="cyan").append_text(first), *(indent + row for row in rest)]


def notice_rows(notice: Notice, *, columns: int) -> list[Text]:
    """A notice as it stays on the screen."""
    return fit(Text(sanitize(notice.text), style="dim"), columns)


class View:
    """What goes on now: the interim text, and the status line.

    Args:
        backend: Where the words come from.
        keys: Keys work here: tell of them.
        paced: The audio comes at a pace of its own, and a service that falls behind is worth
            telling of; not so where a file is read as fast as it is taken.
    """

    def __init__(self, backend: BackendName, *, keys: bool = False, paced: bool = True) -> None:
        self._backend = backend
        self._keys = keys
        self._paced = paced
        self._interim = ""
        self._settled = 0
        """How much of it does not change any more, in characters from its beginning."""
        self._peak = PeakHold()
        self._progress = Progress(Phase.STARTING, 0.0, 0.0)

    @property
    def phase(self) -> Phase:
        """What the loop is doing."""
        return self._progress.phase

    def take(self, report: Report) -> None:
        """Take in what has changed."""
        match report:
            case Interim():
                text = sanitize(report.text)
                self._settled = settled(self._interim, text)
                self._interim = text
            case Heard() | Ended():
                self._interim, self._settled = "", 0
            case Progress():
                self._progress = report
                if report.peak_dbfs is not None:
                    self._peak.take(report.peak_dbfs, report.captured_s)
            case _:
                pass

    def rows(self, *, columns: int, height: int, ascii_only: bool = False) -> list[Text]:
        """The rows to show now, the status line last; none wider or more than asked for.

        Args:
            columns: The width of the screen, in cells.
            height: The most rows there may be; 1 or more.
            ascii_only: Draw with characters that any terminal has.
        """
        rows = self._interim_rows(columns, height - 1, "..." if ascii_only else "…")
        return [*rows, self._status(columns, ascii_only=ascii_only)]

    def _interim_rows(self, columns: int, height: int, more: str) -> list[Text]:
        """The interim text, bright where it has settled; where it is too long, its newest part."""
        if not self._interim or height < 1:
            return []
        # More cannot be seen, and a service may send a megabyte. Where it is cut changes seldom:
        # the rows are to stay as they are while text comes after them.
        step = columns * (height + 1)
        start = max(len(self._interim) // step - 1, 0) * step
        newest = Text(self._interim[start:])
        newest.stylize("dim", max(self._settled - start, 0))
        rows = fit(newest, columns)
        if start == 0 and len(rows) <= height:
            return rows
        indent = len(more) + 1
        rows = fit(newest, columns - indent)[-height:]
        first = Text.assemble((f"{more} ", "dim"), rows[0])
        return [first, *(Text(" " * indent).append_text(row) for row in rows[1:])]

    def _status(self, columns: int, *, ascii_only: bool) -> Text:
        """One row: whatever of it fits, the most telling parts first."""
        progress = self._progress
        live = progress.phase is Phase.LISTENING
        mark = ("*" if live else "o") if ascii_only else ("●" if live else "○")
        dots = "..." if ascii_only else "…"
        phases = [
            Text.assemble((mark, "red" if live else "yellow"), " ", (name, "bold" if live else ""))
            for name in self._phase_names(dots)
        ]
        lags = [Text(lag, style="yellow") for lag in self._lags()] or [Text()]
        times = [Text(_minutes(progress.captured_s)), Text()]
        # What gives way first changes fastest: the long name, then words, then the time.
        phase, lag, time = next(
            (
                (phase, lag, time)
                for time, lag, phase in product(times, lags, phases)
                if _width((phase, lag, time)) <= columns
            ),
            (phases[-1], Text(), Text()),
        )
        hears = progress.phase in (Phase.STARTING, Phase.LISTENING, Phase.RECONNECTING)
        shown = [phase, lag, time]
        for part in (
            self._meter(ascii_only=ascii_only) if hears else Text(),
            Text(sanitize(progress.warning or "") if hears else "", style="bold yellow"),
            Text(self._backend.value, style="cyan"),
        ):
            if _width((*shown, part)) <= columns:
                shown.append(part)
        hints = (Text(hint, style="dim") for hint in self._hints())
        shown += [hint for hint in hints if _width((*shown, hint)) <= columns][:1]
        row = Text(" " * _GAP, no_wrap=True).join(part for part in shown if part)
        row.truncate(columns)
        return row

    def _phase_names(self, dots: str) -> tuple[str, ...]:
        """What the loop is doing, in words; the last are the fewest."""
        match self._progress.phase:
            case Phase.STARTING if self._backend is BackendName.LOCAL:
                return f"loading the engine{dots}", f"loading{dots}"
            case Phase.STARTING:
                return (f"connecting{dots}",)
            case Phase.LISTENING:
                return ("listening",)
            case Phase.PAUSED:
                return ("paused",)
            case Phase.WAITING:
                return f"waiting for the microphone{dots}", "no microphone"
            case Phase.RECONNECTING:
                return f"reconnecting{dots}", "offline"
            case Phase.FINISHING:
                return (f"finishing{dots}",)

    def _lags(self) -> tuple[str, ...]:
        """How much audio the service was not sent yet, in words; nothing where that is usual."""
        progress = self._progress
        waiting_s = progress.captured_s - progress.sent_s
        match progress.phase:
            case Phase.RECONNECTING | Phase.FINISHING if waiting_s >= 1:
                return f"{_amount(waiting_s)} waiting", _amount(waiting_s)
            case Phase.STARTING if waiting_s >= _USUAL_LAG_S:
                return f"{_amount(waiting_s)} waiting", _amount(waiting_s)
            case Phase.LISTENING | Phase.PAUSED | Phase.WAITING if (
                self._paced and waiting_s >= _USUAL_LAG_S
            ):
                return f"{_amount(waiting_s)} behind", f"-{_amount(waiting_s)}"
            case _:
                return ()

    def _hints(self) -> tuple[str, ...]:
        """What the user can do now; the first that fits is shown."""
        stop = "Ctrl-C to stop"
        match self._progress.phase:
            case Phase.LISTENING if self._keys:
                return "Space pauses, q stops", stop
            case Phase.PAUSED if self._keys:
                return ("Space to go on",)
            case Phase.FINISHING:
                return ("Ctrl-C again to leave at once",)
            case _:
                return (stop,)

    def _meter(self, *, ascii_only: bool) -> Text:
        """A bar of the level, with a mark at the last peak."""
        held_dbfs = self._peak.at(self._progress.captured_s)
        return meter(
            self._progress.level_dbfs, held_dbfs, cells=_METER_CELLS, ascii_only=ascii_only
        )


def _width(parts: Iterable[Text]) -> int:
    """The width of a row of these parts, in cells."""
    return sum(part.cell_len + _GAP for part in parts if part) - _GAP


def _amount(seconds: float) -> str:
    """How much audio that is, rounded down to what somebody who waits wants to know."""
    if seconds < 120:
        return f"{int(seconds)} s"
    return f"{int(seconds / 60)} min" if seconds < 7200 else f"{int(seconds / 3600)} h"


def _minutes(seconds: float) -> str:
    """``MM:SS``, or ``H:MM:SS`` from the first hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
