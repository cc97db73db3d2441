"""One connection of a client, as the protocol's state machine allows it to be used.

Owns the WebSocket and its close codes. Knows nothing of streams: one of them may have several
connections, one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.websockets import WebSocket, WebSocketDisconnect

from sayd_cli.model.events import Fault, ServerMessage
from sayd_cli.protocol.server import ServerState, ServerStream

_log = logging.getLogger(__name__)

CLOSE_DONE = 1000
CLOSE_WRONG_DATA = 1003
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_FAILED = 1011
CLOSE_LATER = 1013

FAREWELL_S = 1.0
"""How long the last message of a failed stream may wait for a client that reads slowly."""


class Line:
    """A connection that was accepted."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.protocol = ServerStream()
        self.patience = asyncio.timeout(None)
        """How long the connection may last; entered by whoever serves it, and ends with a
        TimeoutError when it is ``cut``."""
        self.reason = ""
        """Why it was cut; empty when it was not."""
        self.close_code = CLOSE_DONE
        """How to close it then."""
        self._gone = False
        self._deaf = False

    def cut(self, reason: str, close_code: int) -> None:
        """End now: ``patience`` is over."""
        if not self.reason:
            self.reason, self.close_code = reason, close_code
            self.patience.reschedule(asyncio.get_running_loop().time())

    async def receive(self, limit_s: float | None = None) -> bytes | str | None:
        """The next message as it came, or None when the client is gone.

        Raises:
            TimeoutError: None came in time.
        """
        if self._gone:
            return None
        async with asyncio.timeout(limit_s):
            message = await self.websocket.receive()
        if message["type"] == "websocket.disconnect":
            self._gone = True
            return None
        data = message.get("bytes")
        return data if data is not None else str(message["text"])

    async def say(self, message: ServerMessage) -> bool:
        """Send a message, waiting while the client is slow.

        Returns:
            False when the client can hear no more. What it said before may still be received.
        """
        if not self._gone and not self._deaf:
            try:
                await self.websocket.send_text(self.protocol.send(message))
            except WebSocketDisconnect:
                self._deaf = True
            except RuntimeError:
                # What uvicorn makes of a client that left while it was being accepted.
                if await self.receive() is not None:
                    raise
        return not self._gone and not self._deaf

    async def fail(self, message: str, code: int) -> None:
        """Say what is wrong, and close; not to a client that does not read, after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                if self.protocol.state is not ServerState.CLOSED:
                    await self.say(Fault(message))
                await self.close(code)

    async def close(self, code: int) -> None:
        """Close the connection, if it is still there."""
        if self._gone or self._deaf:
            return
        self._gone = True
        try:
            await self.websocket.close(code)
        except WebSocketDisconnect:
            _log.debug("the client was gone before it was told so")
