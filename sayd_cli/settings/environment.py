"""The settings that come from the environment, read once and passed on as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sayd_cli.errors import KeyRefusedError, UsageError
from sayd_cli.model.secret import Secret

DEFAULT_BASE_URL = "https://api.sayd.dev"


class BackendChoice(StrEnum):
    """Which service ``SAYD_BACKEND`` asks for."""

    AUTO = "auto"
    CLOUD = "cloud"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the user has set.

    Attributes:
        given_key: ``SAYD_API_KEY`` as it was given; None when absent or empty.
        base_url: ``SAYD_BASE_URL``, or the hosted service.
        backend: ``SAYD_BACKEND``.
        home: ``SAYD_HOME``: one folder for everything; None for the platform's own places.
        log: ``SAYD_LOG``: ``debug`` or a file's path; empty for none.
    """

    given_key: Secret | None
    base_url: str
    backend: BackendChoice
    home: str | None
    log: str

    @property
    def key(self) -> Secret | None:
        """The key, if there is one; asked for only where one is needed.

        Raises:
            KeyRefusedError: What was given cannot be a key.
        """
        if self.given_key is not None:
            _check_key(self.given_key.reveal())
        return self.given_key


def read_environment(variables: Mapping[str, str]) -> Environment:
    """The settings in a process's environment.

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


def _check_key(value: str) -> None:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise KeyRefusedError(
            "the key holds characters that no key has",
            "check SAYD_API_KEY: copy it again; or use --local",
        )
