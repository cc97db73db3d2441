"""The config file: read, and checked as far as it can be without knowing the commands.

Owns the file's form: its sections, the settings of the service, and that no key is in it. What
the options of a command are, and which values they take, only the command line knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from sayd_cli.errors import UsageError
from sayd_cli.settings.environment import BackendChoice

LISTEN = "listen"
SERVICE = "service"
BASE_URL = "base-url"
BACKEND = "backend"

_SECTIONS = (LISTEN, SERVICE)
_SERVICE_NAMES = (BASE_URL, BACKEND)
_SECRET_NAMES = frozenset({"key", "api-key", "apikey", "sayd-api-key", "token", "secret"})


@dataclass(frozen=True, slots=True)
class Config:
    """What a config file says.

    Attributes:
        path: The file.
        base_url: The service's address; None where the file does not say.
        backend: Which service is asked for; None where the file does not say.
        listen: The section for ``sayd listen``: names of options, with dashes and without those
            in front, and what TOML made of their values. Not checked yet.
    """

    path: Path
    base_url: str | None = None
    backend: BackendChoice | None = None
    listen: Mapping[str, object] = field(default_factory=dict)


def load_config(path: Path) -> Config:
    """Read a config file; one that does not exist says nothing.

    Raises:
        UsageError: The file cannot be read, is not TOML, has a name that is not known or a value
            that it cannot have, or has a key in it. Tells the file, and where in it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config(path)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}", "check the file") from exc
    sections = _parsed(path, data)
    for name, content in sections.items():
        if not isinstance(content, dict):
            _refuse_top_level(path, name)
        if name not in _SECTIONS:
            _refuse_unknown(path, f"section [{name}]", name, _SECTIONS)
    listen = _named(path, LISTEN, sections.get(LISTEN, {}))
    service = _named(path, SERVICE, sections.get(SERVICE, {}))
    for name in service:
        if name not in _SERVICE_NAMES:
            _refuse_unknown(path, f"{name!r} in [{SERVICE}]", name, _SERVICE_NAMES)
    return Config(path, _base_url(path, service), _backend(path, service), listen)


def unknown_name(path: Path, name: str, known: Iterable[str]) -> UsageError:
    """What to say of a name in ``[listen]`` that no option has."""
    return _unknown(path, f"{name!r} in [{LISTEN}]", name, known)


def wrong_value(path: Path, section: str, name: str, wanted: str, remedy: str = "") -> UsageError:
    """What to say of a value that a setting cannot have."""
    return UsageError(f"{path}: {name} in [{section}] must be {wanted}", remedy)


def _parsed(path: Path, data: bytes) -> dict[str, object]:
    import tomllib

    try:
        # Editors on Windows begin a file with a byte order mark, which TOML has no word for.
        return tomllib.loads(data.decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path} is not TOML: {exc}", "correct that line") from exc
    except (UnicodeDecodeError, RecursionError) as exc:
        raise UsageError(f"{path} is not TOML: it is not UTF-8 text", "save it as UTF-8") from exc


def _named(path: Path, section: str, content: object) -> dict[str, object]:
    """The section with its names as options have them: ``no_history`` is ``no-history``."""
    named: dict[str, object] = {}
    for given, value in content.items() if isinstance(content, dict) else ():
        name = given.replace("_", "-")
        _refuse_secret(path, name)
        if name in named:
            raise UsageError(f"{path}: {name} in [{section}] is given twice", "keep one of them")
        named[name] = value
    return named


def _base_url(path: Path, service: Mapping[str, object]) -> str | None:
    value = service.get(BASE_URL)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise wrong_value(path, SERVICE, BASE_URL, 'a URL such as "https://api.sayd.dev"')
    return value.strip()


def _backend(path: Path, service: Mapping[str, object]) -> BackendChoice | None:
    value = service.get(BACKEND)
    if value is None:
        return None
    if not isinstance(value, str) or value not in list(BackendChoice):
        choices = ", ".join(f'"{choice}"' for choice in BackendChoice)
        raise wrong_value(path, SERVICE, BACKEND, f"one of {choices}")
    return BackendChoice(value)


def _refuse_secret(path: Path, name: str) -> None:
    if name.casefold() in _SECRET_NAMES:
        raise UsageError(
            f"{path} has a key in it, which is no place for one",
            "take it out, and run `sayd auth login`",
        )


def _refuse_top_level(path: Path, name: str) -> NoReturn:
    dashed = name.replace("_", "-")
    _refuse_secret(path, dashed)
    section = SERVICE if dashed in _SERVICE_NAMES else LISTEN
    raise UsageError(
        f"{path}: {name} stands outside of a section", f"put it below a line [{section}]"
    )


def _refuse_unknown(path: Path, what: str, name: str, known: Iterable[str]) -> NoReturn:
    raise _unknown(path, what, name, known)


def _unknown(path: Path, what: str, name: str, known: Iterable[str]) -> UsageError:
    names = list(known)
    close = get_close_matches(name, names, cutoff=0.7)
    remedy = f"did you mean {' or '.join(close)}?" if close else f"there is {', '.join(names)}"
    return UsageError(f"{path}: there is no {what}", remedy)
