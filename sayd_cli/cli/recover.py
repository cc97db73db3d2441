"""``sayd recover``: finishing what a crash or an outage interrupted."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sayd_cli.errors import SaydError, StorageError, UsageError
from sayd_cli.model.report import Ended, EndReason
from sayd_cli.model.session import BackendName

if TYPE_CHECKING:
    from sayd_cli.settings.environment import Environment
    from sayd_cli.spool.label import SpoolLabel
    from sayd_cli.spool.shelf import Interrupted, LabelledSpool, Shelf


def command(
    references: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID…",
            help="Which; the beginning of a name is enough. Without any, all of them.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show what there is to finish, and do nothing.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Throw the audio away instead; asks, or --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    local: Annotated[
        bool | None,
        typer.Option(
            "--local/--cloud",
            help="Who is to hear it.",
            show_default="who heard the rest",
        ),
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Begin each sentence with its time.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Results and errors only; no live view.")
    ] = False,
) -> None:
    """What was captured and never confirmed is heard now, printed, and put into the history."""
    from sayd_cli.cli.messages import say
    from sayd_cli.settings.environment import read_environment
    from sayd_cli.settings.paths import spool_directory
    from sayd_cli.spool.shelf import Shelf

    environment = read_environment(os.environ)
    shelf = Shelf(spool_directory(environment))
    found = _chosen(shelf.interrupted(), references or [])
    if list_:
        for interrupted in found:
            typer.echo(f"{interrupted.spool_id}  {_described(interrupted)}")
        return
    if not found:
        if not quiet:
            say("nothing was interrupted")
    elif discard:
        _discard(found, shelf, yes=yes)
    else:
        how = _How(local, timestamps=timestamps, quiet=quiet)
        _finish_all(found, shelf, environment, how)


@dataclass(frozen=True, slots=True)
class _How:
    """What the options say on the hearing and the showing."""

    local: bool | None
    timestamps: bool
    quiet: bool


def _chosen(found: list[Interrupted], references: list[str]) -> list[Interrupted]:
    if not references:
        return found
    chosen = []
    for reference in references:
        named = [each for each in found if reference in _names(each)] or [
            each for each in found if reference and _begins(reference, each)
        ]
        if len(named) != 1:
            what = "no interrupted listening" if not named else "more than one begins with"
            raise UsageError(f"{what} {reference!r}", "sayd recover --list shows what there is")
        chosen += [each for each in named if each not in chosen]
    return chosen


def _names(interrupted: Interrupted) -> list[str]:
    session_id = interrupted.label.session_id
    return [interrupted.spool_id] if session_id is None else [interrupted.spool_id, session_id]


def _begins(reference: str, interrupted: Interrupted) -> bool:
    return any(name.startswith(reference) for name in _names(interrupted))


def _described(interrupted: Interrupted) -> str:
    from sayd_cli.transcript.sanitize import sanitize

    label = interrupted.label
    title = f", {sanitize(label.title)}" if label.title else ""
    return f"{_local_time(label.started_at)}, {interrupted.audio_s:.0f} s of audio{title}"


def _local_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _discard(found: list[Interrupted], shelf: Shelf, *, yes: bool) -> None:
    from sayd_cli.cli.messages import say

    if not yes and not _agreed(found):
        say("nothing thrown away")
        return
    for interrupted in found:
        labelled = _taken(interrupted, shelf)
        if labelled is not None:
            labelled.discard()
            say(f"thrown away: {_described(interrupted)}")


def _agreed(found: list[Interrupted]) -> bool:
    """Ask whether they are to be thrown away.

    Raises:
        UsageError: There is nobody to be asked.
    """
    from sayd_cli.cli.messages import say
    from sayd_cli.render.terminal import write

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody can be asked here whether to throw it away", "add --yes to do so")
    for interrupted in found:
        say(_described(interrupted))
    write(sys.stderr, f"Throw {'it' if len(found) == 1 else 'them all'} away for good? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _finish_all(
    found: list[Interrupted], shelf: Shelf, environment: Environment, how: _How
) -> None:
    from sayd_cli.cli.messages import say

    failure: SaydError | None = None
    for interrupted in found:
        if not how.quiet:
            say(f"finishing {_described(interrupted)}")
        try:
            backend = _backend(interrupted.label, environment, how)
            labelled = _taken(interrupted, shelf)
            if labelled is None:
                continue
            with labelled:
                ended = _finish(labelled, backend, environment, how)
        except SaydError as exc:
            # The others may fare better; nothing of this one is lost.
            failure = failure or exc
            if len(found) > 1:
                say(f"not finished: {exc.message}")
            continue
        if ended.reason is EndReason.INTERRUPT:
            break
    if failure is not None:
        raise failure


def _backend(label: SpoolLabel, environment: Environment, how: _How) -> BackendName:
    from sayd_cli.cli.backend import choose_backend

    local = label.backend is BackendName.LOCAL if how.local is None else how.local
    return choose_backend(environment, local=local)


def _taken(interrupted: Interrupted, shelf: Shelf) -> LabelledSpool | None:
    """Its audio, ours to finish; None when another process was faster."""
    from sayd_cli.cli.messages import say

    try:
        return interrupted.open()
    except StorageError as exc:
        if any(each.spool_id == interrupted.spool_id for each in shelf.interrupted()):
            raise
        say(exc.message)
        return None


def _finish(
    labelled: LabelledSpool, backend: BackendName, environment: Environment, how: _How
) -> Ended:
    from sayd_cli.capture.ended import EndedSource
    from sayd_cli.cli.run import Plan, Resumed, run_plan
    from sayd_cli.cli.screen import Show
    from sayd_cli.history.store import SessionStore
    from sayd_cli.listening.rules import Rules
    from sayd_cli.settings.paths import history_path

    record = None
    # The label as it is now: who had it until a moment ago may have come further.
    if labelled.label.session_id is not None:
        with SessionStore(history_path(environment)) as store:
            record = store.get(labelled.label.session_id)
        if record is None:
            # Deleted, or not yet written when the process died. What is heard now gets a session
            # of its own, and the label its name, so that nothing is heard again after a crash.
            labelled.relabel(replace(labelled.label, session_id=None))
    label = labelled.label
    heard = () if record is None else tuple(s for s in record.sentences if not s.unconfirmed)
    return run_plan(
        Plan(
            source=EndedSource(),
            backend=backend,
            settings=label.settings,
            rules=Rules(),
            show=Show(timestamps=how.timestamps, quiet=how.quiet, keys=False, paced=False),
            title=label.title,
            resumed=Resumed(labelled, label.session_id, heard),
        ),
        environment,
    )
