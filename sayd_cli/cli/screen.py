"""Where results and the live view of a run go, by which streams are terminals."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TextIO

from sayd_cli.cli.keys import keys_work
from sayd_cli.cli.logs import logs_to_stderr
from sayd_cli.cli.messages import say
from sayd_cli.cli.streams import PatientOutput
from sayd_cli.model.report import Interim, Notice, Report
from sayd_cli.model.session import BackendName
from sayd_cli.render.live import LiveView
from sayd_cli.render.plain import PlainWriter
from sayd_cli.render.sinks import Sink, Tee
from sayd_cli.transcript.formats import Format


@dataclass(frozen=True, slots=True)
class Show:
    """What the user wants to see.

    Attributes:
        format: Of the results on stdout.
        interim: Interim text: on the live view, and in formats that can tell it from final text.
        timestamps: Begin each sentence with its time.
        quiet: Results and errors only.
        keys: Keys may be read from standard input: it is not where the audio comes from.
        title: What the user calls the run; may be empty.
        paced: The audio comes at the pace of speech, so a service may fall behind it.
    """

    format: Format = Format.TEXT
    interim: bool | None = None
    timestamps: bool = False
    quiet: bool = False
    keys: bool = True
    title: str = ""
    paced: bool = True


@dataclass(frozen=True, slots=True)
class Screen:
    """What shows a run.

    Attributes:
        sink: Takes the reports.
        view: The live view in it, if there is one.
        keys: Keys are to be read. Not beside a pipe: what is at its other end, such as a pager,
            may read them from the same terminal.
        output: Standard output, where results are plain; None where it has the live view, which
            waits for no terminal.
    """

    sink: Sink
    view: LiveView | None = None
    keys: bool = False
    output: PatientOutput | None = None


@contextmanager
def screen(show: Show, backend: BackendName) -> Iterator[Screen]:
    """The streams of this process, as a run is to use them.

    Results on a terminal are the live view. Results in a pipe are plain, and the live view, if
    stderr is a terminal, stands there. Leaving waits until the results are read, and restores the
    terminal. Where everything is logged to the terminal there is no view, which the lines of the
    log would tear.
    """
    with ExitStack() as stack:
        views = not show.quiet and not logs_to_stderr()
        if views and _is_terminal(sys.stdout) and show.format is Format.TEXT:
            keys = show.keys and keys_work()
            view = stack.enter_context(_live_view(sys.stdout, show, backend, keys=keys))
            yield Screen(_shown(view, show), view, keys)
            return
        beside_view = views and not _is_terminal(sys.stdout) and _is_terminal(sys.stderr)
        output = stack.enter_context(PatientOutput())
        results = _Results(show, output)
        if show.quiet:
            yield Screen(results, output=output)
        elif beside_view:
            view = stack.enter_context(_live_view(sys.stderr, show, backend, keys=False))
            yield Screen(Tee(results, _shown(view, show)), view, output=output)
        else:
            yield Screen(Tee(results, _Notices()), output=output)


def _live_view(stream: TextIO, show: Show, backend: BackendName, *, keys: bool) -> LiveView:
    return LiveView(
        stream, backend=backend, timestamps=show.timestamps, keys=keys, paced=show.paced
    )


def _shown(view: LiveView, show: Show) -> Sink:
    return _Finals(view) if show.interim is False else view


class _Results:
    """A sink that writes results to standard output; interim text only where it is read at once,
    for it is of the moment.
    """

    def __init__(self, show: Show, output: PatientOutput) -> None:
        self._output = output
        self._writer = PlainWriter(
            sys.stdout,
            show.format,
            timestamps=show.timestamps,
            interim=bool(show.interim),
            title=show.title,
        )

    def take(self, report: Report) -> None:
        if not (isinstance(report, Interim) and self._output.is_behind):
            self._writer.take(report)


class _Finals:
    """A sink that passes everything on but interim text."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def take(self, report: Report) -> None:
        if not isinstance(report, Interim):
            self._sink.take(report)


class _Notices:
    """A sink that says notices on stderr, where there is no live view to show them."""

    def take(self, report: Report) -> None:
        if isinstance(report, Notice):
            say(report.text)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
