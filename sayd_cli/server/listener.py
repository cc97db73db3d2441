"""A listening socket with uvicorn behind it, as a part of a running event loop.

The only place that knows uvicorn, and what has to be taken from it: its signal handlers, its
logging of URLs, its own idea of an end. Import it where it is used: it is not cheap.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import uvicorn
from starlette.applications import Starlette

_MESSAGE_LIMIT_BYTES = 16 << 20
"""What the WebSocket library itself refuses, without a word. The server's own limit is lower, and
says why: a message must be read to be answered."""

_CUT_OFF_S = 1
"""How long connections that are left after the drain have to close."""

_PING_S = 1.0
"""Clients of ours wait 3.5 s for anything."""

_TICK_S = 1.0
"""How often the ``Date`` header is brought up to date."""


_uvicorn_log = logging.getLogger("uvicorn.error")


def _is_news(record: logging.LogRecord) -> bool:
    """False for what uvicorn says of every WebSocket that is refused with an answer of its own, as
    those to an unknown path are: its client has got that answer.
    """
    return record.msg != "ASGI callable returned without completing handshake."


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()
        self.leaving = asyncio.Event()
        self._drain = drain

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever owns the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    async def main_loop(self) -> None:
        while not self.leaving.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self.leaving.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn's own shutdown cuts every WebSocket off at once; streams end before it.
        await self._drain()
        await super().shutdown(sockets)


@contextlib.asynccontextmanager
async def listening(
    app: Starlette,
    bound: socket.socket,
    drain: Callable[[], Awaitable[None]],
    *,
    behind_proxy: bool = False,
) -> AsyncIterator[None]:
    """Serve the application while the context is open; on entering it accepts already.

    Args:
        app: The application.
        bound: A bound socket; closed on leaving.
        drain: Awaited on leaving, before connections are closed.
        behind_proxy: Believe a proxy on this machine about the scheme its client used.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=_MESSAGE_LIMIT_BYTES,
        # While a stream waits for the engine it reads nothing, and so answers no ping: its client
        # would take it for dead. Pings tell it otherwise.
        ws_ping_interval=_PING_S,
        # A client that sends a file as fast as it can fills the socket; a pong behind megabytes
        # of audio would come too late. Streams have a limit of their own: ``Limits.idle_s``.
        ws_ping_timeout=None,
        ws_per_message_deflate=False,  # Audio does not get smaller.
        lifespan="off",
        # uvicorn logs the URL of every WebSocket at INFO, and the websockets library every header
        # and message at DEBUG: the key is in the first, speech in the second.
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=behind_proxy,
        server_header=False,
        timeout_graceful_shutdown=_CUT_OFF_S,
    )
    _uvicorn_log.addFilter(_is_news)  # A second time changes nothing.
    server = _Uvicorn(config, drain)
    serving = asyncio.create_task(server.serve(sockets=[bound]), name="sayd-server")
    try:
        accepting = asyncio.create_task(server.accepting.wait())
        await asyncio.wait({serving, accepting}, return_when=asyncio.FIRST_COMPLETED)
        accepting.cancel()
        if serving.done():
            serving.result()
        yield
    finally:
        server.leaving.set()
        await serving
