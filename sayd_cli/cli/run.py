"""One run of the loop, joined to its edges: source, service, screen, history, signals."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TextIO

from sayd_cli.cli.backend import service_of
from sayd_cli.cli.keeping import HistoryKeeper
from sayd_cli.cli.messages import say
from sayd_cli.cli.signals import stop_on_signals
from sayd_cli.errors import AbandonedError, StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.ports import Source
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.report import Interim, Notice, Report
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.render.live import LiveView
from sayd_cli.render.plain import PlainWriter
from sayd_cli.render.sinks import Sink, Tee
from sayd_cli.settings.environment import Environment
from sayd_cli.settings.paths import history_path
from sayd_cli.transcript.formats import Format


@dataclass(frozen=True, slots=True)
class Show:
    """What the user wants to see.

    Attributes:
        format: Of the results on stdout.
        interim: Interim text: on the live view, and in formats that can tell it from final text.
        timestamps: Begin each sentence with its time.
        quiet: Results and errors only.
    """

    format: Format = Format.TEXT
    interim: bool | None = None
    timestamps: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, decided and not yet begun.

    Attributes:
        source: Where audio comes from; not yet open.
        backend: Where words come from.
        settings: What to ask of the session.
        rules: How it goes.
        show: What is shown.
        title: What the user calls it; may be empty.
        keep: Whether it goes into the history.
    """

    source: Source
    backend: BackendName
    settings: SessionSettings
    rules: Rules
    show: Show
    title: str = ""
    keep: bool = True


def run_plan(plan: Plan, environment: Environment) -> None:
    """Listen, to the end.

    Raises:
        SaydError: What ended it before its time.
        BrokenPipeError: The reader of stdout has gone.
    """
    service = service_of(plan.backend, environment)
    with ExitStack() as stack:
        screen = stack.enter_context(_screen(plan.show, plan.backend))
        sinks: list[Sink] = []
        if plan.keep:
            sinks.extend(_history(plan, environment, screen, stack))
        sinks.append(screen)

        async def listen() -> None:
            stop = StopSignal()
            listening = Listening(
                plan.source,
                service,
                settings=plan.settings,
                rules=plan.rules,
                sink=Tee(*sinks),
                stop=stop,
            )
            with stop_on_signals(stop, lambda: _leave_at_once(stack)):
                await listening.run()

        asyncio.run(listen())


def _history(
    plan: Plan, environment: Environment, screen: Sink, stack: ExitStack
) -> Iterator[HistoryKeeper]:
    try:
        store = stack.enter_context(SessionStore(history_path(environment)))
    except StorageError as exc:
        screen.take(Notice(f"not kept in the history: {exc.message}"))
        return
    yield HistoryKeeper(store, plan.settings, plan.title, screen)


def _leave_at_once(stack: ExitStack) -> None:
    """A second Ctrl-C: restore the terminal, and be gone.

    Nothing that is under way is waited for: a decode or a connection may take seconds.
    """
    stack.close()
    say("left at once; the last words may be missing")
    os._exit(AbandonedError.exit_status)


@contextmanager
def _screen(show: Show, backend: BackendName) -> Iterator[Sink]:
    """Where results and the live view go.

    Results on a terminal are the live view. Results in a pipe are plain, and the live view, if
    stderr is a terminal, stands there.
    """
    results = PlainWriter(
        sys.stdout, show.format, timestamps=show.timestamps, interim=bool(show.interim)
    )
    with ExitStack() as stack:
        if show.quiet:
            yield results
        elif _is_terminal(sys.stdout):
            if show.format is Format.TEXT:
                yield stack.enter_context(_live_view(sys.stdout, show, backend))
            else:
                yield Tee(results, _Notices())
        elif _is_terminal(sys.stderr):
            own = stack.enter_context(_second_handle(sys.stderr))
            yield Tee(results, stack.enter_context(_live_view(own, show, backend)))
        else:
            yield Tee(results, _Notices())


@contextmanager
def _live_view(stream: TextIO, show: Show, backend: BackendName) -> Iterator[Sink]:
    with LiveView(stream, backend=backend, timestamps=show.timestamps) as view:
        yield _Finals(view) if show.interim is False else view


@contextmanager
def _second_handle(stream: TextIO) -> Iterator[TextIO]:
    """The same terminal by another descriptor: while a microphone opens, what is written to
    descriptor 2 is kept from the screen, and the live view is not to be lost with it.
    """
    with os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding) as own:
        yield own


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
