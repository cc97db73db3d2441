"""Makes our server one that does no more than the Listen API promises, as another maker's may.

Its messages lose the numbers, and what they say of continuing a stream, but not the times. What a
stream's URL is good for a second time, the API does not say.
"""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from tests.faults.frames import WireFrame, text_frame

_OUR_OWN = ("index", "resume_s", "received_samples", "sentences")


class Plain(StrEnum):
    """What comes of a stream's URL the second time."""

    ONCE = "once"
    """It is refused."""

    ANEW = "anew"
    """A stream that knows nothing of the one before."""


class PlainServer:
    """For the connections of one proxy.

    Args:
        how: What kind it is.
    """

    def __init__(self, how: Plain) -> None:
        self._how = how
        self._used: set[bytes] = set()

    def message(self, frame: WireFrame) -> WireFrame:
        """The frame without what the Listen API does not promise."""
        if frame.kind is None:
            return frame
        said = json.loads(frame.payload)
        return text_frame(json.dumps({name: said[name] for name in said if name not in _OUR_OWN}))

    async def target(self, target: bytes, upstream: tuple[str, int]) -> bytes | None:
        """Where a stream's request goes to in place of its own target; None when it is refused.

        Raises:
            OSError: The server cannot be asked.
        """
        if target not in self._used:
            self._used.add(target)
            return target
        return await _created(target, upstream) if self._how is Plain.ANEW else None


async def _created(target: bytes, upstream: tuple[str, int]) -> bytes:
    """The target of the stream of a new session, for the same key."""
    (key,) = parse_qs(urlsplit(target.decode()).query)["api_key"]
    body = json.dumps({"language": "multi", "sample_rate": 16000, "codec": "pcm16"})
    reader, writer = await asyncio.open_connection(*upstream)
    try:
        head = (
            "POST /api/listen HTTP/1.1",
            "Host: x",
            f"Authorization: {key}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        writer.write("\r\n".join((*head, "", body)).encode())
        answer = await reader.read()
    finally:
        writer.transport.abort()
    session = json.loads(answer.partition(b"\r\n\r\n")[2])
    url = urlsplit(session["websocket_url"])
    return f"{url.path}?{url.query}".encode()
