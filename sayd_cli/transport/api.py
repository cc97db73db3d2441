"""The REST calls of the Listen API. The only user of httpx.

Owns the translation of statuses and connection failures into errors of ours. The key goes out as
``Authorization: <key>``, raw, without ``Bearer``: so the service's Authentication page and its SDK
have it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from json import loads
from typing import TYPE_CHECKING, Self

from sayd_cli import __version__
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
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.secret import MASK, Secret
from sayd_cli.model.session import Session, SessionSettings, SessionSummary
from sayd_cli.protocol import rest
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transport.address import is_loopback, is_service_address, shown_address, shown_host
from sayd_cli.transport.retry import retry_after_s

if TYPE_CHECKING:
    import httpx

_PATH = "/api/listen"
_TIMEOUT_S = 15.0
_CHECK_KEY = "check the key with `sayd auth status`"
_ERROR_CHARS = 200

_BROKEN_OFF = ("disconnected", "closed connection")
"""What httpx says of an answer that broke off, which it tells from a wrong one by words only."""

_ANSWER_BYTES = 4 << 20
"""The largest answer but one: a list of a thousand sessions has a tenth of it."""

_RECORD_BYTES = 64 << 20
"""The largest session: an hour of speech, with times and what JSON adds, has a third of a MiB."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response, read to its end."""

    status: int
    data: bytes
    retry_after: str


class ListenApi:
    """A client of the REST part; an async context manager that owns its connections.

    Args:
        base_url: Such as ``https://api.sayd.dev``.
        key: The API key.

    Every call raises:
        KeyRefusedError: 401 or 403.
        BusyError: 429 or 503.
        ServiceFailedError: Any other 5xx.
        RefusedError: Any other refusal.
        UnreachableError: No connection, or no answer in time.
        ProtocolError: An answer that is not the API's.
        UsageError: ``base_url`` is not a URL.
    """

    def __init__(self, base_url: str, key: Secret) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        if not is_service_address(self._base_url):
            raise _bad_address(self._base_url)
        # Importing httpx and reading the certificates takes 0.3 s; whatever else the event loop
        # has to do must not wait for that.
        self._client = await asyncio.to_thread(self._make_client)
        return self

    def _make_client(self) -> httpx.AsyncClient:
        import httpx

        try:
            return httpx.AsyncClient(
                base_url=self._base_url,
                headers={
                    "Authorization": self._key.reveal(),
                    "User-Agent": f"sayd/{__version__}",
                },
                timeout=_TIMEOUT_S,
                # A proxy is for the world outside; our own server is reached directly.
                trust_env=not is_loopback(self._base_url),
            )
        except httpx.InvalidURL:
            # The original error may quote a part of the address where a password is.
            raise _bad_address(self._base_url) from None
        except UnicodeEncodeError:
            # The original error quotes the key.
            raise KeyRefusedError("the key holds characters that no key has", _CHECK_KEY) from None

    async def __aexit__(self, *exc_info: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def create(self, settings: SessionSettings) -> Session:
        """``POST /api/listen``."""
        answer = await self._call("POST", _PATH, json=rest.encode_settings(settings))
        return rest.decode_session(self._body(answer))

    async def list(self, *, limit: int, offset: int) -> tuple[SessionSummary, ...]:
        """``GET /api/listen``: sessions, as the service orders them."""
        answer = await self._call("GET", _PATH, params={"limit": limit, "offset": offset})
        return rest.decode_summaries(self._body(answer))

    async def get(self, session_id: str) -> SessionRecord:
        """``GET /api/listen/{id}``.

        Raises:
            NotFoundError: There is no such session.
        """
        from urllib.parse import quote

        path = f"{_PATH}/{quote(session_id, safe='')}"
        answer = await self._call("GET", path, limit_bytes=_RECORD_BYTES)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise NotFoundError(
                f"{self._host} has no such session", "`sayd sessions list` shows those it has"
            )
        return rest.decode_record(self._body(answer))

    @property
    def _host(self) -> str:
        return shown_host(self._base_url)

    def _body(self, answer: _Answer) -> object:
        """What the answer says, where it is not a refusal."""
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer, self._host, self._key)
        try:
            return _parsed(answer.data)
        except ValueError as exc:
            raise ProtocolError(
                f"{self._host} answered with something that is not JSON", "check SAYD_BASE_URL"
            ) from exc

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: rest.Body | None = None,
        params: dict[str, int] | None = None,
        limit_bytes: int = _ANSWER_BYTES,
    ) -> _Answer:
        import httpx

        if self._client is None:
            raise RuntimeError("ListenApi is used outside its context")
        host = self._host
        try:
            async with self._client.stream(method, path, json=json, params=params) as response:
                data = await _read(response, limit_bytes)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            # The original error may quote a part of the address where a password is.
            raise _bad_address(self._base_url) from None
        except httpx.LocalProtocolError:
            # The original error may quote the header that holds the key.
            raise KeyRefusedError("the key holds characters that no key has", _CHECK_KEY) from None
        except (httpx.RemoteProtocolError, httpx.DecodingError, httpx.TooManyRedirects) as exc:
            if any(words in str(exc) for words in _BROKEN_OFF):
                raise UnreachableError(
                    f"the connection to {host} was lost", "check the network, or use --local"
                ) from exc
            raise ProtocolError(
                f"{host} did not answer as the Sayd API does: {exc}",
                "check SAYD_BASE_URL, or try again later",
            ) from exc
        except httpx.TimeoutException as exc:
            raise UnreachableError(
                f"{host} did not answer within {_TIMEOUT_S:.0f} s",
                "check the network and SAYD_BASE_URL, or use --local",
            ) from exc
        except (httpx.TransportError, OSError) as exc:
            raise UnreachableError(
                f"cannot reach {host}: {_reason(exc)}",
                "check the network and SAYD_BASE_URL, or use --local",
            ) from exc
        if data is None:
            raise ProtocolError(
                f"{host} answered with more than {limit_bytes >> 20} MiB", "check SAYD_BASE_URL"
            )
        return _Answer(response.status_code, data, response.headers.get("Retry-After", ""))


async def _read(response: httpx.Response, limit_bytes: int) -> bytes | None:
    """The body, or None when it is longer than the limit; no more than that is ever held."""
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if len(data) > limit_bytes:
            return None
    return bytes(data)


def _parsed(data: bytes) -> object:
    """The JSON value.

    Raises:
        ValueError: It is none, or one that nobody would write.
    """
    try:
        return loads(data)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def _refusal(answer: _Answer, host: str, key: Secret) -> SaydError:
    try:
        said = rest.decode_error(_parsed(answer.data))
    except ValueError:
        said = ""
    # What a server says goes to a terminal: no control characters, and not a page of HTML.
    said = sanitize(said)
    # Some quote the key that they refuse.
    said = said.replace(key.reveal(), MASK)[:_ERROR_CHARS]
    status = answer.status
    reason = said or _phrase(status)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return KeyRefusedError(f"{host} refused the key: {reason}", _CHECK_KEY)
        case HTTPStatus.FORBIDDEN:
            return KeyRefusedError(
                f"{host} refused the request: {reason}", "check the key and its subscription"
            )
        case HTTPStatus.NOT_FOUND:
            # Of a session, ``get`` says so itself; here the whole API is not where we look for it.
            return RefusedError(f"{host} answered 404: {reason}", "check SAYD_BASE_URL")
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            wait_s = retry_after_s(answer.retry_after)
            when = "later" if wait_s is None else f"in {wait_s:.0f} s"
            return BusyError(f"{host} is busy: {reason}", f"try again {when}", retry_after_s=wait_s)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ServiceFailedError(f"{host} answered {status}: {reason}", "try again later")
        case _:
            return RefusedError(f"{host} answered {status}: {reason}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "no reason given"


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _bad_address(base_url: str) -> UsageError:
    return UsageError(
        f"{shown_address(base_url)!r} is not the address of a service",
        "set SAYD_BASE_URL to a URL such as https://api.sayd.dev",
    )
