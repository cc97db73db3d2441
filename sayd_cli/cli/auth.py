"""``sayd auth``: the key is taken from a hidden prompt or a pipe, checked, and kept.

There is no option that takes it: it would show in ``ps`` and in the shell's history.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from sayd_cli.cli.json_text import json_text
from sayd_cli.errors import KeyMissingError, KeyRefusedError, SaydError, UsageError
from sayd_cli.model.secret import MASK, Secret

app = typer.Typer(no_args_is_help=False)

_KEY_BYTES = 4096
"""More than any key has."""

_TOLD_CHARS = 4
_TOLD_FROM_CHARS = 16
"""Of a key so long its end may be told: what is left is beyond guessing."""


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("login", help="Ask for the key, check it, and keep it.")
def login() -> None:
    """Take the key from a hidden prompt, or from standard input: one line."""
    from sayd_cli.cli.messages import say
    from sayd_cli.settings.credentials import VARIABLE, KeySource, check_key, store_key
    from sayd_cli.settings.environment import read_environment
    from sayd_cli.settings.paths import credentials_path

    environment = read_environment(os.environ)
    key = _given_key()
    check_key(key, "copy it again, without anything around it")
    unchecked = asyncio.run(_check(environment.base_url, key))
    kept = store_key(environment, key, _tell_waiting)
    if unchecked is not None:
        say(f"the key could not be checked: {unchecked.message}")
    if kept.source is KeySource.KEYRING:
        say("the key is kept in the system's keyring")
    else:
        why = f" ({kept.reason})" if kept.reason else ""
        say(f"the key is kept in {credentials_path(environment)}, which only you can read{why}")
    if environment.given_key is not None:
        say(f"{VARIABLE} is set, and comes before it")


@app.command("status", help="Tell whether there is a key, and where. Exit status 3 if none.")
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Print where the key is, and of the key itself no more than its end."""
    from sayd_cli.render.terminal import write
    from sayd_cli.settings.credentials import KeySource, find_key
    from sayd_cli.settings.environment import read_environment
    from sayd_cli.settings.paths import credentials_path
    from sayd_cli.transcript.sanitize import sanitize
    from sayd_cli.transport.address import shown_address

    environment = read_environment(os.environ)
    found = find_key(environment)
    service = sanitize(shown_address(environment.base_url))
    if as_json:
        told = {
            "key": found is not None,
            "source": None if found is None else found.source.value,
            "shown": None if found is None else shown_key(found.key),
            "service": service,
        }
        write(sys.stdout, f"{json_text(told, indent=None)}\n")
        if found is None:
            raise typer.Exit(KeyMissingError.exit_status)
        return
    if found is None:
        raise KeyMissingError(
            f"no key for {service}", "run `sayd auth login`; without one, the local engine listens"
        )
    where = {
        KeySource.VARIABLE: KeySource.VARIABLE.value,
        KeySource.KEYRING: "the system's keyring",
        KeySource.FILE: str(credentials_path(environment)),
    }
    text = f"key {shown_key(found.key)} for {service}, from {sanitize(where[found.source])}\n"
    write(sys.stdout, text)


@app.command("logout", help="Remove the key that is kept.")
def logout() -> None:
    """Remove it from the system's keyring and from its file; fine when there is none."""
    from sayd_cli.cli.messages import say
    from sayd_cli.settings.credentials import VARIABLE, KeySource, remove_key
    from sayd_cli.settings.environment import read_variables
    from sayd_cli.settings.paths import credentials_path

    environment = read_variables(os.environ)
    removed = remove_key(environment, _tell_waiting)
    names = {
        KeySource.KEYRING: "the system's keyring",
        KeySource.FILE: str(credentials_path(environment)),
    }
    where = " and ".join(names[source] for source in removed)
    say(f"the key is removed from {where}" if removed else "there was no key to remove")
    if environment.given_key is not None:
        say(f"{VARIABLE} is set, and still used: unset it")


def shown_key(key: Secret) -> str:
    """A key as it may be told: its end where it is long, and nothing of it where it is short."""
    value = key.reveal()
    return MASK + (value[-_TOLD_CHARS:] if len(value) >= _TOLD_FROM_CHARS else "")


def _given_key() -> Secret:
    """What is typed, or the first line of what is piped.

    Raises:
        UsageError: Nothing is, or the terminal cannot hide it.
        KeyRefusedError: It is not text of a key's kind.
    """
    if sys.stdin is None:
        raise UsageError("there is no standard input", "run it in a terminal, or pipe the key")
    line = _typed() if sys.stdin.isatty() else _piped()
    value = line.strip()
    if not value:
        raise UsageError("no key was given", "type or paste it, or pipe it: sayd auth login < FILE")
    return Secret(value)


def _typed() -> str:
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            # It warns, and then shows what is typed.
            warnings.simplefilter("error", GetPassWarning)
            return getpass("API key (hidden): ")
    except GetPassWarning as exc:
        raise UsageError(
            "this terminal cannot hide what is typed", "pipe the key: sayd auth login < FILE"
        ) from exc
    except EOFError:
        return ""


def _piped() -> str:
    data = sys.stdin.buffer.readline(_KEY_BYTES)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        # Not chained: the original error holds what was piped.
        pass
    raise KeyRefusedError(
        "the key holds characters that no key has", "pipe the key alone, on one line"
    )


async def _check(base_url: str, key: Secret) -> SaydError | None:
    """Ask the service about the key; gives why it could not be asked, if it could not.

    Raises:
        KeyRefusedError: It refuses the key.
        SaydError: What answers is not a service that can tell.
    """
    from sayd_cli.transport.api import ListenApi

    try:
        async with ListenApi(base_url, key) as api:
            await api.list(limit=1, offset=0)
    except KeyRefusedError as exc:
        raise KeyRefusedError(
            exc.message, "it is not kept; copy the key again, or look at its subscription"
        ) from exc
    except SaydError as exc:
        if not exc.retryable:
            raise
        return exc
    return None


def _tell_waiting() -> None:
    from sayd_cli.cli.messages import say

    say("waiting for the system's keyring; a window may be asking for its password")
