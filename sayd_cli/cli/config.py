"""``sayd config``: where the config file is, and what is set by it, by the environment, or not."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from sayd_cli.cli.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sayd_cli.settings.config import Config
    from sayd_cli.settings.environment import Environment

app = typer.Typer(no_args_is_help=False)

_CONFIG_FILE = "config file"
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class _Row:
    """A setting as it is shown.

    Attributes:
        name: Its section and its name in the file.
        value: As JSON has it; None where nothing is set and nothing is the default.
        source: Where the value comes from.
        note: What is shown to a person in place of no value.
    """

    name: str
    value: object
    source: str
    note: str = ""

    @property
    def shown(self) -> str:
        """The value as the file would have it."""
        if self.value is None:
            return f"({self.note})" if self.note else ""
        return json_text(self.value, indent=None)


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("path", help="Print where the config file is, or would be.")
def path() -> None:
    """Print one line, whether the file exists or not."""
    from sayd_cli.render.terminal import write
    from sayd_cli.settings.environment import read_variables
    from sayd_cli.settings.paths import config_path
    from sayd_cli.transcript.sanitize import sanitize

    name = str(config_path(read_variables(os.environ)))
    # A program gets the name as it is; a terminal is not to be steered by it.
    write(sys.stdout, f"{sanitize(name) if sys.stdout.isatty() else name}\n")


@app.command("show", help="Show every setting, its value, and where that comes from.")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Print a table; in a pipe, a line each with tabs between."""
    from sayd_cli.render.tables import Column, write_table
    from sayd_cli.render.terminal import write
    from sayd_cli.settings.config import load_config
    from sayd_cli.settings.credentials import key_source
    from sayd_cli.settings.environment import read_environment, read_variables
    from sayd_cli.settings.paths import config_path

    config = load_config(config_path(read_variables(os.environ)))
    environment = read_environment(os.environ)
    rows = [*_listen_rows(config), *_service_rows(config, environment)]
    source = key_source(environment)
    if as_json:
        told = {
            "path": str(config.path),
            "exists": config.path.exists(),
            "settings": [
                {"name": row.name, "value": row.value, "source": row.source} for row in rows
            ],
            "key": None if source is None else source.value,
        }
        write(sys.stdout, f"{json_text(told)}\n")
        return
    key = "not set" if source is None else f"set ({source.value})"
    write_table(
        sys.stdout,
        (Column("Setting"), Column("Value", elastic=True), Column("Source")),
        [*((row.name, row.shown, row.source) for row in rows), ("key", key, "")],
    )


def _listen_rows(config: Config) -> Iterator[_Row]:
    from sayd_cli.cli.defaults import configured, settings_of
    from sayd_cli.cli.listen import command
    from sayd_cli.settings.config import LISTEN

    settings = settings_of(command)
    values = configured(config, settings)
    backend = os.environ.get("SAYD_BACKEND", "")
    for setting in settings:
        name = f"{LISTEN}.{setting.name}"
        if setting.parameter == "local" and backend:
            value = {"local": True, "cloud": False}.get(backend)
            yield _Row(name, value, "SAYD_BACKEND", setting.default_note)
        elif setting.parameter in values:
            yield _Row(name, values[setting.parameter], _CONFIG_FILE)
        else:
            yield _Row(name, _plain(setting.default), _DEFAULT, setting.default_note)


def _service_rows(config: Config, environment: Environment) -> Iterator[_Row]:
    from sayd_cli.settings.config import BACKEND, BASE_URL, SERVICE
    from sayd_cli.transport.address import shown_address

    for name, value, variable, in_file in (
        (BASE_URL, shown_address(environment.base_url), "SAYD_BASE_URL", config.base_url),
        (BACKEND, environment.backend.value, "SAYD_BACKEND", config.backend),
    ):
        source = _DEFAULT if in_file is None else _CONFIG_FILE
        if os.environ.get(variable, "").strip():
            source = variable
        yield _Row(f"{SERVICE}.{name}", value, source)


def _plain(default: object) -> object:
    return default.value if isinstance(default, Enum) else default
