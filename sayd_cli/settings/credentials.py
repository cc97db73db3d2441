"""The key to the service: where it is kept, and how it is found again.

``SAYD_API_KEY`` comes first. Else there is one file, readable by its owner only, which holds the
key or says that the system's keyring has it. So a keyring is asked only where it was given a key:
it may be slow, or open a window to be unlocked. With ``SAYD_HOME`` it is never asked: such a home
is complete in itself, and what is outside of it is somebody else's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sayd_cli.errors import KeyMissingError, KeyRefusedError, StorageError
from sayd_cli.model.secret import Secret
from sayd_cli.settings.environment import Environment
from sayd_cli.settings.keyring import SystemKeyring
from sayd_cli.settings.paths import credentials_path

VARIABLE = "SAYD_API_KEY"

_NOTE = "# Written by `sayd auth login`; `sayd auth logout` removes it.\n"
_FILE_BYTES = 1 << 16
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeySource(StrEnum):
    """Where a key comes from."""

    VARIABLE = VARIABLE
    KEYRING = "keyring"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and where it was found."""

    key: Secret
    source: KeySource


@dataclass(frozen=True, slots=True)
class KeptKey:
    """Where a key was put.

    Attributes:
        source: The keyring or the file.
        reason: Why it is not the keyring; empty when it is.
    """

    source: KeySource
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Record:
    """What the file says: the key itself, or that the system's keyring has it, or neither."""

    key: Secret | None = None
    in_keyring: bool = False


def key_source(environment: Environment) -> KeySource | None:
    """Where the key is, known without asking a keyring; None when there is none.

    Raises:
        KeyMissingError: The credentials file cannot be used.
    """
    if environment.given_key is not None:
        return KeySource.VARIABLE
    record = _load(credentials_path(environment))
    if record.key is not None:
        return KeySource.FILE
    return KeySource.KEYRING if record.in_keyring and environment.home is None else None


def find_key(environment: Environment) -> FoundKey | None:
    """The key, asked for only where one is needed: this may wait for a keyring.

    Raises:
        KeyRefusedError: What was found cannot be a key.
        KeyMissingError: There should be one, and it cannot be read.
    """
    source = key_source(environment)
    match source:
        case None:
            return None
        case KeySource.VARIABLE:
            key = environment.given_key
        case KeySource.FILE:
            key = _load(credentials_path(environment)).key
        case KeySource.KEYRING:
            key = _from_keyring()
    if key is None:
        raise KeyMissingError("the key has gone from where it was kept", "run `sayd auth login`")
    remedy = f"check {VARIABLE}" if source is KeySource.VARIABLE else "run `sayd auth login`"
    check_key(key, f"{remedy}: copy it again; or use --local")
    return FoundKey(key, source)


def check_key(key: Secret, remedy: str) -> None:
    """Make sure that this can be a key.

    Raises:
        KeyRefusedError: It has characters that no key has, or is empty.
    """
    value = key.reveal()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise KeyRefusedError("the key holds characters that no key has", remedy)


def store_key(
    environment: Environment, key: Secret, on_wait: Callable[[], None] = lambda: None
) -> KeptKey:
    """Keep a key in the system's keyring, or else in the file; it takes the place of any other.

    Args:
        environment: What the user has set.
        key: The key.
        on_wait: Called when the keyring takes its time.

    Raises:
        StorageError: The file cannot be written.
    """
    path = credentials_path(environment)
    if environment.home is not None:
        _save(path, f"key = {_quoted(key)}\n")
        return KeptKey(KeySource.FILE)
    try:
        SystemKeyring(on_wait).write(key)
    except StorageError as exc:
        _save(path, f"key = {_quoted(key)}\n")
        return KeptKey(KeySource.FILE, exc.message)
    _save(path, "keyring = true\n")
    return KeptKey(KeySource.KEYRING)


def remove_key(
    environment: Environment, on_wait: Callable[[], None] = lambda: None
) -> tuple[KeySource, ...]:
    """Remove the key that is kept; gives where it was, which may be nowhere.

    Args:
        environment: What the user has set.
        on_wait: Called when the keyring takes its time.

    Raises:
        StorageError: It is there and cannot be removed.
    """
    path = credentials_path(environment)
    try:
        record = _load(path)
    except KeyMissingError:
        # Not fit to be used; it can still be removed.
        record = None
    removed = []
    if environment.home is None:
        try:
            if SystemKeyring(on_wait).delete():
                removed.append(KeySource.KEYRING)
        except StorageError:
            if record is not None and record.in_keyring:
                raise
    if record is None or record.key is not None:
        removed.append(KeySource.FILE)
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise StorageError(f"{path} cannot be removed: {exc.strerror}", "remove it") from exc
    return tuple(removed)


def _from_keyring() -> Secret | None:
    try:
        return SystemKeyring().read()
    except StorageError as exc:
        raise KeyMissingError(exc.message, f"unlock it, or set {VARIABLE}, or use --local") from exc


def _load(path: Path) -> _Record:
    """What the file says; one that does not exist says nothing.

    Raises:
        KeyMissingError: Others can read it, or nobody can.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_FILE_BYTES)
    except FileNotFoundError:
        return _Record()
    except OSError as exc:
        raise KeyMissingError(
            f"the key in {path} cannot be read: {exc.strerror}", "check who may read the file"
        ) from exc
    # Windows keeps a user's folder to the user; its modes say nothing.
    if os.name == "posix" and mode & _OTHERS:
        raise KeyMissingError(
            f"others can read the key in {path}, so it is not used",
            f"chmod 600 {path}, and think of getting a new key",
        )
    record = _parsed(data)
    if record is None:
        raise KeyMissingError(f"there is no key to be read in {path}", "run `sayd auth login`")
    return record


def _parsed(data: bytes) -> _Record | None:
    import tomllib

    try:
        found = tomllib.loads(data.decode())
    except ValueError:
        # Not told: the error may quote what is in the file.
        return None
    key = found.get("key")
    if isinstance(key, str):
        return _Record(key=Secret(key))
    return _Record(in_keyring=True) if found.get("keyring") is True else None


def _quoted(key: Secret) -> str:
    """As TOML has it, of printable ASCII."""
    escaped = key.reveal().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _save(path: Path, text: str) -> None:
    """Write the file in one step, for its owner alone from its first byte."""
    from tempfile import mkstemp

    unfinished = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, unfinished = mkstemp(prefix=path.name, dir=path.parent)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(_NOTE + text)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    except OSError as exc:
        if unfinished is not None:
            with suppress(OSError):
                Path(unfinished).unlink()
        raise StorageError(
            f"the key cannot be kept in {path}: {exc.strerror}", "check the folder and its disk"
        ) from exc
