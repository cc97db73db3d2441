"""``sayd doctor``: checks everything that a first run needs, and says what to do about it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from sayd_cli.cli.json_text import json_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sayd_cli.cli.finding import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_STATUS_CELLS = 7
_NAME_CELLS = 10
_NARROW_CELLS = 50


def command(
    local: Annotated[
        bool | None,
        typer.Option(
            "--local/--cloud",
            help="Check for the engine on this machine only, or for the service only.",
            show_default="both; what would be used must work",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Listens to the microphone for a second. Exits with 0 only when sayd listen would work."""
    status = asyncio.run(_report(local, as_json=as_json))
    if status:
        raise typer.Exit(status)


async def _report(local: bool | None, *, as_json: bool) -> int:
    """Check everything, and tell it; gives the exit status."""
    from sayd_cli.cli.messages import say
    from sayd_cli.render.terminal import write

    found: list[Finding] = []
    async with aclosing(_examine(local)) as findings:
        async for finding in findings:
            found.append(finding)
            if not as_json:
                _show(finding)
    status = next((finding.exit_status for finding in found if finding.exit_status), 0)
    if as_json:
        rows = [finding.to_json() for finding in found]
        write(sys.stdout, json_text(rows) + "\n")
    else:
        say("sayd listen works here" if status == 0 else "sayd listen does not work here yet")
    return status


async def _examine(narrowed: bool | None) -> AsyncGenerator[Finding, None]:
    """The findings, in the order they are shown in; what takes long is done side by side.

    Args:
        narrowed: True to leave out the service, False to leave out the engine, None for neither.
    """
    from sayd_cli.cli import checks
    from sayd_cli.cli.probes import probe
    from sayd_cli.hook.environment import inherited_variables

    config, settings = checks.check_config(os.environ)
    environment = settings.environment
    # None of them needs the key.
    inherited = inherited_variables(os.environ, None)
    missing = checks.missing_engine()
    cloud = asyncio.create_task(checks.check_cloud(environment)) if narrowed is not True else None
    audio = asyncio.create_task(probe("audio", inherited, settings.device))
    engine = (
        asyncio.create_task(probe("engine", inherited))
        if narrowed is not False and missing is None
        else None
    )
    try:
        yield checks.check_python()
        yield config
        yield checks.check_terminal(sys.stdout, sys.stderr)
        report = await cloud if cloud is not None else None
        uses_local = checks.uses_local(narrowed, settings, report)
        if report is not None:
            for finding in report.findings(is_used=not uses_local):
                yield finding
        if narrowed is not False:
            found = await engine if engine is not None else ()
            yield checks.judge_engine(found, missing, is_used=uses_local)
        for finding in await audio:
            yield finding
        for finding in await asyncio.to_thread(checks.check_storage, environment):
            yield finding
    finally:
        tasks = [task for task in (cloud, audio, engine) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _show(finding: Finding) -> None:
    """A line for a pipe, its fields with tabs between; on a terminal a row, wrapped."""
    from rich.console import Console

    from sayd_cli.render.terminal import size, write
    from sayd_cli.transcript.sanitize import sanitize

    cells = [sanitize(cell) for cell in finding.to_json().values()]
    if not sys.stdout.isatty():
        write(sys.stdout, "\t".join(cells) + "\n")
        return
    width, height = size(sys.stdout)
    console = Console(file=sys.stdout, width=width, height=height, highlight=False)
    with console.capture() as capture:
        console.print(_row(*cells, is_narrow=width < _NARROW_CELLS))
    write(sys.stdout, "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _row(name: str, status: str, detail: str, remedy: str, *, is_narrow: bool) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    said = Text(detail)
    if remedy:
        said.append(f"\n{remedy}", style="bold")
    judged, named = Text(status, style=_COLOURS[status]), Text(name)
    if is_narrow:
        return Group(Text.assemble(judged, " ", named), Padding(said, (0, 0, 0, 2)))
    row = Table.grid(padding=(0, 2, 0, 0))
    for cells in (_STATUS_CELLS, _NAME_CELLS, None):
        row.add_column(width=cells, overflow="fold")
    row.add_row(judged, named, said)
    return row
