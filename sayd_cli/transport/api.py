"""The REST calls of the Listen API. The only user of httpx.

Owns the translation of statuses and connection failures into errors of ours. The key goes out as
``Authorization: <key>``, raw, without ``Bearer``: so the service's Authentication page and its SDK
have it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from sayd_cli import __version__
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
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.secret import Secret
from sayd_cli.model.session import Session, SessionSettings, SessionSummary
from sayd_cli.protocol import rest
from sayd_cli.transport.address import is_loopback, is_service_address, shown_host

if TYPE_CHECKING:
    import httpx

_PATH = "/api/listen"
_TIMEOUT_S = 15.0
_ERROR_CHARS = 200


class ListenApi:
    """A client of the REST part; an async context manager that owns its connections.

    Args:
        base_url: Such as ``https://api.sayd.dev``.
        key: The API key.

    Every call raises:
        KeyRefusedError: 401 or 403.
        BusyError: 429 or 503.
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
        import httpx

        if not is_service_address(self._base_url):
            raise _bad_address(self._base_url)
        try:
            self._client = httpx.AsyncClient(
                base_url=self._base_url,
                headers={
                    "Authorization": self._key.reveal(),
                    "User-Agent": f"sayd/{__version__}",
                },
                timeout=_TIMEOUT_S,
                # A proxy is for the world outside; our own server is reached directly.
                trust_env=not is_loopback(self._base_url),
            )
        except httpx.InvalidURL as exc:
            raise _bad_address(self._base_url) from exc
        except UnicodeEncodeError:
            # The original error quotes the key.
            raise KeyRefusedError(
                "the key holds characters that no key has", "check SAYD_API_KEY"
            ) from None
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def create(self, settings: SessionSettings) -> Session:
        """``POST /api/listen``."""
        body = await self._call("POST", _PATH, json=rest.encode_settings(settings))
        return rest.decode_session(body)

    async def list(self, *, limit: int, offset: int) -> tuple[SessionSummary, ...]:
        """``GET /api/listen``: sessions, as the service orders them."""
        body = await self._call("GET", _PATH, params={"limit": limit, "offset": offset})
        return rest.decode_summaries(body)

    async def get(self, session_id: str) -> SessionRecord:
        """``GET /api/listen/{id}``.

        Raises:
            NotFoundError: There is no such session.
        """
        from urllib.parse import quote

        return rest.decode_record(await self._call("GET", f"{_PATH}/{quote(session_id, safe='')}"))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: rest.Body | None = None,
        params: dict[str, int] | None = None,
    ) -> object:
        import httpx

        if self._client is None:
            raise RuntimeError("ListenApi is used outside its context")
        host = shown_host(self._base_url)
        try:
            response = await self._client.request(method, path, json=json, params=params)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise _bad_address(self._base_url) from exc
        except httpx.LocalProtocolError:
            # The original error may quote the header that holds the key.
            raise KeyRefusedError(
                "the key holds characters that no key has", "check SAYD_API_KEY"
            ) from None
        except (httpx.RemoteProtocolError, httpx.DecodingError, httpx.TooManyRedirects) as exc:
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
        if response.status_code != HTTPStatus.OK:
            raise _refusal(response, host)
        try:
            return response.json()
        except ValueError as exc:
            raise ProtocolError(
                f"{host} answered with something that is not JSON", "check SAYD_BASE_URL"
            ) from exc


def _refusal(response: httpx.Response, host: str) -> SaydError:
    try:
        said = rest.decode_error(response.json())
    except ValueError:
        said = ""
    # What a server says goes to a terminal: no control characters, and not a page of HTML.
    said = "".join(char for char in said if char.isprintable())[:_ERROR_CHARS]
    status = response.status_code
    reason = said or _phrase(status)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return KeyRefusedError(f"{host} refused the key: {reason}", "check SAYD_API_KEY")
        case HTTPStatus.FORBIDDEN:
            return KeyRefusedError(
                f"{host} refused the request: {reason}", "check the key and its subscription"
            )
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(
                f"{host} has no such session", "`sayd sessions list` shows those it has"
            )
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            wait_s = _retry_after_s(response)
            when = "later" if wait_s is None else f"in {wait_s:.0f} s"
            return BusyError(f"{host} is busy: {reason}", f"try again {when}", retry_after_s=wait_s)
        case _:
            return RefusedError(f"{host} answered {status}: {reason}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "no reason given"


def _retry_after_s(response: httpx.Response) -> float | None:
    """The ``Retry-After`` header in seconds; its other form, a date, is not used by this API."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _bad_address(base_url: str) -> UsageError:
    return UsageError(
        f"{base_url!r} is not the address of a service",
        "set SAYD_BASE_URL to a URL such as https://api.sayd.dev",
    )
