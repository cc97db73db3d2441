"""``sayd serve``: the Sayd API on this machine, for any client of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer


def command(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8765,
    keys_file: Annotated[
        Path | None,
        typer.Option(
            "--keys-file",
            metavar="FILE",
            help="The keys that are accepted, one a line.",
            show_default="any key, on a loopback address only",
        ),
    ] = None,
) -> None:
    """Ctrl-C stops, after open streams have got their last words."""
    from sayd_cli.cli.extras import require_local
    from sayd_cli.cli.messages import say
    from sayd_cli.cli.signals import first_stop_signal
    from sayd_cli.settings.environment import read_environment
    from sayd_cli.settings.paths import server_path

    require_local()
    from sayd_cli.engine.embedded import EmbeddedEngine
    from sayd_cli.history.store import SessionStore
    from sayd_cli.server.keys import KeyRing, load_keys
    from sayd_cli.server.standalone import ServeSettings, serve

    keys = KeyRing() if keys_file is None else load_keys(keys_file)
    with SessionStore(server_path(read_environment(os.environ))) as store:
        asyncio.run(
            serve(
                ServeSettings(host, port, keys),
                EmbeddedEngine(),
                store,
                on_ready=lambda url: say(f"listening on {url}"),
                until=first_stop_signal,
            )
        )
