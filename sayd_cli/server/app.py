"""The REST side of the Listen API, and the routes of the whole server.

Owns status codes and error bodies; what the bodies look like is ``protocol.rest``'s, and the
stream is ``conversation``'s. Every refusal is JSON: ``{"error": "..."}``.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sayd_cli.errors import (
    BusyError,
    EngineMissingError,
    KeyRefusedError,
    NotFoundError,
    SaydError,
    UsageError,
)
from sayd_cli.model.secret import SecretUrl
from sayd_cli.model.session import BackendName, Session, SessionSettings
from sayd_cli.protocol import rest
from sayd_cli.server.conversation import serve_stream
from sayd_cli.server.keys import bearer
from sayd_cli.server.payload import unpacker
from sayd_cli.server.service import Service

_log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
"""The largest request body; a real one has less than a hundred bytes."""

LIST_DEFAULT = 50
LIST_MAX = 1000
_OFFSET_MAX = 2**53

_STATUS: tuple[tuple[type[SaydError], int], ...] = (
    (NotFoundError, 404),
    (UsageError, 400),
    (KeyRefusedError, 401),
    (BusyError, 429),
    (EngineMissingError, 503),
    (SaydError, 500),
)


def build_app(service: Service) -> Starlette:
    """The ASGI application. The service must be entered before the first request."""
    app = Starlette(
        routes=[
            Route("/api/listen", _create, methods=["POST"]),
            Route("/api/listen", _list, methods=["GET"]),
            Route("/api/listen/{session_id}", _get, methods=["GET"]),
            WebSocketRoute("/v1/listen/stream/{session_id}", serve_stream, name="stream"),
            WebSocketRoute("/{path:path}", _no_such_stream),
        ],
        exception_handlers={
            SaydError: _refuse,
            HTTPException: _refuse_http,
            ClientDisconnect: _nobody_left,
            Exception: _fail,
        },
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


async def _create(request: Request) -> Response:
    service = _service(request)
    key = bearer(request.headers)
    owner = service.keys.owner(key)
    if service.streams.closing:
        return _refusal(503, "the server is stopping", service.limits.retry_after_s)
    service.streams.check(owner)
    settings = rest.decode_settings(await _body(request))
    unpacker(settings)
    _check_language(service, settings)
    session_id = str(uuid4())
    url = _stream_url(request, session_id, key)
    created_at = datetime.now(UTC)
    await service.archive.ask(
        lambda store: store.create(
            session_id,
            settings=settings,
            created_at=created_at,
            backend=BackendName.LOCAL,
            owner=owner,
        )
    )
    _log.info("session %s: created", session_id)
    session = Session(session_id, url, settings.language, service.engine_name)
    return JSONResponse(rest.encode_session(session))


async def _list(request: Request) -> Response:
    service = _service(request)
    owner = service.keys.owner(bearer(request.headers))
    limit = _whole_number(request, "limit", LIST_DEFAULT, (1, LIST_MAX))
    offset = _whole_number(request, "offset", 0, (0, _OFFSET_MAX))
    rows = await service.archive.ask(lambda store: store.list(limit, offset, owner))
    return JSONResponse(rest.encode_summaries(rows))


async def _get(request: Request) -> Response:
    service = _service(request)
    owner = service.keys.owner(bearer(request.headers))
    session_id = request.path_params["session_id"]
    record = await service.archive.ask(lambda store: store.get(session_id, owner))
    if record is None:
        raise NotFoundError("there is no such session")
    return JSONResponse(rest.encode_record(record))


async def _no_such_stream(websocket: WebSocket) -> None:
    await websocket.send_denial_response(_refusal(404, "there is nothing here"))


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


async def _body(request: Request) -> Any:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES:
            raise HTTPException(413, f"the body is larger than {BODY_BYTES} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UsageError("the body is not JSON") from exc


def _check_language(service: Service, settings: SessionSettings) -> None:
    primary = settings.language.partition("-")[0]
    if primary in ("auto", "multi") or primary in service.languages:
        return
    known = ", ".join((*service.languages, "auto", "multi"))
    raise UsageError(f"{service.engine_name} does not know {settings.language}; it knows {known}")


def _stream_url(request: Request, session_id: str, key: str) -> SecretUrl:
    """As the client sees the server: a server bound to 0.0.0.0 knows no better."""
    try:
        url = request.url_for("stream", session_id=session_id)
    except ValueError as exc:
        raise UsageError("the Host header is not one") from exc
    return SecretUrl(f"{url}?api_key={quote(key, safe='')}")


def _whole_number(request: Request, name: str, default: int, bounds: tuple[int, int]) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    lowest, highest = bounds
    # No more digits than a bound can have: int() of a long text is slow.
    if text.isascii() and text.isdigit() and len(text) <= len(str(highest)):
        number = int(text)
        if lowest <= number <= highest:
            return number
    raise UsageError(f"{name} is not a whole number from {lowest} to {highest}")


def _refusal(status: int, message: str, retry_after_s: float | None = None) -> JSONResponse:
    headers = None if retry_after_s is None else {"Retry-After": str(round(retry_after_s))}
    return JSONResponse(rest.encode_error(message), status, headers)


async def _refuse(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, SaydError)
    status = next(status for kind, status in _STATUS if isinstance(exc, kind))
    if status == 500:
        _log.error("a request failed: %s", exc.message, exc_info=exc)
    message = f"{exc.message}; {exc.remedy}" if exc.remedy else exc.message
    return _refusal(status, message, exc.retry_after_s if isinstance(exc, BusyError) else None)


async def _refuse_http(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    response = _refusal(exc.status_code, exc.detail)
    response.headers.update(exc.headers or {})
    return response


async def _nobody_left(request: Request, exc: Exception) -> Response:
    return _refusal(400, "the request was not whole")


async def _fail(request: Request, exc: Exception) -> Response:
    return _refusal(500, "the server failed")
