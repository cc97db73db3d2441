"""The two ends of a stream through the proxy, as bare sockets: what each of them gets is seen as it
is, which a WebSocket library would hide.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.faults.plan import Faults
from tests.faults.proxy import HOST, FaultProxy

LIMIT_S = 10
_UPGRADE = b"GET /s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@dataclass
class End:
    """One end of a stream, after the handshake."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self, count_bytes: int) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.readexactly(count_bytes)

    async def rest(self) -> bytes:
        """All up to the FIN."""
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.read()

    async def nothing_comes(self, for_s: float = 0.1) -> bool:
        try:
            async with asyncio.timeout(for_s):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass
class Ends:
    """A proxy with one stream through it."""

    proxy: FaultProxy
    client: End
    server: End


@asynccontextmanager
async def far_server() -> AsyncIterator[tuple[int, asyncio.Queue[End]]]:
    """A server that takes every request as one for a stream; its port, and the streams."""
    streams: asyncio.Queue[End] = asyncio.Queue()
    taken: list[End] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = End(reader, writer)
        taken.append(end)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_SWITCHED)
            streams.put_nowait(end)

    server = await asyncio.start_server(take, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1], streams
    finally:
        server.close()
        for end in taken:
            await end.close()


@asynccontextmanager
async def client_end(port: int) -> AsyncIterator[End]:
    """A stream through the proxy at that port."""
    async with asyncio.timeout(LIMIT_S):
        end = End(*await asyncio.open_connection(HOST, port))
    try:
        end.writer.write(_UPGRADE)
        assert await end.read(len(_SWITCHED)) == _SWITCHED
        yield end
    finally:
        await end.close()


@asynccontextmanager
async def ends(faults: Faults | None = None) -> AsyncIterator[Ends]:
    async with (
        far_server() as (port, streams),
        FaultProxy(HOST, port, faults) as proxy,
        client_end(proxy.port) as client,
    ):
        yield Ends(proxy, client, await streams.get())
