from __future__ import annotations

import asyncio
import logging
import socket

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sayd_cli.errors import (
    BusyError,
    KeyRefusedError,
    ProtocolError,
    RefusedError,
    SaydError,
    ServiceFailedError,
    UnreachableError,
)
from sayd_cli.model.secret import SecretUrl
from sayd_cli.transport.address import is_loopback, shown_host
from sayd_cli.transport.stream import open_stream
from tests.transport.canned import canned, http

SECRET = "sk-very-secret"


def url_of(base_url: str) -> SecretUrl:
    return SecretUrl(f"{base_url.replace('http', 'ws')}/v1/listen/stream/x?api_key={SECRET}")


async def test_messages_go_both_ways_and_a_good_close_is_none() -> None:
    async def echo(connection: ServerConnection) -> None:
        for _ in range(2):
            await connection.send(await connection.recv())

    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_stream(url_of(f"http://127.0.0.1:{port}")) as stream:
            await stream.send(b"\x01\x02")
            assert await stream.receive() == b"\x01\x02"
            await stream.send("text")
            assert await stream.receive() == "text"
            assert await stream.receive() is None
            with pytest.raises(RefusedError):
                await stream.send(b"late")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1002, ProtocolError),
        (1003, ProtocolError),
        (1007, ProtocolError),
        (1008, RefusedError),
        (1009, ProtocolError),
        (1011, ServiceFailedError),
        (1012, BusyError),
        (1013, BusyError),
        (4000, RefusedError),
    ],
)
async def test_every_close_code_has_its_error(code: int, kind: type[SaydError]) -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.close(code, "because")

    async with serve(refuse, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_stream(url_of(f"http://127.0.0.1:{port}")) as stream:
            with pytest.raises(kind, match=f"because \\({code}\\)") as caught:
                await stream.receive()
    assert type(caught.value) is kind


async def test_a_message_that_is_too_big_breaks_the_protocol() -> None:
    async def flood(connection: ServerConnection) -> None:
        await connection.send("x" * (2 << 20))
        await connection.wait_closed()

    async with serve(flood, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_stream(url_of(f"http://127.0.0.1:{port}")) as stream:
            with pytest.raises(ProtocolError, match="may not"):
                await stream.receive()


async def test_a_connection_that_breaks_is_lost() -> None:
    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with serve(drop, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_stream(url_of(f"http://127.0.0.1:{port}")) as stream:
            with pytest.raises(UnreachableError, match="lost"):
                await stream.receive()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http(401, ""), KeyRefusedError),
        (http(403, ""), KeyRefusedError),
        (http(429, ""), BusyError),
        (http(503, ""), BusyError),
        (http(404, ""), RefusedError),
        (http(200, "<html>"), RefusedError),
        (b"220 mail.example ESMTP\r\n\r\n", ProtocolError),
        (b"", UnreachableError),
        (None, SaydError),
    ],
)
async def test_every_bad_handshake_has_its_error(
    answer: bytes | None, kind: type[SaydError]
) -> None:
    async with canned(answer) as server:
        with pytest.raises(kind) as caught:
            async with open_stream(url_of(server.base_url)):
                pass
    chain: BaseException | None = caught.value
    while chain is not None:
        assert SECRET not in str(chain)
        chain = chain.__cause__


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError):
            async with open_stream(url_of(f"http://127.0.0.1:{free.getsockname()[1]}")):
                pass


async def test_an_address_that_is_none_is_not_quoted() -> None:
    with pytest.raises(ProtocolError) as caught:
        async with open_stream(SecretUrl(f"wss://h:port/?api_key={SECRET}")):
            pass
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_the_key_in_the_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def hello(connection: ServerConnection) -> None:
        await connection.send("hello")

    logging.getLogger("sayd_cli").setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        async with serve(hello, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            logging.getLogger("websockets.server").setLevel(logging.WARNING)
            async with open_stream(url_of(f"http://127.0.0.1:{port}")) as stream:
                await stream.receive()
    await asyncio.sleep(0)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1", True),
        ("ws://[::1]:8/x", True),
        ("https://api.sayd.dev", False),
        ("http://10.0.0.1", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_a_shown_host_holds_no_user_and_no_query() -> None:
    assert shown_host("https://user:pw@h.example:8/p?api_key=k") == "h.example"
    assert shown_host("nonsense") == "the service"


async def test_a_key_that_the_service_quotes_is_masked() -> None:
    async def quotes(connection: ServerConnection) -> None:
        await connection.send('{"type":"error","message":"bad key sk-secret-123"}')
        await connection.close(1008, "bad key sk-secret-123")

    async with serve(quotes, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = SecretUrl(f"ws://127.0.0.1:{port}/s?api_key=sk-secret-123")
        async with open_stream(url) as stream:
            said = await stream.receive()
            with pytest.raises(RefusedError) as caught:
                await stream.receive()
    assert "bad key" in str(said)
    assert "sk-secret" not in f"{said!r} {caught.value.message}"


async def test_a_connection_that_is_cut_in_the_handshake_is_an_outage() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UnreachableError):
            async with open_stream(url_of(f"http://127.0.0.1:{port}")):
                pass


async def test_a_dead_connection_is_noticed_and_a_slow_one_is_not_taken_for_it() -> None:
    silent = asyncio.Event()

    async def relay(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool
    ) -> None:
        while data := await reader.read(2000 if slow else 65536):
            if silent.is_set():
                await asyncio.sleep(60)
            if slow:
                await asyncio.sleep(0.05)
            writer.write(data)
            await writer.drain()
        writer.close()

    got = bytearray()

    async def hear(connection: ServerConnection) -> None:
        async for message in connection:
            got.extend(message if isinstance(message, bytes) else b"")

    async with serve(hear, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream = await asyncio.open_connection("127.0.0.1", port)
            tasks = (
                asyncio.create_task(relay(reader, upstream[1], slow=True)),
                asyncio.create_task(relay(upstream[0], writer, slow=False)),
            )
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for end in (writer, upstream[1]):
                    end.transport.abort()

        between = await asyncio.start_server(bridge, "127.0.0.1", 0)
        url = url_of(f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}")
        async with between, open_stream(url) as stream:
            receiving = asyncio.create_task(stream.receive())
            # Ten seconds of audio at a little more than its pace, through a thin line.
            for _ in range(100):
                await stream.send(bytes(3200))
            assert not receiving.done()
            silent.set()
            began_s = asyncio.get_running_loop().time()
            with pytest.raises(UnreachableError, match="dead"):
                await receiving
            assert asyncio.get_running_loop().time() - began_s < 8
            assert len(got) > 200_000
