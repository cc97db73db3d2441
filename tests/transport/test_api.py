from __future__ import annotations

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
    UnreachableError,
    UsageError,
)
from sayd_cli.model.secret import Secret
from sayd_cli.model.session import SessionSettings
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
        (404, "{}", NotFoundError, "no such session"),
        (429, '{"error": "slow down"}', BusyError, "slow down"),
        (503, "", BusyError, "service unavailable"),
        (500, "[]", RefusedError, "500"),
        (302, "", RefusedError, "302"),
        (799, "", RefusedError, "no reason given"),
        (400, '{"error": "a\\u001b[31mb"}', RefusedError, "a[31mb"),
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
    async with canned(b"220 mail.example ESMTP\r\n") as server:
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
        monkeypatch.setattr(httpx.AsyncClient, "request", fail)
        with pytest.raises(SaydError):
            await api.create(SessionSettings())
