"""The settings of a whole run: environment variables before the config file, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from sayd_cli.errors import UsageError
from sayd_cli.model.secret import Secret

DEFAULT_BASE_URL = "https://api.sayd.dev"


class BackendChoice(StrEnum):
    """Which service the user asks for."""

    AUTO = "auto"
    CLOUD = "cloud"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the user has set.

    Attributes:
        given_key: ``SAYD_API_KEY`` as it was given; None when absent or empty. Whether there is a
            key at all, and where, is known by ``settings.credentials``.
        base_url: ``SAYD_BASE_URL``, else the config file's, else the hosted service.
        backend: ``SAYD_BACKEND``, else the config file's.
        home: ``SAYD_HOME``: one folder for everything; None for the platform's own places.
        log: ``SAYD_LOG``: ``debug`` or a file's path; empty for none.
    """

    given_key: Secret | None
    base_url: str
    backend: BackendChoice
    home: str | None
    log: str


def read_variables(variables: Mapping[str, str]) -> Environment:
    """The settings in a process's environment, without the config file.

    Raises:
        UsageError: A variable has a value that it cannot have.
    """
    backend = variables.get("SAYD_BACKEND") or BackendChoice.AUTO.value
    if backend not in list(BackendChoice):
        raise UsageError(
            f"SAYD_BACKEND is {backend!r}", f"use one of {', '.join(BackendChoice)}, or unset it"
        )
    key = variables.get("SAYD_API_KEY", "").strip()
    return Environment(
        given_key=Secret(key) if key else None,
        base_url=variables.get("SAYD_BASE_URL", "").strip() or DEFAULT_BASE_URL,
        backend=BackendChoice(backend),
        home=variables.get("SAYD_HOME") or None,
        log=variables.get("SAYD_LOG", ""),
    )


def read_environment(variables: Mapping[str, str]) -> Environment:
    """The settings in a process's environment, and in the config file that it leads to.

    Raises:
        UsageError: A variable has a value that it cannot have, or the config file is wrong.
    """
    from sayd_cli.settings.config import load_config
    from sayd_cli.settings.paths import config_path

    environment = read_variables(variables)
    config = load_config(config_path(environment))
    if config.base_url is not None and not variables.get("SAYD_BASE_URL", "").strip():
        environment = replace(environment, base_url=config.base_url)
    if config.backend is not None and not variables.get("SAYD_BACKEND"):
        environment = replace(environment, backend=config.backend)
    return environment
