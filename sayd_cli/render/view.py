"""What a listening person sees, as rich text: sentences, and below them what goes on now.

Owns the words, the colours and what gives way on a narrow screen. Writes nothing, and refuses to
know about cursors and threads.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sayd_cli.model.report import Ended, Heard, Interim, Notice, Phase, Progress, Report
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import timestamp, wording

_NARROWEST_BESIDE_TIME = 24
"""Cells that a sentence needs beside its time; with fewer it stands below."""

_METER_CELLS = 10
_METER_FLOOR_DBFS = -60.0
_LOUD_DBFS, _TOO_LOUD_DBFS = -12.0, -3.0
"""Where the meter turns yellow and red. It shows a root mean square: speech stays well below."""

_STARTING = {BackendName.LOCAL: "loading the engine", BackendName.CLOUD: "connecting"}


def sentence_rows(
    sentence: Sentence, console: Console, *, columns: int, timestamps: bool
) -> list[Text]:
    """A sentence as it stays on the screen, wrapped between words; beside its time, if wanted.

    Args:
        sentence: What was heard.
        console: Whose widths count.
        columns: The width of the screen, in cells.
        timestamps: Begin with where it begins.
    """
    text = Text(wording(sentence))
    if not timestamps:
        return _wrapped(text, console, columns)
    time = f"{timestamp(sentence)} "
    if columns < len(time) + _NARROWEST_BESIDE_TIME:
        return [Text(time.rstrip(), style="cyan"), *_wrapped(text, console, columns)]
    first, *rest = _wrapped(text, console, columns - len(time))
    indent = Text(" " * len(time))
    return [Text(time, style="cyan").append_text(first), *(indent + row for row in rest)]


def notice_rows(notice: Notice, console: Console, *, columns: int) -> list[Text]:
    """A notice as it stays on the screen."""
    return _wrapped(Text(sanitize(notice.text), style="dim"), console, columns)


def _wrapped(text: Text, console: Console, columns: int) -> list[Text]:
    return list(text.wrap(console, columns, overflow="fold"))


class View:
    """What goes on now: the interim text, and the status line.

    Args:
        backend: Where the words come from.
    """

    def __init__(self, backend: BackendName) -> None:
        self._backend = backend
        self._interim = ""
        self._progress = Progress(Phase.STARTING, 0.0, 0.0)

    @property
    def phase(self) -> Phase:
        """What the loop is doing."""
        return self._progress.phase

    def take(self, report: Report) -> None:
        """Take in what has changed."""
        match report:
            case Interim():
                self._interim = report.text
            case Heard() | Ended():
                self._interim = ""
            case Progress():
                self._progress = report
            case _:
                pass

    def rows(self, console: Console, *, columns: int, height: int) -> list[Text]:
        """The rows to show now, the status line last; none wider or more than asked for.

        Args:
            console: Whose characters and widths count.
            columns: The width of the screen, in cells.
            height: The most rows there may be; 1 or more.
        """
        ascii_only = console.options.ascii_only
        rows = self._interim_rows(console, columns, height - 1, "..." if ascii_only else "…")
        return [*rows, self._status(columns, ascii_only=ascii_only)]

    def _interim_rows(self, console: Console, columns: int, height: int, more: str) -> list[Text]:
        """The interim text; where it is too long, its newest part."""
        if not self._interim or height < 1:
            return []
        # More cannot be seen, and a service may send a megabyte.
        newest = Text(self._interim[-columns * (height + 1) :], style="dim italic")
        rows = _wrapped(newest, console, columns)
        if len(rows) <= height:
            return rows
        indent = len(more) + 1
        rows = _wrapped(newest, console, columns - indent)[-height:]
        first = Text(f"{more} ", style="dim").append_text(rows[0])
        return [first, *(Text(" " * indent).append_text(row) for row in rows[1:])]

    def _status(self, columns: int, *, ascii_only: bool) -> Text:
        """One row: whatever of it fits, the most telling parts first."""
        dots = "..." if ascii_only else "…"
        mark, phase, hint = {
            Phase.STARTING: ("○", f"{_STARTING[self._backend]}{dots}", "Ctrl-C to stop"),
            Phase.LISTENING: ("●", "listening", "Ctrl-C to stop"),
            Phase.FINISHING: ("○", f"finishing{dots}", "Ctrl-C again to leave at once"),
        }[self._progress.phase]
        live = self._progress.phase is Phase.LISTENING
        if ascii_only:
            mark = "*" if live else "o"
        parts = {
            "phase": Text(f"{mark} ", style="red" if live else "yellow").append(
                phase, style="bold" if live else "default"
            ),
            "elapsed": Text(_minutes(self._progress.captured_s)),
            "meter": self._meter(ascii_only=ascii_only),
            "backend": Text(self._backend.value, style="cyan"),
            "hint": Text(hint, style="dim"),
        }
        gap = 2
        wanted = ["elapsed", "phase", "meter", "backend", "hint"]
        kept: list[str] = []
        left = columns + gap
        for name in wanted:
            needed = parts[name].cell_len + gap
            if not parts[name] or needed > left:
                continue
            kept.append(name)
            left -= needed
        return Text(" " * gap, no_wrap=True).join([parts[name] for name in parts if name in kept])

    def _meter(self, *, ascii_only: bool) -> Text:
        """A bar of the level; empty text once no more is captured."""
        if self._progress.phase is Phase.FINISHING:
            return Text()
        level_dbfs = self._progress.level_dbfs
        if level_dbfs is None:
            level_dbfs = _METER_FLOOR_DBFS
        share = 1 - max(level_dbfs, _METER_FLOOR_DBFS) / _METER_FLOOR_DBFS
        filled = min(round(share * _METER_CELLS), _METER_CELLS)
        colour = (
            "red"
            if level_dbfs > _TOO_LOUD_DBFS
            else "yellow"
            if level_dbfs > _LOUD_DBFS
            else "green"
        )
        full, rest = ("#", "-") if ascii_only else ("━", "─")
        return Text(full * filled, style=colour).append(
            rest * (_METER_CELLS - filled), style="bright_black"
        )


def _minutes(seconds: float) -> str:
    """``MM:SS``, or ``H:MM:SS`` from the first hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
