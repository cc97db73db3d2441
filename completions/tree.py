"""The command line as a value: commands, options, arguments, and what can follow each.

Owns what is read from the Typer app, and which values the type of a parameter does not tell.
Refuses to know any shell.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import typer
from typer.core import TyperGroup

from sayd_cli.cli.app import build
from sayd_cli.model.audio import SAMPLE_RATES_HZ


class Kind(Enum):
    """Values that nobody knows before they are asked for."""

    FILE = "file"
    PROGRAM = "program"
    DEVICE = "device"
    SESSION = "session"
    INTERRUPTED = "interrupted"
    """A listening that `sayd recover` can finish."""
    FREE = "free"
    """Anything at all."""


Values = tuple[str, ...] | Kind

_BY_METAVAR: dict[str | None, Values] = {
    "SOURCE": Kind.FILE,
    "FILE": Kind.FILE,
    "COMMAND": Kind.PROGRAM,
    "NAME|INDEX": Kind.DEVICE,
    "ID": Kind.SESSION,
    "ID…": Kind.SESSION,
    "HZ": tuple(map(str, SAMPLE_RATES_HZ)),
    "LANGUAGE": ("auto", "multi", "en", "en-US", "en-GB", "zh", "zh-CN", "zh-TW"),
    "SECONDS": Kind.FREE,
    "HOST:PORT": Kind.FREE,
    "QUERY…": Kind.FREE,
    None: Kind.FREE,
}
"""Values that the type of a parameter does not tell. One that is not here stops the generator."""

_BY_PLACE: dict[tuple[str, str], Values] = {("sayd recover", "ID…"): Kind.INTERRUPTED}
"""Where the same metavar means something else."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names, the long one first.

    Attributes:
        names: All that say the same.
        others: Those of the flag that says the opposite.
        inverse: It is the second of such a pair; its first carries the default.
        summary: What it does.
        label: What stands for its value.
        values: What can follow; None for a flag.
        closed: Nothing but these values can follow.
        repeatable: It may be given more than once.
        default: What it is where it is not given, in words; may be empty.
    """

    names: tuple[str, ...]
    others: tuple[str, ...]
    inverse: bool
    summary: str
    label: str
    values: Values | None
    closed: bool
    repeatable: bool
    default: str


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument."""

    label: str
    summary: str
    values: Values
    repeatable: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command with everything below it.

    Attributes:
        path: Its words, the program first.
        summary: What it does, one line.
        details: The paragraphs of its help after that.
        options: In the order of its help.
        arguments: In their order.
        commands: Those below it.
    """

    path: tuple[str, ...]
    summary: str
    details: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path[-1]

    @property
    def where(self) -> str:
        """Its path in one string: ``sayd sessions list``."""
        return " ".join(self.path)

    def walk(self) -> Iterator[Command]:
        """Itself, then all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def command_tree() -> Command:
    """The whole command line, as the app has it."""
    return _command(typer.main.get_command(build()), ("sayd",), None)


def _command(command: Any, path: tuple[str, ...], parent: Any) -> Command:
    # Any, because Typer carries its own copy of Click in new releases and uses Click in old ones.
    context = command.make_context(path[-1], [], parent=parent, resilient_parsing=True)
    shown = [item for item in command.get_params(context) if not item.hidden]
    options = [item for item in shown if item.param_type_name == "option"]
    arguments = [item for item in shown if item.param_type_name == "argument"]
    below = command.commands if isinstance(command, TyperGroup) else {}
    summary, *details = _paragraphs(command.help or "") or [""]
    return Command(
        path,
        summary,
        (*details, *_paragraphs(command.epilog or "")),
        tuple(option for item in options for option in _options(item, context, path)),
        tuple(_argument(item, context, path) for item in arguments),
        tuple(
            _command(item, (*path, name), context)
            for name, item in below.items()
            if not item.hidden
        ),
    )


def _paragraphs(text: str) -> list[str]:
    return [" ".join(each.split()) for each in inspect.cleandoc(text).split("\n\n") if each.strip()]


def _argument(item: Any, context: Any, path: tuple[str, ...]) -> Argument:
    values = _values(item, context, path)
    return Argument(_label(item), item.help or "", values, item.nargs != 1, item.required)


def _options(item: Any, context: Any, path: tuple[str, ...]) -> Iterator[Option]:
    values = None if item.is_flag or item.count else _values(item, context, path)
    closed = values is not None and bool(_choices(item, context))
    yes, no = (
        tuple(sorted(names, key=len, reverse=True)) for names in (item.opts, item.secondary_opts)
    )
    first = Option(
        names=yes,
        others=no,
        inverse=False,
        summary=item.help or "",
        label=_label(item),
        values=values,
        closed=closed,
        repeatable=item.multiple,
        default=_default(item, context),
    )
    yield first
    if no:
        # The help of --local and --cloud is of both; that of --once is not of --no-once.
        summary = f"The opposite of {yes[0]}." if _negate(yes[0], no[0]) else first.summary
        yield replace(first, names=no, others=yes, inverse=True, summary=summary, default="")


def _negate(one: str, other: str) -> bool:
    return f"--no-{one[2:]}" == other or f"--no-{other[2:]}" == one


def _label(item: Any) -> str:
    label: str = item.metavar or item.name.strip("_").upper()
    return label


def _default(item: Any, context: Any) -> str:
    if isinstance(item.show_default, str):
        return item.show_default
    value = None if item.is_flag or not item.show_default else item.get_default(context)
    return "" if value is None else str(value.value if isinstance(value, Enum) else value)


def _values(item: Any, context: Any, path: tuple[str, ...]) -> Values:
    if choices := _choices(item, context):
        return choices
    special = _BY_PLACE.get((" ".join(path), item.metavar))
    return _BY_METAVAR[item.metavar] if special is None else special


def _choices(item: Any, context: Any) -> tuple[str, ...]:
    return tuple(choice.value for choice in item.shell_complete(context, "") if choice.value)
