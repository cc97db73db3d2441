"""One run of the loop, joined to its edges: source, service, screen, history, signals."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sayd_cli.cli.backend import service_of
from sayd_cli.cli.keeping import HistoryKeeper
from sayd_cli.cli.keys import key_presses
from sayd_cli.cli.messages import say
from sayd_cli.cli.screen import Show, screen
from sayd_cli.cli.signals import stop_on_signals
from sayd_cli.errors import AbandonedError, StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Source
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.report import Notice
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.render.sinks import Sink, Tee
from sayd_cli.settings.environment import Environment
from sayd_cli.settings.paths import history_path
from sayd_cli.spool.recording import WavRecording


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
        record: The file that takes what is sent; None for none.
    """

    source: Source
    backend: BackendName
    settings: SessionSettings
    rules: Rules
    show: Show
    title: str = ""
    keep: bool = True
    record: Path | None = None


def run_plan(plan: Plan, environment: Environment) -> None:
    """Listen, to the end.

    Raises:
        SaydError: What ended it before its time.
        BrokenPipeError: The reader of stdout has gone.
    """
    service = service_of(plan.backend, environment)
    with ExitStack() as stack:
        tape = _tape(plan, stack)
        shown = stack.enter_context(screen(plan.show, plan.backend))
        sinks: list[Sink] = []
        if plan.keep:
            sinks.extend(_history(plan, environment, shown.sink, stack))
        sinks.append(shown.sink)

        async def listen() -> None:
            stop, pause = StopSignal(), PauseSwitch()
            listening = Listening(
                plan.source,
                service,
                settings=plan.settings,
                rules=plan.rules,
                sink=Tee(*sinks),
                stop=stop,
                pause=pause,
                tape=tape,
            )
            if shown.view is not None:
                stack.enter_context(
                    key_presses(lambda key: _on_key(key, stop, pause), shown.view, read=shown.keys)
                )
            with stop_on_signals(stop, lambda: _leave_at_once(stack)):
                await listening.run()

        asyncio.run(listen())


def _on_key(key: str, stop: StopSignal, pause: PauseSwitch) -> None:
    if key == " ":
        pause.toggle()
    elif key in ("q", "Q") and stop.reason is None:
        # As Ctrl-C does, so that a Ctrl-C after it is the second one.
        signal.raise_signal(signal.SIGINT)


def _tape(plan: Plan, stack: ExitStack) -> WavRecording | None:
    if plan.record is None:
        return None
    return stack.enter_context(WavRecording(plan.record, plan.settings.sample_rate_hz))


def _history(
    plan: Plan, environment: Environment, screen: Sink, stack: ExitStack
) -> Iterator[HistoryKeeper]:
    try:
        store = stack.enter_context(SessionStore(history_path(environment)))
    except StorageError as exc:
        screen.take(Notice(f"not kept in the history: {exc.message}"))
        return
    yield stack.enter_context(HistoryKeeper(store, plan.settings, plan.title, screen))


def _leave_at_once(stack: ExitStack) -> None:
    """A second Ctrl-C: restore the terminal, and be gone.

    Nothing that is under way is waited for: a decode or a connection may take seconds.
    """
    stack.close()
    say("left at once; the last words may be missing")
    os._exit(AbandonedError.exit_status)
