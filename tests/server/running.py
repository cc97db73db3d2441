"""Servers and clients for the tests of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

from sayd_cli.engine.port import Engine
from sayd_cli.history.store import SessionStore
from sayd_cli.model.secret import Secret
from sayd_cli.server.keys import KeyRing
from sayd_cli.server.limits import Limits
from sayd_cli.server.standalone import ServeSettings, serve

KEY = "sk-test-0123456789"
OTHER_KEY = "sk-other-987654321"
KEYS = KeyRing([Secret(KEY), Secret(OTHER_KEY)])
LIMIT_S = 10
"""How long a test waits for what must come."""


@asynccontextmanager
async def running(
    engine: Engine,
    store: SessionStore | None = None,
    keys: KeyRing = KEYS,
    limits: Limits | None = None,
) -> AsyncIterator[str]:
    """The standalone server on a free port; gives its base URL."""
    settings = ServeSettings("127.0.0.1", 0, keys, limits or Limits())
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with SessionStore(None) as own:
        serving = asyncio.create_task(
            serve(settings, engine, store or own, url.set_result, asyncio.Event().wait)
        )
        serving.add_done_callback(lambda _: url.cancel())
        await asyncio.wait({url})
        if url.cancelled():
            await serving
        try:
            yield url.result()
        finally:
            serving.cancel()
            await asyncio.wait({serving})
            if not serving.cancelled():
                serving.result()


def client(base_url: str, key: str | None = KEY) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": key}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=LIMIT_S)


async def created(base_url: str, key: str = KEY, **body: Any) -> dict[str, Any]:
    async with client(base_url, key) as rest:
        response = await rest.post("/api/listen", json=body)
    assert response.status_code == 200, response.text
    session = response.json()
    assert isinstance(session, dict)
    return session


async def record(base_url: str, session_id: str, key: str = KEY) -> dict[str, Any]:
    async with client(base_url, key) as rest:
        response = await rest.get(f"/api/listen/{session_id}")
    assert response.status_code == 200, response.text
    found = response.json()
    assert isinstance(found, dict)
    return found


@dataclass
class Heard:
    """All that a server said on a stream, and how it closed it."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    close_code: int | None = None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.of("sentence")]

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


@asynccontextmanager
async def stream(url: str) -> AsyncIterator[ClientConnection]:
    async with connect(url, open_timeout=LIMIT_S, close_timeout=1) as connection:
        yield connection


async def until(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """Read on to the next message of that type."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            message = json.loads(await connection.recv())
            assert isinstance(message, dict)
            if message["type"] == kind:
                return message


async def rest_of(connection: ClientConnection) -> Heard:
    """All that comes until the server closes."""
    heard = Heard()
    async with asyncio.timeout(LIMIT_S):
        try:
            async for text in connection:
                heard.messages.append(json.loads(text))
        except websockets.ConnectionClosed:
            pass  # The code tells.
    heard.close_code = connection.close_code
    return heard


async def said(url: str, *messages: bytes | str) -> Heard:
    """Send these after ``ready`` (or what comes in its place), and hear the server out."""
    async with stream(url) as connection:
        async with asyncio.timeout(LIMIT_S):
            first = json.loads(await connection.recv())
        if first["type"] == "ready":
            for message in messages:
                await connection.send(message)
        heard = await rest_of(connection)
    heard.messages.insert(0, first)
    return heard


END = '{"type":"end"}'
KEEPALIVE = '{"type":"keepalive"}'


def closing(*messages: bytes | str) -> list[bytes | str]:
    """These, then ``end``."""
    return [*messages, END]


def audio(duration_s: float, sample_rate_hz: int = 16000) -> list[bytes]:
    """Silence in messages of 100 ms; the last may be shorter."""
    pcm = bytes(round(duration_s * sample_rate_hz) * 2)
    step = sample_rate_hz // 10 * 2
    return [pcm[at : at + step] for at in range(0, len(pcm), step)]


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(0.005)
