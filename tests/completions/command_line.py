"""The command line as Typer has it, for tests to hold what was generated against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from sayd_cli.cli.app import build


def commands_and_options() -> dict[str, set[str]]:
    """Every command by its words, ``sayd`` first, with every name of its options."""
    return dict(_below(typer.main.get_command(build()), "sayd", None))


def _below(command: Any, where: str, parent: Any) -> Iterator[tuple[str, set[str]]]:
    context = command.make_context(where, [], parent=parent, resilient_parsing=True)
    options = [item for item in command.get_params(context) if item.param_type_name == "option"]
    yield where, {name for item in options for name in (*item.opts, *item.secondary_opts)}
    for name, below in getattr(command, "commands", {}).items():
        yield from _below(below, f"{where} {name}", context)
