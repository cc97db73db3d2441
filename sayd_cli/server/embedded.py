"""The server inside the process of ``sayd listen``: loopback, a random port, a random key.

Runs in the event loop of whoever enters it, touches no signal handler and keeps nothing on disk:
who listens keeps their own history.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from sayd_cli.errors import EngineMissingError, SaydError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.secret import Secret
from sayd_cli.server.keys import KeyRing
from sayd_cli.server.limits import Limits

if TYPE_CHECKING:
    from sayd_cli.engine.port import Engine
    from sayd_cli.server.service import Service

EMBEDDED_LIMITS = Limits(streams_per_key=None, idle_s=None, drain_s=0.0)
"""Its one client is in the same process: it has reasons to be silent, and once it has left,
nobody will ever ask for what is not transcribed, nor come back to a stream that waits."""

_RECEIVE_BUFFER_BYTES = 1 << 16  # Two seconds of PCM16 at 16 kHz; Linux takes it twice.


class EmbeddedServer:
    """A server for this process alone.

    An async context manager. Once entered it accepts connections at ``base_url`` with ``key``;
    the engine loads meanwhile, and a stream's ``ready`` waits for it. Leaving ends open streams
    within ``limits.drain_s``, then closes the engine.

    Args:
        engine: Not started; closed on leaving.
        limits: What it allows.

    Raises:
        EngineMissingError: On entering, when the server's libraries are not installed. When the
            engine cannot be loaded, its stream says so and ends; what the client makes of that
            (any SaydError that leaves the context) is replaced by the engine's own error.
    """

    def __init__(self, engine: Engine, limits: Limits = EMBEDDED_LIMITS) -> None:
        self._engine = engine
        self._limits = limits
        self._key = Secret(secrets.token_urlsafe(32))
        self._base_url = ""
        self._service: Service | None = None
        self._stack = AsyncExitStack()

    @property
    def base_url(self) -> str:
        """Where it is, ``http://127.0.0.1:PORT``; empty before it is entered."""
        return self._base_url

    @property
    def key(self) -> Secret:
        """The one key it takes."""
        return self._key

    @property
    def failure(self) -> BaseException | None:
        """Why the engine did not load; None while it loads and when it did."""
        return self._service.failure if self._service else None

    async def engine_ready(self) -> None:
        """Wait until the engine is loaded.

        Raises:
            EngineMissingError: It cannot be.
        """
        if self._service is None:
            raise RuntimeError("the server is not entered")
        await self._service.engine()

    async def __aenter__(self) -> EmbeddedServer:
        try:
            from sayd_cli.server.app import build_app
            from sayd_cli.server.listener import listening
            from sayd_cli.server.service import Service
        except ImportError as exc:
            raise EngineMissingError(
                f"the local server is not installed: no module {exc.name}",
                'install it with: pip install "sayd-cli[local]"',
            ) from exc
        async with AsyncExitStack() as stack:
            store = stack.enter_context(SessionStore(None))
            service = Service(self._engine, store, KeyRing([self._key]), self._limits)
            await stack.enter_async_context(service)
            bound = stack.enter_context(socket.socket())
            # What waits in the socket is audio that a stop would still have to wait for.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            bound.bind(("127.0.0.1", 0))
            await stack.enter_async_context(
                listening(build_app(service), bound, service.streams.drain)
            )
            self._base_url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            self._service = service
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
        failure = self.failure
        if failure is not None and isinstance(error, SaydError) and error is not failure:
            raise failure from error
