"""The server as a program of its own: ``sayd serve``.

Owns the address and the order of starting and stopping. Prints nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sayd_cli.errors import EngineMissingError, UsageError
from sayd_cli.server.binding import PORT_MAX, Address, bind, url_of
from sayd_cli.server.keys import KeyRing
from sayd_cli.server.limits import Limits

if TYPE_CHECKING:
    from sayd_cli.engine.port import Engine
    from sayd_cli.history.store import SessionStore


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Where the server listens, to whom, and how much it allows.

    Attributes:
        host: A name or an address of this machine.
        port: 0 for any free one.
        keys: Who may use it; a ring that takes any key is for loopback only.
        limits: What it allows.
    """

    host: str
    port: int
    keys: KeyRing
    limits: Limits = field(default_factory=Limits)


async def serve(
    settings: ServeSettings,
    engine: Engine,
    store: SessionStore,
    on_ready: Callable[[str], None],
    until: Callable[[], Awaitable[object]],
) -> None:
    """Serve until told to stop; open streams then have ``limits.drain_s`` for their last
    sentences.

    Args:
        settings: Where, and to whom.
        engine: Not started; closed on return.
        store: Open; stays so.
        on_ready: Called with ``http://HOST:PORT`` once connections are accepted and the engine
            is loaded.

    Raises:
        UsageError: The address cannot be used, or would be open to others without a key.
        EngineMissingError: The engine, or the server's libraries, are missing.
    """
    try:
        from sayd_cli.server.app import build_app
        from sayd_cli.server.listener import listening
        from sayd_cli.server.service import Service
    except ImportError as exc:
        raise EngineMissingError(
            f"the local server is not installed: no module {exc.name}",
            'install it with: pip install "sayd-cli[local]"',
        ) from exc
    with _listening_socket(settings) as bound:
        async with Service(engine, store, settings.keys, settings.limits) as service:
            await service.engine()
            app = build_app(service)
            async with listening(app, bound, service.streams.drain, behind_proxy=True):
                on_ready(url_of(settings.host, bound.getsockname()[1]))
                await until()


def _listening_socket(settings: ServeSettings) -> socket.socket:
    """Bound and listening; only to this machine, where any key is taken.

    Raises:
        UsageError: The address cannot be used, or would be open to others without a key.
    """
    if not 0 <= settings.port <= PORT_MAX:
        raise UsageError(
            f"there is no port {settings.port}", f"choose a --port from 0 to {PORT_MAX}"
        )
    binding = bind(Address(settings.host, settings.port))
    if settings.keys.takes_any and not binding.loopback:
        binding.socket.close()
        raise UsageError(
            f"without keys, anyone who reaches {settings.host} could use the server",
            "give --keys-file, or listen on 127.0.0.1",
        )
    return binding.socket
