from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from sayd_cli.cli.signals import first_stop_signal
from sayd_cli.errors import EngineMissingError, UsageError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.secret import Secret
from sayd_cli.server.keys import KeyRing, load_keys
from sayd_cli.server.standalone import ServeSettings, serve
from tests.server.running import (
    KEY,
    KEYS,
    audio,
    client,
    created,
    eventually,
    rest_of,
    stream,
    until,
)
from tests.server.scripted_engine import ScriptedEngine


async def refused(
    host: str, port: int, keys: KeyRing, engine: ScriptedEngine | None = None
) -> UsageError:
    ready: list[str] = []
    with SessionStore(None) as store, pytest.raises(UsageError) as caught:
        await serve(
            ServeSettings(host, port, keys),
            engine or ScriptedEngine(),
            store,
            ready.append,
            first_stop_signal,
        )
    assert ready == []
    assert caught.value.remedy
    return caught.value


async def test_a_port_in_use() -> None:
    engine = ScriptedEngine()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = await refused("127.0.0.1", port, KEYS, engine)
    assert f"port {port} is in use" in error.message
    assert "port" in error.remedy
    assert not engine.started


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_others_need_a_key(host: str) -> None:
    error = await refused(host, 0, KeyRing())
    assert "--keys-file" in error.remedy


@pytest.mark.parametrize(
    ("host", "port"),
    [("no.such.host.invalid", 0), ("192.0.2.1", 0), ("x" * 70, 0)],
)
async def test_an_address_that_is_not_ours(host: str, port: int) -> None:
    assert "host" in (await refused(host, port, KEYS)).remedy


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
async def test_a_port_that_is_none(port: int) -> None:
    assert "--port" in (await refused("127.0.0.1", port, KEYS)).remedy


async def test_an_engine_that_is_missing() -> None:
    engine = ScriptedEngine(start_error=EngineMissingError("no engine", "install it"))
    with SessionStore(None) as store, pytest.raises(EngineMissingError, match="no engine"):
        await serve(
            ServeSettings("127.0.0.1", 0, KEYS), engine, store, lambda url: None, first_stop_signal
        )


async def serving(
    engine: ScriptedEngine, host: str, use: Callable[[str], Coroutine[None, None, None]]
) -> None:
    """Serve until SIGTERM, which ``use`` sends."""
    uses: list[asyncio.Task[None]] = []
    with SessionStore(None) as store:
        async with asyncio.timeout(30):
            await serve(
                ServeSettings(host, 0, KEYS),
                engine,
                store,
                lambda url: uses.append(asyncio.create_task(use(url))),
                first_stop_signal,
            )
            await uses[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_gives_open_streams_their_last_sentences(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    engine = ScriptedEngine()

    async def use(base_url: str) -> None:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for message in audio(3):
                await connection.send(message)
            await until(connection, "sentence")
            await eventually(lambda: engine.streams[0].fed_bytes == 96_000)
            os.kill(os.getpid(), number)
            heard = await rest_of(connection)
        assert heard.texts == engine.texts(3)[1:]
        assert heard.messages[-1]["message"] == "the server is stopping"
        assert heard.close_code == 1013

    await serving(engine, "127.0.0.1", use)
    assert engine.closed
    assert signal.getsignal(number) is before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
async def test_it_says_where_it_is(host: str) -> None:
    async def use(base_url: str) -> None:
        try:
            assert base_url.startswith(f"http://{host}:")
            session = await created(base_url.replace("0.0.0.0", "127.0.0.1"))
            assert session["websocket_url"].startswith(
                f"ws{base_url[4:]}".replace("0.0.0.0", "127.0.0.1")
            )
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    await serving(ScriptedEngine(), host, use)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
async def test_while_it_stops_nothing_new_is_begun() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(feed_gate=gate)

    async def use(base_url: str) -> None:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for message in audio(3):
                await connection.send(message)
            os.kill(os.getpid(), signal.SIGTERM)
            async with client(base_url) as rest, asyncio.timeout(10):
                while (await rest.post("/api/listen", json={})).status_code == 200:
                    pass
                answer = await rest.post("/api/listen", json={})
            assert answer.status_code == 503
            assert "error" in answer.json()
            assert "retry-after" in answer.headers
            gate.set()
            assert (await rest_of(connection)).close_code == 1013

    await serving(engine, "127.0.0.1", use)


class TestKeys:
    def test_a_key_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        path.write_text("# ours\n\n  sk-one \nsk-two # part\n".replace(" # part", ""))
        ring = load_keys(path)
        assert not ring.takes_any
        assert ring.owner("sk-one") != ring.owner("sk-two")
        with pytest.raises(Exception, match="not accepted"):
            ring.owner("# ours")

    @pytest.mark.parametrize("text", [b"", b"\n# only this\n", b"\xff\xfe\x00", b"two words\n"])
    def test_a_file_without_keys(self, tmp_path: Path, text: bytes) -> None:
        path = tmp_path / "keys"
        path.write_bytes(text)
        with pytest.raises(UsageError) as caught:
            load_keys(path)
        assert str(path) in caught.value.message
        assert "two words" not in caught.value.message

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(UsageError):
                load_keys(path)

    def test_an_owner_does_not_show_the_key(self) -> None:
        ring = KeyRing([Secret(KEY)])
        assert KEY not in ring.owner(KEY)
        assert KEY not in repr(ring)
        assert ring.owner(KEY) == KeyRing().owner(KEY)
