"""How much a client may ask of the server, and which streams are open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sayd_cli.errors import BusyError


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server allows.

    Attributes:
        streams_per_key: Streams that one key may have open at once (the hosted service's free
            tier allows 5); None for any number.
        message_bytes: The largest message on a stream; a second of PCM16 is 32,000.
        idle_s: How long a stream may be silent, without audio or keepalive (known clients send
            one every 15 s), before its client counts as vanished; None for ever.
        drain_s: How long open streams have for their last sentences when the server stops.
        retry_after_s: When a client that was told "later" should ask again.
    """

    streams_per_key: int | None = 5
    message_bytes: int = 1 << 20
    idle_s: float | None = 60.0
    drain_s: float = 10.0
    retry_after_s: int = 5


class Stoppable(Protocol):
    """An open stream, as one who wants it to end sees it."""

    def stop(self) -> None:
        """Take no more audio; end when what was taken is transcribed."""
        ...

    def cut(self) -> None:
        """End now."""
        ...


class OpenStreams:
    """The streams that are open; used from the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._streams: dict[tuple[str, str], Stoppable] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def closing(self) -> bool:
        """The server is about to stop: nothing new is begun."""
        return self._closing

    def check(self, owner: str) -> None:
        """Whether the owner may open one more.

        Raises:
            BusyError: Not now.
        """
        if self._closing:
            raise self._later("the server is stopping")
        allowed = self._limits.streams_per_key
        if allowed is not None and sum(key[0] == owner for key in self._streams) >= allowed:
            raise self._later(f"this key has {allowed} streams open, which is all it may")

    @contextmanager
    def claim(self, owner: str, session_id: str, stream: Stoppable) -> Iterator[None]:
        """Have the session's stream to oneself.

        Args:
            owner: Whose session it is.
            session_id: The session.
            stream: How to end it when the server stops.

        Raises:
            BusyError: Somebody else has it, or the owner has too many.
        """
        key = (owner, session_id)
        if key in self._streams:
            # "Later", not "never": a client whose connection died may be back before we know.
            raise self._later("the stream of this session is in use")
        self.check(owner)
        self._streams[key] = stream
        self._empty.clear()
        try:
            yield
        finally:
            del self._streams[key]
            if not self._streams:
                self._empty.set()

    async def drain(self) -> None:
        """Begin nothing new, stop every stream, wait for their last sentences, and end those that
        have more to say than ``drain_s`` allows.
        """
        self._closing = True
        for stream in tuple(self._streams.values()):
            stream.stop()
        try:
            async with asyncio.timeout(self._limits.drain_s):
                await self._empty.wait()
        except TimeoutError:
            for stream in tuple(self._streams.values()):
                stream.cut()
            await self._empty.wait()

    def _later(self, message: str) -> BusyError:
        return BusyError(message, "try again later", retry_after_s=self._limits.retry_after_s)
