"""Which service a run uses, and the service itself: the cloud, or our own server right here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from sayd_cli.cli.extras import require_local
from sayd_cli.errors import KeyMissingError
from sayd_cli.listening.rules import Rules
from sayd_cli.model.secret import Secret
from sayd_cli.model.session import BackendName
from sayd_cli.settings.credentials import find_key, key_source
from sayd_cli.settings.environment import BackendChoice, Environment
from sayd_cli.transport.service import Service


def choose_backend(environment: Environment, *, local: bool | None) -> BackendName:
    """Where the words are to come from: the option, then the environment, then whether there is
    a key.

    Args:
        environment: What the user has set.
        local: What ``--local`` or ``--cloud`` said; None for neither.

    Raises:
        KeyMissingError: The cloud is asked for, and there is no key; or one that cannot be used.
    """
    if local is None and environment.backend is not BackendChoice.AUTO:
        local = environment.backend is BackendChoice.LOCAL
    if local is None:
        local = key_source(environment) is None
    if local:
        return BackendName.LOCAL
    if key_source(environment) is None:
        raise KeyMissingError(
            "no key for the service", "run `sayd auth login`, set SAYD_API_KEY, or use --local"
        )
    return BackendName.CLOUD


def service_of(
    backend: BackendName, environment: Environment
) -> AbstractAsyncContextManager[Service]:
    """The service, when entered.

    Raises:
        EngineMissingError: The local engine is asked for and not installed. Known at once,
            before a microphone is opened for nothing.
    """
    if backend is BackendName.LOCAL:
        require_local()
        return _local()
    return _cloud(environment.base_url, cloud_key(environment))


def rules_with(backend: BackendName, rules: Rules) -> Rules:
    """How a run goes with that service.

    The engine in this process cannot have gone: while nothing comes it is at work, on a machine
    that is slow or has other things to do. It gets a minute for a sentence, of which the longest
    takes 0.7 s of an idle core, and five for all that waits.
    """
    if backend is BackendName.LOCAL:
        return replace(rules, complete_timeout_s=60.0, complete_limit_s=300.0)
    return rules


def cloud_key(environment: Environment) -> Secret:
    """The key to the service; this may wait for the system's keyring.

    Raises:
        KeyMissingError: There is none, or it cannot be read.
        KeyRefusedError: What is there cannot be a key.
    """
    found = find_key(environment)
    if found is None:
        raise KeyMissingError(
            "no key for the service",
            "run `sayd auth login`, or set SAYD_API_KEY; `sayd serve` is a service of your own",
        )
    return found.key


@asynccontextmanager
async def _cloud(base_url: str, key: Secret) -> AsyncIterator[Service]:
    yield Service(BackendName.CLOUD, base_url, key)


@asynccontextmanager
async def _local() -> AsyncIterator[Service]:
    # What is captured meanwhile must get to the disk, and the loop brings it there.
    await asyncio.to_thread(_import_local)
    from sayd_cli.engine.embedded import EmbeddedEngine
    from sayd_cli.server.embedded import EmbeddedServer

    async with EmbeddedServer(EmbeddedEngine()) as server:
        yield Service(BackendName.LOCAL, server.base_url, server.key)


def _import_local() -> None:
    """Import what the local service is made of, which takes half a second."""
    with suppress(ImportError):  # Who needs it says so, and better.
        import sayd_cli.engine.embedded
        import sayd_cli.server.app
        import sayd_cli.server.embedded
        import sayd_cli.server.listener  # noqa: F401
