"""A server that answers every connection with the same bytes, whatever it is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Canned:
    base_url: str
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def canned(answer: bytes | None) -> AsyncIterator[Canned]:
    """Serve ``answer`` and close; None reads nothing and closes at once."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if answer is not None:
                head = await reader.readuntil(b"\r\n\r\n")
                server.requests.append(head)
                writer.write(answer)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = Canned(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    async with listener:
        yield server
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def http(status: int, body: str, headers: str = "") -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n{headers}"
    return head.encode() + b"\r\n" + data
