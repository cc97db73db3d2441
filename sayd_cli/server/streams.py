"""Which streams there are, who is connected to them, and how long one waits for its client.

Used from the event loop only. A stream of which the connection is lost stays for ``resume_s``, so
that its client may go on, or hear what it missed; then it is finished. It counts for its key's
limit only while somebody is connected to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sayd_cli.errors import BusyError
from sayd_cli.server.limits import Limits
from sayd_cli.server.line import CLOSE_LATER, CLOSE_POLICY, Line
from sayd_cli.server.stream import ABANDONED, STOPPING, Stream

_log = logging.getLogger(__name__)


class Place:
    """Where the connections of one session meet its stream."""

    def __init__(self, owner: str, session_id: str) -> None:
        self.key = (owner, session_id)
        self.line: Line | None = None
        """Who has the stream now; the newest connection always does."""
        self.stream: Stream | None = None
        self.running: asyncio.Task[None] | None = None
        self.leaving: asyncio.TimerHandle | None = None
        self.over = False
        """Nobody may come back; it goes when all is transcribed."""


class OpenStreams:
    """The streams that are open, or wait for their clients."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # In the order in which they were left; those that are not left may be anywhere.
        self._places: dict[tuple[str, str], Place] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._places)

    @property
    def closing(self) -> bool:
        """The server is about to stop: nothing new is begun."""
        return self._closing

    def check_open(self) -> None:
        """Whether anything may be begun.

        Raises:
            BusyError: The server is about to stop.
        """
        if self._closing:
            raise self._later("the server is stopping")

    def check(self, owner: str) -> None:
        """Whether the owner may have one more connection.

        Raises:
            BusyError: Not now.
        """
        self.check_open()
        allowed = self._limits.streams_per_key
        open_now = sum(
            place.key[0] == owner and place.line is not None for place in self._places.values()
        )
        if allowed is not None and open_now >= allowed:
            raise self._later(f"this key has {allowed} streams open, which is all it may")

    @contextmanager
    def claim(self, owner: str, session_id: str, line: Line) -> Iterator[Place]:
        """Have the session's stream, taking it from an older connection if one has it: that may
        be dead, and its client knows first.

        Args:
            owner: Whose session it is.
            session_id: The session.
            line: Who wants it; is cut when a newer one does, or the server stops. ``place.line``
                is another one from then on.

        Raises:
            BusyError: The owner has too many.
        """
        place = self._places.get((owner, session_id))
        self.check_open()
        if place is None or place.line is None:
            self.check(owner)
        if place is None:
            place = Place(owner, session_id)
            self._places[place.key] = place
            self._empty.clear()
        if place.line is not None:
            place.line.cut("a newer connection has this stream", CLOSE_POLICY)
        if place.leaving is not None:
            place.leaving.cancel()
        place.line = line
        try:
            yield place
        finally:
            if place.line is line:
                place.line = None
                self._left(place)

    def begin(self, place: Place, stream: Stream) -> None:
        """Run a stream of which ``place`` has none.

        It goes on when its client is lost, and ends by itself.
        """
        place.stream = stream
        place.running = asyncio.create_task(stream.run(), name="sayd-stream")
        place.running.add_done_callback(lambda _: self._settle(place))

    async def drain(self) -> None:
        """Begin nothing new, end every stream, wait for their last sentences, and give up those
        that have more to say than ``drain_s`` allows.
        """
        self._closing = True
        for place in tuple(self._places.values()):
            self._finish(place)
        try:
            async with asyncio.timeout(self._limits.drain_s):
                await self._empty.wait()
        except TimeoutError:
            for place in tuple(self._places.values()):
                if place.line is not None:
                    place.line.cut("the server is stopping", CLOSE_LATER)
                if place.running is not None:
                    place.running.cancel()
            await self._empty.wait()

    def _left(self, place: Place) -> None:
        """The last connection is gone."""
        if place.stream is None or place.over:
            place.over = True
            self._settle(place)
            return
        if not place.stream.told:
            _log.info(
                "session %s: the client vanished; its stream waits %g s for it",
                place.stream.session_id,
                self._limits.resume_s,
            )
        self._places[place.key] = self._places.pop(place.key)
        place.leaving = asyncio.get_running_loop().call_later(
            self._limits.resume_s, self._finish, place
        )
        self._make_room(place.key[0])

    def _make_room(self, owner: str) -> None:
        """Finish what was left longest ago, and of that first what only waits to be read."""
        if self._limits.streams_per_key is None:
            return
        left = [
            place
            for place in self._places.values()
            if place.key[0] == owner and place.line is None and not place.over
        ]
        left.sort(key=lambda place: place.stream is None or place.stream.outcome is None)
        for place in left[: max(0, len(left) - 2 * self._limits.streams_per_key)]:
            self._finish(place)

    def _finish(self, place: Place) -> None:
        place.over = True
        if place.leaving is not None:
            place.leaving.cancel()
        if place.stream is not None:
            place.stream.end(ABANDONED if place.line is None else STOPPING)
        self._settle(place)

    def _settle(self, place: Place) -> None:
        """Forget a place where nothing can happen any more."""
        at_work = place.running is not None and not place.running.done()
        known = self._places.get(place.key) is place
        if known and place.over and place.line is None and not at_work:
            del self._places[place.key]
            if not self._places:
                self._empty.set()

    def _later(self, message: str) -> BusyError:
        return BusyError(message, "try again later", retry_after_s=self._limits.retry_after_s)
