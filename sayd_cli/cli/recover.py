"""``sayd recover``: finishing what a crash or an outage interrupted."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import typer

from sayd_cli.errors import SaydError, UsageError

if TYPE_CHECKING:
    from sayd_cli.model.audio import Frame, Interruption
    from sayd_cli.model.transcript import Sentence
    from sayd_cli.settings.environment import Environment
    from sayd_cli.spool.shelf import Interrupted


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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
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
    found = _chosen(Shelf(spool_directory(environment)).interrupted(), references or [])
    if list_:
        for interrupted in found:
            typer.echo(f"{interrupted.spool_id}  {_described(interrupted)}")
        return
    if discard:
        _discard(found, yes=yes)
        return
    if not found:
        say("nothing was interrupted")
    failure: SaydError | None = None
    for interrupted in found:
        if not quiet:
            say(f"finishing {_described(interrupted)}")
        try:
            _finish(interrupted, environment, local=local, timestamps=timestamps, quiet=quiet)
        except SaydError as exc:
            # The others may fare better; nothing of this one is lost.
            failure = failure or exc
            say(f"not finished: {exc.message}")
    if failure is not None:
        raise failure


def _chosen(found: list[Interrupted], references: list[str]) -> list[Interrupted]:
    if not references:
        return found
    chosen = []
    for reference in references:
        named = [each for each in found if _is_named(each, reference)]
        if len(named) != 1:
            what = "no interrupted listening" if not named else "more than one begins with"
            raise UsageError(f"{what} {reference!r}", "sayd recover --list shows what there is")
        chosen += [each for each in named if each not in chosen]
    return chosen


def _is_named(interrupted: Interrupted, reference: str) -> bool:
    names = (interrupted.spool_id, interrupted.label.session_id or "")
    return bool(reference) and any(name.startswith(reference) for name in names)


def _described(interrupted: Interrupted) -> str:
    label = interrupted.label
    title = f", {label.title}" if label.title else ""
    return f"{_local_time(label.started_at)}, {interrupted.audio_s:.0f} s of audio{title}"


def _local_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _discard(found: list[Interrupted], *, yes: bool) -> None:
    from sayd_cli.cli.messages import say

    for interrupted in found:
        if not yes and not typer.confirm(f"Throw away {_described(interrupted)}?", err=True):
            continue
        with interrupted.open() as labelled:
            labelled.discard()
        say(f"thrown away: {_described(interrupted)}")


def _finish(
    interrupted: Interrupted,
    environment: Environment,
    *,
    local: bool | None,
    timestamps: bool,
    quiet: bool,
) -> None:
    from sayd_cli.cli.backend import choose_backend
    from sayd_cli.cli.run import Plan, Resumed, run_plan
    from sayd_cli.cli.screen import Show
    from sayd_cli.history.store import SessionStore
    from sayd_cli.listening.rules import Rules
    from sayd_cli.model.session import BackendName
    from sayd_cli.settings.paths import history_path

    if local is None:
        local = interrupted.label.backend is BackendName.LOCAL
    backend = choose_backend(environment, local=local)
    with interrupted.open() as labelled:
        # Read again: who had it until now may have come further.
        label = labelled.label
        session_id = label.session_id
        heard: tuple[Sentence, ...] = ()
        if session_id is not None:
            with SessionStore(history_path(environment)) as store:
                record = store.get(session_id)
            if record is None:
                session_id = None
            else:
                heard = tuple(s for s in record.sentences if not s.unconfirmed)
        run_plan(
            Plan(
                source=_NothingMore(),
                backend=backend,
                settings=label.settings,
                rules=Rules(),
                show=Show(timestamps=timestamps, quiet=quiet, keys=False),
                title=label.title,
                resumed=Resumed(labelled, session_id, heard),
            ),
            environment,
        )


class _NothingMore:
    """A source that has ended: all there is to hear is in the spool."""

    live = False
    can_wait = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        nothing: tuple[Frame, ...] = ()
        for frame in nothing:
            yield frame

    def stop(self) -> None: ...

    def notices(self) -> list[str]:
        return []
