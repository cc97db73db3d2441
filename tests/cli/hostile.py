"""A service that says, wherever it can say anything, what no terminal should be told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from websockets.asyncio.server import ServerConnection, serve

STEERING = (
    "a\x1b[31mb\x1b]0;owned\x07c\x9b2Jd\x90q\x9ce\u202ef\u2066g\x07h\x08i\x7fj\u200bk\U000e0041l"
    "\x1b]52;c;b3duZWQ=\x1b\\m\x1bcn\u2028o\rp\x00q\u2069\u202c"
)
SHOWN = "abcdefghijklmn o pq"


def unsafe(text: str) -> set[str]:
    """The characters in it that are told to a terminal, and not to a reader."""
    return {
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")
        and character not in "\n\t"
    }


@dataclass
class Hostile:
    """What it says.

    Attributes:
        status: Of every REST call.
        messages: What the stream says once it is ready.
        close_code: How the stream ends; None for the regular way.
    """

    url: str = ""
    stream_url: str = ""
    status: int = 200
    session_id: str = "hostile"
    messages: list[dict[str, object]] = field(default_factory=list)
    close_code: int | None = None

    def answer(self, path: str, method: str) -> object:
        summary = {
            "session_id": self.session_id,
            "created_at": "2026-05-04T12:00:00Z",
            "language": STEERING,
            "title": STEERING,
            "duration_ms": 1000,
        }
        if self.status != 200:
            return {"error": STEERING}
        if method == "POST":
            return {
                "session_id": self.session_id,
                "websocket_url": f"{self.stream_url}?api_key=secret",
                "language": STEERING,
                "stt_service": STEERING,
            }
        if path.partition("?")[0] == "/api/listen":
            return [summary, {**summary, "session_id": "other"}]
        sentence = {"text": STEERING, "start": 0.5, "end": 1.0, "language": STEERING}
        return {**summary, "transcripts": [sentence]}

    async def converse(self, connection: ServerConnection) -> None:
        await connection.send(json.dumps({"type": "ready"}))
        for message in self.messages:
            await connection.send(json.dumps(message))
        async for said in connection:
            if isinstance(said, str) and json.loads(said)["type"] == "end":
                break
        if self.close_code is not None:
            await connection.close(self.close_code, STEERING[:40])
        elif not any(message["type"] == "error" for message in self.messages):
            await connection.send(json.dumps({"type": "complete"}))


@contextmanager
def hostile_service() -> Iterator[Hostile]:
    service = Hostile()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(service.answer(self.path, self.command)).encode()
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response_only(service.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as rest, _streams(service):
        thread = threading.Thread(target=rest.serve_forever)
        thread.start()
        service.url = f"http://127.0.0.1:{rest.server_address[1]}"
        try:
            yield service
        finally:
            rest.shutdown()
            thread.join()


@contextmanager
def _streams(service: Hostile) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with serve(service.converse, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            service.stream_url = f"ws://127.0.0.1:{port}/v1/listen/stream/hostile"
            ready.set()
            await stop.wait()

    def work() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(run())

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
