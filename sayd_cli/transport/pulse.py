"""Whether the other end of a connection is alive, and how much it has taken.

A WebSocket has no acknowledgements but one: a pong comes after everything sent before its ping was
read. So pings go along with the audio: while pongs come back the other end reads, however slowly;
when none does, nor anything else (a server that waits for its engine pings, as ours does), the
connection is dead although it is open. And no more audio is sent than a few pings' worth ahead of
the last pong: what waits in sockets on the way is neither heard nor ours any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sayd_cli.errors import UnreachableError

if TYPE_CHECKING:
    from sayd_cli.transport.connection import HeardConnection

EVERY_S = 1.0
EVERY_BYTES = 1 << 14
"""A ping every second, and with every half second of PCM16 at 16 kHz: a reader that is slow, but
not dead, shows it."""

WINDOW_BYTES = 1 << 16
"""Two seconds of PCM16 at 16 kHz may be on their way."""

SILENCE_LIMIT_S = 3.5
"""With the second that a ping may be away, a dead connection is noticed within 5 s, also on a
machine that is busy with other things."""

UNREAD_LIMIT_S = 30.0
"""However much comes: who reads nothing for so long gets nothing any more, or never will read."""

_LOOK_EVERY_S = 0.1

_DEAF_S = 0.5
"""A process that does not look for longer was suspended, and was deaf itself."""

_log = logging.getLogger(__name__)


class Pulse:
    """Watches one connection, while its context is entered.

    Calling order: ``room`` before each message is sent, ``sent`` after it. When the connection is
    found dead it is cut, and ``failure`` says why.

    Args:
        connection: Open.
        host: For the error.
    """

    def __init__(self, connection: HeardConnection, host: str) -> None:
        self.failure: UnreachableError | None = None
        self._connection = connection
        self._host = host
        self._sent_bytes = 0
        self._taken_bytes = 0
        """Sent before the last ping that was answered."""
        self._pinged_bytes = 0
        self._pinged_s = 0.0
        self._unanswered = 0
        self._silent_s = 0.0
        """For how long nothing has come, since it was asked."""
        self._unread_s = 0.0
        """For how long no pong has come, since it was asked."""
        self._progress = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Pulse:
        self._pinged_s = monotonic()
        self._connection.on_data = self._heard
        self._start(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.on_data = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def room(self) -> None:
        """Wait until the other end has taken enough of what was sent; not for a dead one."""
        while self._sent_bytes - self._taken_bytes >= WINDOW_BYTES and not self._is_over():
            self._progress.clear()
            await self._progress.wait()

    def sent(self, size_bytes: int) -> None:
        """A message of so many bytes was sent."""
        self._sent_bytes += size_bytes
        if self._sent_bytes - self._pinged_bytes >= EVERY_BYTES:
            self._ping()

    def _heard(self) -> None:
        self._silent_s = 0.0

    def _is_over(self) -> bool:
        return self.failure is not None or self._connection.close_code is not None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        looked_s = monotonic()
        while not self._is_over():
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = monotonic()
            # Who was deaf must not blame the other end for it.
            if self._unanswered:
                waited_s = min(now_s - looked_s, _DEAF_S)
                self._silent_s += waited_s
                self._unread_s += waited_s
            looked_s = now_s
            if self._silent_s >= SILENCE_LIMIT_S:
                self._cut(SILENCE_LIMIT_S)
            elif self._unread_s >= UNREAD_LIMIT_S:
                self._cut(UNREAD_LIMIT_S)
            elif now_s - self._pinged_s >= EVERY_S and not self._unanswered:
                self._ping()
        self._progress.set()

    def _cut(self, limit_s: float) -> None:
        _log.info("no answer from %s for %g s", self._host, limit_s)
        self.failure = UnreachableError(
            f"the connection to {self._host} is dead: no answer for {limit_s:g} s",
            "check the network",
        )
        self._connection.transport.abort()

    def _ping(self) -> None:
        self._pinged_s = monotonic()
        self._pinged_bytes = self._sent_bytes
        if not self._unanswered:
            self._silent_s = self._unread_s = 0.0
        self._unanswered += 1
        self._start(self._wait_for_pong(self._sent_bytes))

    async def _wait_for_pong(self, sent_bytes: int) -> None:
        from websockets.exceptions import ConnectionClosed

        # Why the connection closed is told to whoever sends or receives.
        with suppress(ConnectionClosed):
            pong = await self._connection.ping()
            await pong
            self._unanswered -= 1
            self._taken_bytes = max(self._taken_bytes, sent_bytes)
            self._unread_s = 0.0
            self._progress.set()
