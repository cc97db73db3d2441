from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace

import httpx
import pytest

from sayd_cli.errors import EngineMissingError, RefusedError
from sayd_cli.server.embedded import EMBEDDED_LIMITS, EmbeddedServer
from sayd_cli.server.limits import Limits
from tests.server.running import (
    END,
    audio,
    client,
    created,
    eventually,
    rest_of,
    said,
    stream,
    until,
)
from tests.server.scripted_engine import ScriptedEngine


async def test_it_serves_its_own_process_and_leaves_nothing() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    engine = ScriptedEngine()
    async with EmbeddedServer(engine) as server:
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
        assert server.base_url.startswith("http://127.0.0.1:")
        session = await created(server.base_url, server.key.reveal())
        heard = await said(session["websocket_url"], *audio(3), END)
        await server.engine_ready()
        assert server.failure is None
    assert heard.texts == engine.texts(3)
    assert engine.closed
    with pytest.raises(httpx.ConnectError):
        await created(server.base_url, server.key.reveal())
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_its_key_is_its_own() -> None:
    async with EmbeddedServer(ScriptedEngine()) as one, EmbeddedServer(ScriptedEngine()) as two:
        assert one.key != two.key
        async with client(one.base_url, two.key.reveal()) as rest:
            assert (await rest.post("/api/listen", json={})).status_code == 401
    assert one.key.reveal() not in repr(one.key)


async def test_it_accepts_while_the_engine_loads() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(start_gate=gate)
    async with EmbeddedServer(engine) as server:
        session = await created(server.base_url, server.key.reveal())
        async with stream(session["websocket_url"]) as connection:
            assert not engine.started
            gate.set()
            await until(connection, "ready")
    assert engine.closed


async def test_leaving_while_the_engine_loads_waits_for_it() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(start_gate=gate)
    async with EmbeddedServer(engine):
        asyncio.get_running_loop().call_later(0.05, gate.set)
    assert engine.started
    assert engine.closed


async def test_an_engine_that_is_missing_replaces_what_its_client_made_of_it() -> None:
    engine = ScriptedEngine(start_error=EngineMissingError("no engine", "install it"))

    async def use() -> None:
        async with EmbeddedServer(engine) as server:
            await eventually(lambda: server.failure)
            raise RefusedError("the service said: no engine")

    with pytest.raises(EngineMissingError, match="no engine") as caught:
        await use()
    assert isinstance(caught.value.__cause__, RefusedError)


async def test_an_engine_that_is_missing_is_told_to_who_waits_for_it() -> None:
    engine = ScriptedEngine(start_error=EngineMissingError("no engine", "install it"))
    with pytest.raises(EngineMissingError, match="no engine"):
        async with EmbeddedServer(engine) as server:
            await server.engine_ready()


async def test_an_error_of_its_users_passes_through() -> None:
    async def use() -> None:
        async with EmbeddedServer(ScriptedEngine()) as server:
            await server.engine_ready()
            raise RefusedError("mine")

    with pytest.raises(RefusedError, match="mine"):
        await use()


async def test_leaving_gives_open_streams_their_last_sentences() -> None:
    engine = ScriptedEngine()
    server = EmbeddedServer(engine, replace(EMBEDDED_LIMITS, drain_s=2.0))
    async with server:
        session = await created(server.base_url, server.key.reveal())
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for message in audio(3):
                await connection.send(message)
            await until(connection, "sentence")
            await eventually(lambda: engine.streams[0].fed_bytes == 96_000)
            # Not left by the end of the block: the client stays to hear the end.
            leaving = asyncio.create_task(server.__aexit__(None, None, None))
            heard = await rest_of(connection)
            await leaving
    assert heard.texts == engine.texts(3)[1:]
    assert heard.kinds[-1] == "error"
    assert heard.close_code == 1013


async def test_leaving_does_not_wait_for_an_engine_without_end() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(feed_gate=gate)
    limits = Limits(streams_per_key=None, idle_s=None, drain_s=0.1)
    async with EmbeddedServer(engine, limits) as server:
        session = await created(server.base_url, server.key.reveal())
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            await connection.send(audio(1)[0])
            await asyncio.wait_for(server.__aexit__(None, None, None), 10)
    assert engine.streams[0].closed
    assert engine.closed


async def test_leaving_does_not_wait_for_a_client_that_does_not_read() -> None:
    # Every word makes a longer interim text: more than any socket buffer holds.
    engine = ScriptedEngine(words_per_second=4000, words_per_sentence=4000)
    limits = Limits(streams_per_key=None, idle_s=None, drain_s=0.1)
    async with EmbeddedServer(engine, limits) as server:
        session = await created(server.base_url, server.key.reveal())
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for message in audio(0.9):
                await connection.send(message)
            await eventually(lambda: engine.streams[0].fed_bytes == 28_800)
            await asyncio.wait_for(server.__aexit__(None, None, None), 20)
            connection.transport.abort()
    assert engine.streams[0].closed
    assert engine.closed


async def test_it_has_no_limits_that_one_client_could_meet() -> None:
    assert EMBEDDED_LIMITS.streams_per_key is None
    assert EMBEDDED_LIMITS.idle_s is None


def test_importing_it_loads_no_server() -> None:
    code = """
import sys
import sayd_cli.server.embedded, sayd_cli.server.standalone
print([name for name in ("uvicorn", "starlette", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_it_says_how_to_install_it() -> None:
    code = """
import asyncio, sys
sys.modules["uvicorn"] = None
from sayd_cli.errors import EngineMissingError
from sayd_cli.server.embedded import EMBEDDED_LIMITS, EmbeddedServer
async def main():
    try:
        async with EmbeddedServer(object()):
            pass
    except EngineMissingError as exc:
        print(exc.message, exc.remedy)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "uvicorn" in done.stdout
    assert "sayd-cli[local]" in done.stdout
