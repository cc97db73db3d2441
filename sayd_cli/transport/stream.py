"""The audio stream over a WebSocket. The only user of the websockets library.

Owns the connection and the translation of its failures. The URL holds the key: it is shown to no
log and to no error of ours, and errors of the library that quote it are not chained.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sayd_cli import __version__
from sayd_cli.errors import (
    BusyError,
    KeyRefusedError,
    ProtocolError,
    RefusedError,
    SaydError,
    ServiceFailedError,
    UnreachableError,
)
from sayd_cli.model.secret import MASK, SecretUrl
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transport.address import is_loopback, shown_host
from sayd_cli.transport.pulse import Pulse
from sayd_cli.transport.retry import retry_after_s

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import ConnectionClosed
    from websockets.http11 import Response

_OPEN_TIMEOUT_S = 15.0
_CLOSE_TIMEOUT_S = 2.0

_CHECK_KEY = "check the key with `sayd auth status`"
_KEY_CHARS = 8
"""Anything shorter is no key, and may be a part of a word."""

_SEND_BUFFER_BYTES = 1 << 16  # Two seconds of PCM16 at 16 kHz; Linux takes it twice.

# Close codes, RFC 6455 section 7.4.1 and its registry.
_POLICY = 1008
_BROKEN = (1002, 1003, 1007, 1009, 1010)
_FAILED = (1011, 1014)
_TRY_LATER = (1012, 1013)


class WebSocketStream:
    """A connected stream, as ``listening.ports.Stream`` asks for it."""

    def __init__(
        self,
        connection: ClientConnection,
        host: str,
        secrets: tuple[str, ...] = (),
        pulse: Pulse | None = None,
    ) -> None:
        self._connection = connection
        self._host = host
        self._secrets = secrets
        self._pulse = pulse

    async def send(self, message: bytes | str) -> None:
        """Send one message; waits when the other side is slow.

        Raises:
            UnreachableError, RefusedError, BusyError, ProtocolError: The connection is over.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            if self._pulse is not None:
                await self._pulse.room()
            await self._connection.send(message)
        except ConnectionClosed as exc:
            raise self._closed(exc) from exc
        if self._pulse is not None:
            self._pulse.sent(len(message))

    async def receive(self) -> bytes | str | None:
        """The next message; None when the other side has closed in good order.

        Raises:
            UnreachableError, RefusedError, BusyError, ProtocolError: The connection is over.
        """
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        try:
            message = await self._connection.recv()
        except ConnectionClosedOK:
            return None
        except ConnectionClosed as exc:
            raise self._closed(exc) from exc
        return self._masked(message) if isinstance(message, str) else message

    def _masked(self, text: str) -> str:
        """What the other end says, without the key, should it quote it in an error."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _closed(self, exc: ConnectionClosed) -> SaydError:
        if self._pulse is not None and self._pulse.failure is not None:
            return self._pulse.failure
        return _closed(exc, self._host, self._masked)


@asynccontextmanager
async def open_stream(
    url: SecretUrl, *, have: int | None = None, watched: bool = True
) -> AsyncIterator[WebSocketStream]:
    """Connect to a session's stream; leaving the context closes it.

    Args:
        url: As the service gave it.
        have: For a service that continues streams: how many sentences of it came.
        watched: Notice when the other end is dead though the connection is open, and send no
            further ahead of it than it reads. Needless within one process.

    Raises:
        KeyRefusedError: The handshake was answered 401 or 403.
        BusyError: It was answered 429 or 503.
        RefusedError: It was answered otherwise.
        UnreachableError: No connection, or none in time.
        ProtocolError: The URL, or what answered there, is not a WebSocket's.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import (
        InvalidHandshake,
        InvalidMessage,
        InvalidProxy,
        InvalidStatus,
        InvalidURI,
        ProxyError,
    )

    from sayd_cli.transport.connection import HeardConnection

    host = shown_host(url.reveal())
    secrets = _query_values(url.reveal())
    logger = logging.getLogger(__name__)
    # At debug level the library logs the request line, and with it the key.
    logger.setLevel(logging.WARNING)
    here = is_loopback(url.reveal())
    try:
        connection = await connect(
            _continuing(url.reveal(), have),
            logger=logger,
            create_connection=HeardConnection,
            user_agent_header=f"sayd/{__version__}",
            # Audio does not get smaller by deflate; its delay would be for nothing.
            compression=None,
            proxy=None if here else True,
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            # The pulse does it, sooner, and without giving up a server that is only slow.
            ping_interval=None,
        )
    except (InvalidURI, ValueError):
        raise ProtocolError("the service gave a stream address that is not a URL") from None
    except InvalidStatus as exc:
        raise _handshake_refused(exc.response, host) from None
    except (ProxyError, InvalidProxy) as exc:
        raise UnreachableError(
            f"cannot reach {host} through the proxy: {exc}", "check the proxy settings"
        ) from exc
    except (InvalidMessage, InvalidHandshake) as exc:
        if isinstance(exc.__cause__, EOFError | OSError):
            raise UnreachableError(
                f"the connection to {host} was lost before it was open", "check the network"
            ) from exc
        raise ProtocolError(f"{host} did not answer as a WebSocket: {exc}") from exc
    except TimeoutError as exc:
        raise UnreachableError(
            f"{host} opened no stream within {_OPEN_TIMEOUT_S:.0f} s", "check the network"
        ) from exc
    except (OSError, EOFError) as exc:
        raise UnreachableError(
            f"cannot reach {host}: {exc}", "check the network, or use --local"
        ) from exc
    assert isinstance(connection, HeardConnection)
    _bound_send_buffer(connection)
    try:
        if watched:
            async with Pulse(connection, host) as pulse:
                yield WebSocketStream(connection, host, secrets, pulse)
        else:
            yield WebSocketStream(connection, host, secrets)
    finally:
        await connection.close()


def _query_values(url: str) -> tuple[str, ...]:
    """What may be a key in the URL's query."""
    try:
        pairs = parse_qsl(urlsplit(url).query)
    except ValueError:
        return ()
    return tuple(value for _, value in pairs if len(value) >= _KEY_CHARS)


def _continuing(url: str, have: int | None) -> str:
    if have is None:
        return url
    return f"{url}{'&' if '?' in url else '?'}have={have}"


def _bound_send_buffer(connection: ClientConnection) -> None:
    """Keep little between us and the service: what waits in a socket is neither heard nor ours to
    take back, and the system would let minutes of audio wait there.
    """
    connected = connection.transport.get_extra_info("socket")
    if connected is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


def _handshake_refused(response: Response, host: str) -> SaydError:
    status = response.status_code
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return KeyRefusedError(f"{host} refused the stream ({status})", _CHECK_KEY)
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            wait_s = retry_after_s(response.headers.get("Retry-After", ""))
            return BusyError(f"{host} is busy ({status})", "try again later", retry_after_s=wait_s)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ServiceFailedError(f"{host} failed ({status})", "try again later")
        case _:
            return RefusedError(f"{host} refused the stream ({status})")


def _closed(exc: ConnectionClosed, host: str, masked: Callable[[str], str]) -> SaydError:
    if exc.rcvd is None and exc.sent is not None and exc.sent.code in _BROKEN:
        return ProtocolError(f"{host} sent what a WebSocket may not: {exc.sent.reason}")
    if exc.rcvd is None:
        return UnreachableError(f"the connection to {host} was lost", "check the network")
    reason = masked(sanitize(exc.rcvd.reason))
    shown = f"{reason} ({exc.rcvd.code})" if reason else f"close code {exc.rcvd.code}"
    if exc.rcvd.code in _TRY_LATER:
        return BusyError(f"{host} ended the stream: {shown}", "try again later")
    if exc.rcvd.code in _BROKEN:
        return ProtocolError(f"{host} ended the stream: {shown}")
    if exc.rcvd.code in _FAILED:
        return ServiceFailedError(f"{host} ended the stream: {shown}", "try again later")
    if exc.rcvd.code == _POLICY:
        return RefusedError(f"{host} ended the stream: {shown}")
    return RefusedError(f"{host} ended the stream: {shown}", "try again")
