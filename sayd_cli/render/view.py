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
from sayd_cli.render.meter import PeakHold, meter
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import timestamp, wording

_NARROWEST_BESIDE_TIME = 24
"""Cells that a sentence needs beside its time; with fewer it stands below."""

_METER_CELLS = 10

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
        keys: Keys work here: tell of them.
    """

    def __init__(self, backend: BackendName, *, keys: bool = False) -> None:
        self._backend = backend
        self._keys = keys
        self._interim = ""
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
                self._interim = report.text
            case Heard() | Ended():
                self._interim = ""
            case Progress():
                self._progress = report
                if report.peak_dbfs is not None:
                    self._peak.take(report.peak_dbfs, report.captured_s)
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
        progress = self._progress
        mark, phase = {
            Phase.STARTING: ("○", f"{_STARTING[self._backend]}{dots}"),
            Phase.LISTENING: ("●", "listening"),
            Phase.PAUSED: ("○", "paused"),
            Phase.WAITING: ("○", f"waiting for the microphone{dots}"),
            Phase.FINISHING: ("○", f"finishing{dots}"),
        }[progress.phase]
        live = progress.phase is Phase.LISTENING
        if ascii_only:
            mark = "*" if live else "o"
        hears = progress.phase in (Phase.STARTING, Phase.LISTENING)
        parts = {
            "phase": Text.assemble(
                (mark, "red" if live else "yellow"), " ", (phase, "bold" if live else "")
            ),
            "elapsed": Text(_minutes(progress.captured_s)),
            "meter": self._meter(ascii_only=ascii_only) if hears else Text(),
            "warning": Text(progress.warning or "" if hears else "", style="bold yellow"),
            "backend": Text(self._backend.value, style="cyan"),
        }
        gap = 2
        kept: list[str] = []
        left = columns + gap
        for name in ("elapsed", "phase", "meter", "warning", "backend"):
            needed = parts[name].cell_len + gap
            if not parts[name] or needed > left:
                continue
            kept.append(name)
            left -= needed
        shown = [parts[name] for name in parts if name in kept]
        fitting = (hint for hint in self._hints() if len(hint) + gap <= left)
        if hint := next(fitting, None):
            shown.append(Text(hint, style="dim"))
        return Text(" " * gap, no_wrap=True).join(shown)

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


def _minutes(seconds: float) -> str:
    """``MM:SS``, or ``H:MM:SS`` from the first hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
