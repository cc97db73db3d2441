"""From the config file to the defaults of ``sayd listen``.

Owns the way from a name and a value in TOML to a default of a parameter. What the options are is
read from the command's own signature, so that an option cannot be without its setting.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from typer.models import OptionInfo

from sayd_cli.errors import UsageError
from sayd_cli.settings.config import LISTEN, Config, unknown_name, wrong_value

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """An option that the config file can set.

    Attributes:
        parameter: The name that the command's function has for it.
        name: Its long name without the dashes, which is its name in the file.
        opposite: The same of the flag that says the opposite; empty where there is none.
        kind: The type of its value, or of each of its values.
        repeatable: It has any number of values.
        default: Its value where nobody sets it.
        default_note: What ``--help`` says of that, where it says something.
        least, most: Its bounds, where it has any.
    """

    parameter: str
    name: str
    opposite: str
    kind: type
    repeatable: bool
    default: object
    default_note: str
    least: float | None
    most: float | None


def settings_of(command: Callable[..., None]) -> tuple[Setting, ...]:
    """The options of a command that Typer makes of this function, in their order."""
    hints = get_type_hints(command, include_extras=True)
    found = []
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if get_origin(hint) is not Annotated:
            continue
        annotation, *notes = get_args(hint)
        for info in notes:
            if isinstance(info, OptionInfo):
                found.append(_setting(parameter, annotation, info))
    return tuple(found)


def configured(config: Config, settings: Sequence[Setting]) -> dict[str, Value]:
    """The values that the config file sets, by the names of the function's parameters.

    Raises:
        UsageError: A name that no option has, or a value that the option cannot have.
    """
    by_name = {setting.name: setting for setting in settings}
    opposites = {setting.opposite: setting for setting in settings if setting.opposite}
    values: dict[str, Value] = {}
    for name, value in config.listen.items():
        if name in opposites:
            raise UsageError(
                f"{config.path}: {name!r} in [{LISTEN}] is the opposite of a setting",
                f"write {opposites[name].name} = false",
            )
        if name not in by_name:
            raise unknown_name(config.path, name, by_name)
        setting = by_name[name]
        values[setting.parameter] = _checked(config.path, setting, value)
    return values


def listen_defaults(config: Config, variables: Mapping[str, str]) -> dict[str, Value]:
    """The defaults of ``sayd listen`` that are not the options' own.

    Args:
        config: The config file.
        variables: The process's environment, which comes before the file.

    Raises:
        UsageError: As ``configured`` does.
    """
    from sayd_cli.cli.listen import command

    values = configured(config, settings_of(command))
    if variables.get("SAYD_BACKEND"):
        values.pop("local", None)
    return values


def _setting(parameter: inspect.Parameter, annotation: Any, info: OptionInfo) -> Setting:
    kind, repeatable = _kind(annotation)
    # Beside Annotated, Typer has the first name where else the default stands.
    names = (info.default, *(info.param_decls or ()))
    long = [name for name in names if isinstance(name, str) and name.startswith("--")]
    given = long[0] if long else f"--{parameter.name.replace('_', '-')}"
    name, _, opposite = given.partition("/")
    return Setting(
        parameter=parameter.name,
        name=name.strip().removeprefix("--"),
        opposite=opposite.strip().removeprefix("--"),
        kind=kind,
        repeatable=repeatable,
        default=parameter.default,
        default_note=info.show_default if isinstance(info.show_default, str) else "",
        least=info.min,
        most=info.max,
    )


def _kind(annotation: Any) -> tuple[type, bool]:
    """The type of one value, and whether there may be several."""
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(item for item in get_args(annotation) if item is not NoneType)
    if get_origin(annotation) is list:
        return get_args(annotation)[0], True
    return annotation, False


def _checked(path: Path, setting: Setting, value: object) -> Value:
    if not setting.repeatable:
        return _scalar(path, setting, value)
    # One is as good as a list of one.
    several = value if isinstance(value, list) else [value]
    return tuple(_scalar(path, setting, item) for item in several)


def _scalar(path: Path, setting: Setting, value: object) -> Scalar:
    """The value as the command line would give it to Typer, which checks it once more."""
    kind = setting.kind
    wanted, remedy = _wanted(setting), ""
    if kind is bool:
        if isinstance(value, bool):
            return value
    elif isinstance(value, bool):
        pass
    elif kind in (int, float):
        numeric = int if kind is int else (int, float)
        if isinstance(value, numeric) and isfinite(value) and _within(setting, value):
            return value
    elif issubclass(kind, Enum):
        choices = [str(item.value) for item in kind]
        if value in choices:
            return str(value)
        close = get_close_matches(str(value), choices, n=1)
        remedy = f"did you mean {close[0]}?" if close else ""
    elif isinstance(value, str):
        # On a command line the shell does this.
        return str(Path(value).expanduser()) if issubclass(kind, Path) else value
    elif kind is str and isinstance(value, int):
        return str(value)  # a device by its number
    raise wrong_value(path, LISTEN, setting.name, wanted, remedy)


def _within(setting: Setting, value: float) -> bool:
    above = setting.least is None or value >= setting.least
    return above and (setting.most is None or value <= setting.most)


def _wanted(setting: Setting) -> str:
    kind = setting.kind
    if issubclass(kind, Enum):
        return "one of " + ", ".join(f'"{item.value}"' for item in kind)
    names = {bool: "true or false", int: "a whole number", float: "a number"}
    wanted = names.get(kind, "a text in quotes")
    bounds = [
        f"{word} {bound}"
        for word, bound in (("at least", setting.least), ("at most", setting.most))
        if bound is not None
    ]
    several = ", or a list of such" if setting.repeatable else ""
    return " ".join((wanted, *bounds)) + several
