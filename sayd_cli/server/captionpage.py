"""The caption over HTTP: a page, its live events, and the state for other programs.

Owns who is answered and how; what is said is ``captionboard``'s, what it looks like
``captions.html``'s. Import it where it is used: it is not cheap.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sayd_cli.server.captionboard import CaptionBoard

VIEWERS_MAX = 200
"""At once. Each costs a socket, and some hundred kilobytes where it does not keep up."""

_BEAT_S = 15.0
"""Between two signs of life: what carries them (proxies, routers) forgets connections that are
silent for a minute, and the page takes 40 s without one for a lost connection."""

_STUCK_S = 30.0
"""How long a viewer may take nothing; it asks again once it is awake."""

_EVERY_S = 0.05
"""Between two states to one viewer; those in between are left out."""

_LEAVE_S = 0.5
"""How long viewers have to take the last state."""

_LOST_MS = 1000
"""After which a browser that has lost the connection tries again."""

_CLOSED_TO_ALL = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_HOST = re.compile(r"(?P<name>\[[^\]]+\]|[^:]+)(?::[0-9]+)?")
_OWN_NAMES = ("localhost", "[::1]")

_NOT_NEWS = (
    "ASGI callable returned without completing response.",
    "Cancel %s running task(s), timeout graceful shutdown exceeded",
)
_uvicorn_log = logging.getLogger("uvicorn.error")
_log = logging.getLogger(__name__)


class Viewers:
    """Those who are told every state, from their request to their leaving."""

    def __init__(self, board: CaptionBoard) -> None:
        self._board = board
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Nobody else is let in."""
        return len(self._telling) >= VIEWERS_MAX

    async def tell(self, receive: Receive, send: Send) -> None:
        """Send events to one viewer until it leaves, or until the board closes."""
        telling = asyncio.create_task(self._events(send), name="caption-viewer")
        leaving = asyncio.create_task(_gone(receive), name="caption-viewer-leaving")
        self._telling.add(telling)
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._telling.discard(telling)
            telling.cancel()
            leaving.cancel()
            await asyncio.wait({telling, leaving})
        if not telling.cancelled():
            telling.result()

    async def drain(self) -> None:
        """Let them take the last state; those who do not are left. The board is closed."""
        if not self._telling:
            return
        _, late = await asyncio.wait(self._telling, timeout=_LEAVE_S)
        for telling in late:
            telling.cancel()
        if late:
            await asyncio.wait(late)

    async def _events(self, send: Send) -> None:
        try:
            async with asyncio.timeout(_STUCK_S):
                await send(_begin())
                await send(_part(f"retry: {_LOST_MS}\n\n"))
            seen = ""
            while True:
                event = "event: beat\ndata:\n\n"
                if self._board.json is not seen:
                    seen = self._board.json
                    event = f"data: {seen}\n\n"
                async with asyncio.timeout(_STUCK_S):
                    await send(_part(event))
                if self._board.closed and self._board.json is seen:
                    break
                if not self._board.closed:
                    await asyncio.sleep(_EVERY_S)
                try:
                    async with asyncio.timeout(_BEAT_S):
                        await self._board.change(seen)
                except TimeoutError:
                    continue
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            _log.debug("a viewer of the captions takes nothing any more")


def _begin() -> Message:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _part(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Events(Response):
    """A response that goes on for as long as its viewer is there."""

    def __init__(self, viewers: Viewers) -> None:
        super().__init__()
        self._viewers = viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._viewers.tell(receive, send)


class _Guard:
    """Answers only those who know the server by its own name, and tells browsers what no answer
    of it may do.

    Args:
        app: What answers.
        names: As they stand in the ``Host`` header, without a port; None for any.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] | None) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", _CLOSED_TO_ALL)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cache-Control"] = "no-store"
            await send(message)

        if self._knows(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send_guarded)
        else:
            refusal = PlainTextResponse("this server is for its own machine only\n", 403)
            await refusal(scope, receive, send_guarded)

    def _knows(self, host: str) -> bool:
        """False for a page elsewhere whose name was made to point here (DNS rebinding)."""
        if self._names is None:
            return True
        found = _HOST.fullmatch(host)
        return found is not None and found["name"].lower().rstrip(".") in self._names


def build_caption_app(board: CaptionBoard, viewers: Viewers, only_for: str | None) -> Starlette:
    """The application.

    Args:
        board: What it shows.
        viewers: Of the same board.
        only_for: The host it listens on, when only this machine reaches it; then requests under
            a name that is none of this machine's are refused. None answers to any name.
    """
    html = files("sayd_cli.server").joinpath("captions.html").read_text(encoding="utf-8")

    async def page(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"{_CLOSED_TO_ALL}; connect-src 'self'; "
            f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
        )
        return HTMLResponse(
            html.replace("{nonce}", nonce), headers={"Content-Security-Policy": policy}
        )

    async def events(request: Request) -> Response:
        if viewers.full:
            return PlainTextResponse("too many viewers\n", 503, {"Retry-After": "10"})
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return _Events(viewers)

    async def state(request: Request) -> Response:
        return Response(board.json, media_type="application/json")

    names = None
    if only_for is not None:
        literal = f"[{only_for}]" if ":" in only_for else only_for
        names = frozenset((*_OWN_NAMES, "127.0.0.1", literal.lower()))
    app = Starlette(
        routes=[Route("/", page), Route("/events", events), Route("/captions.json", state)],
        middleware=[Middleware(_Guard, names=names)],
        exception_handlers={Exception: _fail},
    )
    app.router.redirect_slashes = False
    return app


async def _fail(request: Request, exc: Exception) -> Response:
    return PlainTextResponse("the server failed\n", 500)


@contextmanager
def quiet_leaving() -> Iterator[None]:
    """Keep from the terminal what uvicorn says of viewers who did not take the end of an answer:
    that is for them to notice, and they do.
    """

    def is_news(record: logging.LogRecord) -> bool:
        return record.msg not in _NOT_NEWS

    _uvicorn_log.addFilter(is_news)
    try:
        yield
    finally:
        _uvicorn_log.removeFilter(is_news)
