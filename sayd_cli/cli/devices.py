"""``sayd devices``: the microphones."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """The default is marked with a star. Name one by its number, or by a part of its name that no
    other has: sayd listen --device NAME.
    """
    from sayd_cli.capture.devices import list_inputs
    from sayd_cli.render.tables import Column, write_table
    from sayd_cli.render.terminal import write

    inputs = list_inputs()
    if as_json:
        rows = [
            {
                "index": device.index,
                "name": device.name,
                "host_api": device.host_api,
                "default": device.is_default,
                "sample_rate": device.sample_rate_hz,
                "channels": device.channels,
            }
            for device in inputs
        ]
        write(sys.stdout, json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
        return
    write_table(
        sys.stdout,
        (
            Column(""),
            Column("Index", right=True),
            Column("Name", elastic=True),
            Column("Host API"),
            Column("Rate", right=True),
            Column("Channels", right=True),
        ),
        [
            (
                "*" if device.is_default else "",
                str(device.index),
                device.name,
                device.host_api,
                f"{device.sample_rate_hz} Hz",
                str(device.channels),
            )
            for device in inputs
        ],
    )
