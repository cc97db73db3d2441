"""What a first run needs, one check each; none of them changes anything, or shows the key.

Owns what is good enough. Those that may hang or crash are in ``probes``.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from sayd_cli import __version__
from sayd_cli.capture.daemon import in_daemon_thread
from sayd_cli.cli.defaults import listen_defaults
from sayd_cli.cli.extras import require_local
from sayd_cli.cli.finding import Finding, Status, ok, problem, warning
from sayd_cli.cli.listen import check_files, check_local_language, check_values
from sayd_cli.errors import (
    EngineMissingError,
    KeyMissingError,
    SaydError,
    StorageError,
    UnreachableError,
    UsageError,
)
from sayd_cli.model.session import SessionSettings
from sayd_cli.settings.config import load_config
from sayd_cli.settings.credentials import FoundKey, KeySource, find_key
from sayd_cli.settings.environment import (
    BackendChoice,
    Environment,
    read_environment,
    read_variables,
)
from sayd_cli.settings.paths import (
    config_directory,
    config_path,
    data_directory,
    history_path,
    spool_directory,
)

_KEY_LIMIT_S = 40.0
"""A keyring that asks for its password is waited for, for as long as ``find_key`` does."""
_CLOCK_OFF = timedelta(minutes=1)
_ROOM_BYTES = 200 << 20
"""An hour and a half of audio, at 16 kHz."""
_NARROW = 20
_PLACES = {
    KeySource.VARIABLE: "SAYD_API_KEY",
    KeySource.KEYRING: "the system's keyring",
    KeySource.FILE: "the credentials file",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run of ``sayd listen`` without options would go by.

    Attributes:
        environment: The environment and the config file.
        local: Whether the config file asks for the engine here, or for the service; None for
            neither.
        device: The microphone that it names.
    """

    environment: Environment
    local: bool | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class CloudReport:
    """What was found of the way to the service.

    Attributes:
        key: Where the key is, or why it cannot be used; None where there is none.
        service: The service and its clock; empty where there is no key to ask it with.
    """

    key: Finding | None
    service: tuple[Finding, ...] = ()

    def findings(self, *, is_used: bool) -> tuple[Finding, ...]:
        """What there is to say of it.

        Args:
            is_used: Listening would use the service.
        """
        if self.key is not None:
            found = (self.key, *self.service)
            return found if is_used else tuple(map(_no_problem, found))
        if not is_used:
            return (ok("key", "none, and not needed: the engine on this machine is used"),)
        remedy = "run `sayd auth login`, set SAYD_API_KEY, or use --local"
        return (problem("key", KeyMissingError("no key for the service", remedy)),)


def check_python() -> Finding:
    """Which Python runs this, and which sayd it is."""
    return ok("python", f"{platform.python_version()} at {sys.executable}, with sayd {__version__}")


def check_terminal(out: TextIO, err: TextIO) -> Finding:
    """What the live view can do, where there is a terminal to have it on."""
    from rich.console import Console

    from sayd_cli.render.terminal import can_move_cursor, size

    stream = out if out.isatty() or not err.isatty() else err
    encoding = (stream.encoding or "ascii").lower().replace("_", "-")
    if not stream.isatty():
        found = ok("terminal", f"none: results are plain lines, in {encoding}")
    else:
        columns, rows = size(stream)
        colours = Console(file=stream).color_system
        seen = f"{os.environ.get('TERM', 'a console')}, {columns} by {rows}, {encoding}"
        seen += ", no colours" if colours is None else f", colours: {colours}"
        found = ok("terminal", seen)
        if not can_move_cursor(stream):
            return warning("terminal", f"{seen}: no live view", "set TERM to what the terminal is")
        if columns < _NARROW:
            return warning("terminal", f"{seen}: too narrow", "make it wider")
    if encoding not in ("utf-8", "utf8", "cp65001"):
        return warning(
            "terminal",
            f"{found.detail}: text in other scripts is shown as \\uXXXX",
            "use a UTF-8 locale: export LC_ALL=C.UTF-8 (PYTHONUTF8=1 on Windows)",
        )
    return found


def check_config(variables: Mapping[str, str]) -> tuple[Finding, Settings]:
    """Whether the config file can be used, and what it and the environment say; without the file
    where it is wrong.
    """
    environment = read_variables(variables)
    path = config_path(environment)
    try:
        environment = read_environment(variables)
        defaults = listen_defaults(load_config(path), variables)
    except SaydError as exc:
        return problem("config", exc), Settings(environment)
    local, device = defaults.get("local"), defaults.get("device")
    settings = Settings(
        environment,
        local=local if isinstance(local, bool) else None,
        device=None if device is None else str(device),
    )
    try:
        _check_defaults(defaults, settings)
    except UsageError as exc:
        return problem("config", UsageError(f"{path}: {exc.message}", exc.remedy)), settings
    return ok("config", str(path) if path.exists() else f"none at {path}"), settings


def _check_defaults(defaults: Mapping[str, Any], settings: Settings) -> None:
    """As ``sayd listen`` does, before it opens anything."""
    language = defaults.get("language", "multi")
    check_values(
        duration=defaults.get("duration"),
        until_silence=defaults.get("until_silence"),
        captions=defaults.get("captions"),
    )
    SessionSettings(language, defaults.get("rate", 16000))
    files = {name: Path(defaults[name]) for name in ("record", "caption_file") if name in defaults}
    outputs = [Path(name) for name in defaults.get("output", ())]
    check_files(None, outputs, files.get("record"), files.get("caption_file"))
    # Not by asking for a key, which may take long; that has a row of its own.
    if settings.local or settings.environment.backend is BackendChoice.LOCAL:
        with suppress(EngineMissingError):  # That has a row of its own.
            check_local_language(language)


async def check_cloud(environment: Environment) -> CloudReport:
    """Where the key is; with one, whether the service is there and takes it, and whether its
    clock agrees with ours.
    """
    from sayd_cli.transport.clock import clock_ahead

    try:
        found = await in_daemon_thread(
            lambda: find_key(environment), name="doctor-key", limit_s=_KEY_LIMIT_S
        )
    except SaydError as exc:
        return CloudReport(problem("key", exc))
    except TimeoutError:
        error = KeyMissingError("the keyring does not answer", "unlock it, or set SAYD_API_KEY")
        return CloudReport(problem("key", error))
    if found is None:
        return CloudReport(None)
    service, ahead = await asyncio.gather(
        _ask(environment, found), clock_ahead(environment.base_url)
    )
    clock = () if ahead is None else (_clock(ahead),)
    return CloudReport(ok("key", f"found in {_PLACES[found.source]}"), (service, *clock))


def uses_local(narrowed: bool | None, settings: Settings, report: CloudReport | None) -> bool:
    """Whether the engine on this machine would be used; decided as ``sayd listen`` does.

    Args:
        narrowed: What ``--local`` or ``--cloud`` said.
        settings: The settings.
        report: Whether there is a key; None where that does not matter.
    """
    if narrowed is not None:
        return narrowed
    if settings.local is not None:
        return settings.local
    if settings.environment.backend is not BackendChoice.AUTO:
        return settings.environment.backend is BackendChoice.LOCAL
    return report is None or report.key is None


def missing_engine() -> EngineMissingError | None:
    """That the engine is not installed; None where it is."""
    try:
        require_local()
    except EngineMissingError as exc:
        return exc
    return None


def judge_engine(
    found: Sequence[Finding], missing: EngineMissingError | None, *, is_used: bool
) -> Finding:
    """What there is to say of the engine.

    Args:
        found: What its probe found, where it is installed.
        missing: That it is not.
        is_used: Listening would use it.
    """
    if missing is None:
        return found[0] if is_used else _no_problem(found[0])
    if is_used:
        return problem("engine", missing)
    return ok("engine", "not installed, and not needed: the service is used")


def check_storage(environment: Environment) -> tuple[Finding, ...]:
    """Whether what is heard can be kept, and whether others can read it."""
    return (
        check_directory("data", data_directory(environment), private=True),
        check_directory("spool", spool_directory(environment), private=True, needs_room=True),
        check_directory("settings", config_directory(environment), private=False),
        check_history(history_path(environment)),
    )


def check_directory(name: str, path: Path, *, private: bool, needs_room: bool = False) -> Finding:
    """Whether a directory can be made or written to, by us and nobody else.

    Args:
        name: What it is for.
        path: Where it is, or would be.
        private: What is in it is nobody else's business.
        needs_room: Much is written to it.
    """
    existing = path
    try:
        existing = next(place for place in (path, *path.parents) if place.exists())
        if not existing.is_dir():
            raise NotADirectoryError(0, "it is not a directory")
        if existing == path:
            with tempfile.TemporaryFile(dir=path) as file:
                file.write(bytes(4096))
        elif not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(0, "it may not be written to")
        free_bytes = shutil.disk_usage(existing).free
    except OSError as exc:
        error = StorageError(
            f"{path} cannot be used: {existing}: {exc.strerror}",
            "make it a directory of yours with room in it, or name another with SAYD_HOME",
        )
        return problem(name, error)
    detail = str(path) if existing == path else f"{path}, made when it is needed"
    if existing == path and (others := _open_to_others(path, private=private)):
        return warning(name, f"{path} can be {others} by others", f"chmod 700 '{path}'")
    if needs_room and free_bytes < _ROOM_BYTES:
        return warning(name, f"{detail}, {free_bytes >> 20} MiB free", "make room on that disk")
    return ok(name, f"{detail}, {_size(free_bytes)} free" if needs_room else detail)


def check_history(path: Path) -> Finding:
    """Whether the history opens; one that is not there yet is not made."""
    from sayd_cli.history.store import SessionStore

    if not path.exists():
        return ok("history", "empty")
    try:
        with SessionStore(path):
            return ok("history", f"{path}, {_size(path.stat().st_size)}")
    except SaydError as exc:
        return problem("history", exc)


def _no_problem(finding: Finding) -> Finding:
    """Of something that is not used: no more than a warning."""
    if finding.status is not Status.PROBLEM:
        return finding
    return replace(finding, status=Status.WARNING, exit_status=0)


async def _ask(environment: Environment, found: FoundKey) -> Finding:
    from sayd_cli.transport.address import shown_host
    from sayd_cli.transport.api import ListenApi

    began_s = time.monotonic()
    try:
        async with ListenApi(environment.base_url, found.key) as api:
            await api.list(limit=1, offset=0)
    except UnreachableError as exc:
        if "certificate" not in exc.message:
            return problem("service", exc)
        # A certificate is not valid yet, or not any more, on a machine whose clock is wrong.
        now = datetime.now().astimezone()
        remedy = f"if it is not {now:%Y-%m-%d %H:%M}, set this machine's clock; else {exc.remedy}"
        return problem("service", UnreachableError(exc.message, remedy))
    except SaydError as exc:
        return problem("service", exc)
    took_ms = round((time.monotonic() - began_s) * 1000)
    return ok("service", f"{shown_host(environment.base_url)} takes the key, {took_ms} ms")


def _clock(ahead: timedelta) -> Finding:
    seconds = abs(ahead).total_seconds()
    if abs(ahead) < _CLOCK_OFF:
        return ok("clock", f"within {max(1, round(seconds))} s of the service's")
    side = "ahead of" if ahead > timedelta(0) else "behind"
    return warning(
        "clock", f"{round(seconds)} s {side} the service's", "have it set over the network"
    )


def _open_to_others(path: Path, *, private: bool) -> str:
    """What others may do with it and should not; empty for nothing."""
    if os.name == "nt":
        return ""  # the mode says nothing there
    mode = path.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "written"
    return "read" if private and mode & (stat.S_IRWXG | stat.S_IRWXO) else ""


def _size(count_bytes: int) -> str:
    return f"{count_bytes / (1 << 30):.1f} GiB" if count_bytes >= 1 << 30 else _small(count_bytes)


def _small(count_bytes: int) -> str:
    return f"{count_bytes / (1 << 20):.1f} MiB"
