from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest

from sayd_cli.errors import (
    BusyError,
    KeyRefusedError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    SaydError,
    ServiceFailedError,
    UnreachableError,
    UsageError,
)
from sayd_cli.model.secret import Secret
from sayd_cli.model.session import SessionSettings
from sayd_cli.transport.address import shown_address
from sayd_cli.transport.api import ListenApi
from tests.transport.canned import canned, http

KEY = Secret("sk-very-secret")


async def create(base_url: str, key: Secret = KEY) -> None:
    async with ListenApi(base_url, key) as api:
        await api.create(SessionSettings())


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, '{"error": "unknown language"}', RefusedError, "unknown language"),
        (401, '{"error": "no such key"}', KeyRefusedError, "no such key"),
        (401, "<html>", KeyRefusedError, "unauthorized"),
        (403, '{"error": "subscription not active"}', KeyRefusedError, "subscription"),
        (404, "{}", RefusedError, "answered 404: not found"),
        (404, '{"error": "no page"}', RefusedError, "answered 404: no page"),
        (429, '{"error": "slow down"}', BusyError, "slow down"),
        (503, "", BusyError, "service unavailable"),
        (500, "[]", ServiceFailedError, "500"),
        (302, "", RefusedError, "302"),
        (799, "", ServiceFailedError, "no reason given"),
        (400, '{"error": "a\\u001b[31mb"}', RefusedError, "ab"),
        (200, "<html>", ProtocolError, "not JSON"),
        (200, "[]", ProtocolError, "not a JSON object"),
        (200, "{}", ProtocolError, "session_id"),
    ],
)
async def test_every_answer_has_its_error(
    status: int, body: str, kind: type[SaydError], said: str
) -> None:
    async with canned(http(status, body)) as server:
        with pytest.raises(kind, match=said.replace("[", r"\[")) as caught:
            await create(server.base_url)
    assert type(caught.value) is kind
    assert KEY.reveal() not in repr(caught.value)


async def test_a_wrong_address_is_not_a_session_that_is_missing() -> None:
    async with canned(http(404, "{}")) as server, ListenApi(server.base_url, KEY) as api:
        with pytest.raises(RefusedError, match="404") as caught:
            await api.list(limit=1, offset=0)
        assert caught.value.remedy == "check SAYD_BASE_URL"
        with pytest.raises(NotFoundError, match="no such session"):
            await api.get("x")


@pytest.mark.parametrize(
    ("status", "kind", "said"), [(200, ProtocolError, "not JSON"), (500, ServiceFailedError, "500")]
)
@pytest.mark.parametrize("nest", ["[", '{"a":'])
async def test_an_answer_that_is_nested_without_end(
    nest: str, status: int, kind: type[SaydError], said: str
) -> None:
    answer = http(status, nest * 200_000)
    async with canned(answer) as server, ListenApi(server.base_url, KEY) as api:
        with pytest.raises(kind, match=said):
            await api.list(limit=1, offset=0)


MIB = 1 << 20


async def test_an_answer_has_a_limit() -> None:
    answer = '{"session_id": "a", "title": "%s", "sessions": [{"session_id": "b"}]}'
    for size, whole in ((4 * MIB - 100, True), (4 * MIB, False)):
        body = answer % ("x" * size)
        async with canned(http(200, body)) as server, ListenApi(server.base_url, KEY) as api:
            if whole:
                assert len(await api.list(limit=1, offset=0)) == 1
                continue
            with pytest.raises(ProtocolError, match="more than 4 MiB"):
                await api.list(limit=1, offset=0)
            # A session may be as long as a week of speech.
            assert (await api.get("a")).summary.title == "x" * size


@pytest.mark.parametrize("status", [200, 400])
async def test_an_answer_without_an_end_is_not_read_to_it(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        with contextlib.suppress(ConnectionError):
            while sent < 400:
                writer.write(b"100000\r\n" + b" " * MIB + b"\r\n")
                await writer.drain()
                sent += 1
        writer.transport.abort()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ProtocolError, match="more than 4 MiB"):
            await create(f"http://127.0.0.1:{port}")
    assert sent < 40


async def test_the_time_to_wait_is_taken_from_the_header() -> None:
    async with canned(http(429, "{}", "Retry-After: 7\r\n")) as server:
        with pytest.raises(BusyError) as caught:
            await create(server.base_url)
    assert caught.value.retry_after_s == 7
    assert "in 7 s" in caught.value.remedy


async def test_the_key_goes_out_raw() -> None:
    async with canned(http(500, "")) as server:
        with pytest.raises(RefusedError):
            await create(server.base_url)
    (request,) = server.requests
    assert b"\r\nauthorization: sk-very-secret\r\n" in request.lower()
    assert request.startswith(b"POST /api/listen HTTP/1.1\r\n")


async def test_a_session_id_cannot_leave_its_place_in_the_path() -> None:
    async with canned(http(404, "")) as server, ListenApi(server.base_url, KEY) as api:
        with pytest.raises(NotFoundError):
            await api.get("../a?b")
    assert server.requests[0].startswith(b"GET /api/listen/..%2Fa%3Fb HTTP")


async def test_a_server_that_closes_at_once_breaks_the_protocol() -> None:
    async with canned(None) as server:
        with pytest.raises((ProtocolError, UnreachableError)):
            await create(server.base_url)


async def test_a_server_that_speaks_something_else_breaks_the_protocol() -> None:
    async with canned(b"220 mail.example ESMTP\r\n\r\n") as server:
        with pytest.raises(ProtocolError, match="did not answer as the Sayd API"):
            await create(server.base_url)


async def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(UnreachableError, match=r"cannot reach 127\.0\.0\.1"):
            await create(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["nonsense", "ftp://h", "http://", "http://h:port", "http://["])
async def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a service"):
        await create(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:topsecret@/x y", "http://***@/x y"),
        ("http://user:topsecret@h:port", "http://***@h:port"),
        ("http://user:top?secret@[", "http://***@["),
        ("http://user:top/secret@h", "http://***@h"),
        ("user:topsecret@h", "***@h"),
        ("ftp://h/?key=topsecret", "ftp://h/"),
        ("ftp://h/#topsecret", "ftp://h/"),
        ("ftp://h/?key=topsecret@x", "ftp://***@x"),
        ("nonsense", "nonsense"),
    ],
)
async def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert shown_address(address) == shown
    with pytest.raises(UsageError) as caught:
        await create(address)
    assert caught.value.message == f"{shown!r} is not the address of a service"
    assert caught.value.__cause__ is None


async def test_a_key_that_cannot_travel_is_not_quoted() -> None:
    for key in ("sk-\u00e9", "sk-\n1"):
        async with canned(http(200, "{}")) as server:
            with pytest.raises(KeyRefusedError) as caught:
                await create(server.base_url, Secret(key))
        assert key not in str(caught.value)
        assert caught.value.__cause__ is None


def _concrete(kind: type[BaseException]) -> list[type[BaseException]]:
    return [kind, *(leaf for sub in kind.__subclasses__() for leaf in _concrete(sub))]


@pytest.mark.parametrize("kind", [*_concrete(httpx.TransportError), httpx.TooManyRedirects])
async def test_every_failure_of_httpx_is_translated(
    kind: type[httpx.RequestError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object, **kwargs: object) -> None:
        raise kind("it failed")

    async with ListenApi("http://127.0.0.1", KEY) as api:
        monkeypatch.setattr(httpx.AsyncClient, "send", fail)
        with pytest.raises(SaydError):
            await api.create(SessionSettings())
