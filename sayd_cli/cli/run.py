"""One run of the loop, joined to its edges: source, service, screen, history, signals."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sayd_cli.cli.backend import rules_with, service_of
from sayd_cli.cli.keeping import BUSY_TIMEOUT_S, HistoryKeeper
from sayd_cli.cli.keys import key_presses
from sayd_cli.cli.messages import say
from sayd_cli.cli.outlets import OpenOutlets, Outlets, caption_page, open_outlets
from sayd_cli.cli.screen import Screen, Show, screen
from sayd_cli.cli.signals import stop_on_signals
from sayd_cli.cli.spooling import KeptAudio, keep_audio
from sayd_cli.cli.streams import PatientOutput
from sayd_cli.errors import AbandonedError, SaydError, StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Source
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.report import Ended, Notice, Report
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.sinks import Sink, Tee
from sayd_cli.settings.credentials import find_key
from sayd_cli.settings.environment import Environment
from sayd_cli.settings.paths import history_path
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.spool.recording import WavRecording
from sayd_cli.spool.shelf import LabelledSpool

T = TypeVar("T")

_PASS_ON_EVERY_S = 0.1
"""How soon a slow reader gets more, and one that has gone is missed."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What is there of a run that was interrupted.

    Attributes:
        audio: Its audio, already open.
        session_id: Its name in the history; None where it has none.
        heard: Its confirmed sentences.
    """

    audio: LabelledSpool
    session_id: str | None = None
    heard: tuple[Sentence, ...] = ()


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
        keep: Whether it goes into the history, and its audio to disk until it is confirmed.
        resumed: The run that this one finishes; None for a new one.
        record: The file that takes what is captured; None for none.
        outlets: Where else it goes.
    """

    source: Source
    backend: BackendName
    settings: SessionSettings
    rules: Rules
    show: Show
    title: str = ""
    keep: bool = True
    resumed: Resumed | None = None
    record: Path | None = None
    outlets: Outlets = field(default_factory=Outlets)


def run_plan(plan: Plan, environment: Environment) -> Ended:
    """Listen, to the end.

    Returns:
        How it ended.

    Raises:
        SaydError: What ended it before its time.
        BrokenPipeError: The reader of stdout has gone.
    """
    service = service_of(plan.backend, environment)
    with ExitStack() as stack:
        shown = stack.enter_context(screen(plan.show, plan.backend))
        audio = _audio(plan, environment, shown.sink, stack)
        sinks: list[Sink] = [audio]
        history = _history(plan, environment, shown.sink, stack)
        if history is not None:
            sinks.append(history)
        told = _Stderr() if plan.show.quiet else shown.sink
        resumed = plan.resumed

        async def listen() -> tuple[Ended, OpenOutlets]:
            stop, pause = StopSignal(), PauseSwitch()
            async with caption_page(plan.outlets.captions, told, quiet=plan.show.quiet) as page:
                # After what may be refused: they make files, or empty them.
                kept = history is not None
                outlets = stack.enter_context(_outlets(plan, environment, told, kept=kept))
                sinks.extend((*outlets.sinks, shown.sink))
                tape = _tape(plan, stack)
                listening = Listening(
                    plan.source,
                    service,
                    audio.spool,
                    settings=plan.settings,
                    rules=rules_with(plan.backend, plan.rules),
                    sink=Tee(*sinks, *page),
                    stop=stop,
                    pause=pause,
                    tape=tape,
                    heard=() if resumed is None else resumed.heard,
                    is_kept=lambda: history is None or history.has_everything,
                )
                if shown.view is not None:
                    stack.enter_context(
                        key_presses(
                            lambda key: _on_key(key, stop, pause), shown.view, read=shown.keys
                        )
                    )
                with stop_on_signals(stop, lambda: _leave_at_once(stack, shown, outlets, audio)):
                    ended = await _run(listening, audio, history, shown)
                    await _while_read(outlets.finish(stop), shown.output)
                    return ended, outlets

        ended, outlets = asyncio.run(listen())
    if outlets.failure is not None:
        raise outlets.failure
    return ended


async def _run(
    listening: Listening, audio: KeptAudio, history: HistoryKeeper | None, shown: Screen
) -> Ended:
    def needed_s() -> float:
        # What the history lacks can be heard again.
        if history is not None and not history.has_everything:
            return listening.held_s
        return listening.unconfirmed_s

    """Listen, and keep the audio of what was not confirmed; of a bug, all there is."""
    try:
        ended = await _while_read(listening.run(), shown.output)
    except BrokenPipeError:
        audio.abandon()
        raise
    except SaydError:
        kept = audio.settle(needed_s())
        if kept:
            shown.sink.take(Notice(kept))
        raise
    left = audio.settle(needed_s())
    if left:
        shown.sink.take(Notice(left))
    return ended


async def _while_read(work: Coroutine[Any, Any, T], output: PatientOutput | None) -> T:
    """Work, until the end or until nobody reads the results any more: also in a silence, in which
    nothing is written.
    """
    if output is None:
        return await work
    run = asyncio.ensure_future(work)
    reader = asyncio.ensure_future(_pass_on(output))
    try:
        await asyncio.wait((run, reader), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (run, reader):
            task.cancel()
        await asyncio.gather(run, reader, return_exceptions=True)
    return await (reader if run.cancelled() else run)


async def _pass_on(output: PatientOutput) -> NoReturn:
    while True:
        output.pass_on()
        await asyncio.sleep(_PASS_ON_EVERY_S)


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


def _audio(plan: Plan, environment: Environment, screen: Sink, stack: ExitStack) -> KeptAudio:
    if plan.resumed is not None:
        return KeptAudio(plan.resumed.audio.spool, plan.resumed.audio, resumed=True)
    if not plan.keep:
        return KeptAudio(MemorySpool(plan.settings.sample_rate_hz))
    return stack.enter_context(
        keep_audio(environment, plan.settings, plan.backend, plan.title, screen)
    )


def _outlets(
    plan: Plan, environment: Environment, told: Sink, *, kept: bool
) -> AbstractContextManager[OpenOutlets]:
    key = find_key(environment) if plan.outlets.command is not None else None
    return open_outlets(
        plan.outlets,
        told,
        timestamps=plan.show.timestamps,
        interim=bool(plan.show.interim),
        title=plan.title,
        variables=os.environ,
        key=None if key is None else key.key,
        live=plan.source.live,
        kept=kept,
        quiet=plan.show.quiet,
    )


class _Stderr:
    """A sink that says what must be said even to who wants to hear nothing."""

    def take(self, report: Report) -> None:
        if isinstance(report, Notice):
            say(report.text)


def _history(
    plan: Plan, environment: Environment, screen: Sink, stack: ExitStack
) -> HistoryKeeper | None:
    if not plan.keep:
        return None
    try:
        store = stack.enter_context(SessionStore(history_path(environment)))
    except StorageError as exc:
        if plan.resumed is not None:
            raise
        screen.take(Notice(f"not kept in the history: {exc.message}"))
        return None
    if plan.resumed is None:
        store.wait_at_most(BUSY_TIMEOUT_S)
    keeper = HistoryKeeper(store, plan.settings, plan.title, screen)
    if plan.resumed is not None:
        keeper.resume(plan.resumed.session_id)
    return stack.enter_context(keeper)


def _leave_at_once(
    stack: ExitStack, shown: Screen, outlets: OpenOutlets, audio: KeptAudio
) -> NoReturn:
    """A second Ctrl-C: restore the terminal, and be gone.

    Nothing that is under way is waited for: a decode or a connection may take seconds.
    """
    outlets.abandon()
    if shown.output is not None:
        shown.output.abandon()
    stack.close()
    kept = "; `sayd recover` finishes what was not confirmed" if audio.on_disk else ""
    say(f"left at once{kept}")
    os._exit(AbandonedError.exit_status)
