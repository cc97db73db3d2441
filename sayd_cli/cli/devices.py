"""``sayd devices``: the microphones, and a test of one."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from sayd_cli.cli.json_text import json_text

_HEARS = {"microphone": "the room", "monitor": "this machine"}

app = typer.Typer(
    epilog="The default is marked with a star. Name one by its number, or by a part of its name "
    "that no other has: sayd listen --device NAME."
)


@app.callback(invoke_without_command=True)
def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Print a table; in a pipe, a line each with tabs between."""
    if context.invoked_subcommand is not None:
        return
    from sayd_cli.capture.devices import list_inputs
    from sayd_cli.cli.messages import say
    from sayd_cli.render.tables import Column, write_table
    from sayd_cli.render.terminal import write

    inputs = list_inputs()
    if as_json:
        rows = [
            {
                "index": device.index,
                "name": device.name,
                "kind": device.kind.value,
                "host_api": device.host_api,
                "default": device.is_default,
                "sample_rate": device.sample_rate_hz,
                "channels": device.channels,
            }
            for device in inputs
        ]
        write(sys.stdout, json_text(rows) + "\n")
        return
    if not inputs:
        say("there is no microphone here; `sayd doctor` says what to do about it")
        return
    write_table(
        sys.stdout,
        (
            Column(""),
            Column("Index", right=True),
            Column("Name", elastic=True),
            Column("Hears"),
            Column("Host API"),
            Column("Rate", right=True),
            Column("Channels", right=True),
        ),
        [
            (
                "*" if device.is_default else "",
                str(device.index),
                device.name,
                _HEARS[device.kind.value],
                device.host_api,
                f"{device.sample_rate_hz} Hz",
                str(device.channels),
            )
            for device in inputs
        ],
    )


@app.command(
    "test",
    help="Show how loud a microphone is.\n\nA level meter on a terminal; in a pipe, a line a "
    "second. Says whether it is muted, clips or is too quiet.",
)
def measure(
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="NAME|INDEX", help="Which microphone; see sayd devices."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            metavar="SECONDS",
            help="How long.",
            show_default="until Ctrl-C on a terminal, 5 in a pipe",
        ),
    ] = None,
) -> None:
    """Listen to it, and to nothing else: no service, no engine, nothing is kept."""
    from sayd_cli.cli.metering import meter_microphone
    from sayd_cli.errors import UsageError

    if seconds is not None and not 0 < seconds < float("inf"):
        raise UsageError("--seconds must be more than 0", "leave it out to end with Ctrl-C")
    asyncio.run(meter_microphone(device, seconds))
