"""One connection to the service: its state machine, and the waiting around it.

Owns who may say what when (through ``protocol.client``). Knows nothing of sources and transcripts,
and not that there may be another connection after this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sayd_cli.errors import BusyError, RefusedError, SaydError, ServiceFailedError, UnreachableError
from sayd_cli.listening.clock import Clock
from sayd_cli.listening.ports import Stream
from sayd_cli.listening.rules import Rules
from sayd_cli.model.events import (
    ClientMessage,
    Complete,
    End,
    Fault,
    Final,
    Keepalive,
    Partial,
    Ready,
    ServerMessage,
)
from sayd_cli.protocol.client import ClientState, ClientStream
from sayd_cli.transcript.sanitize import sanitize

Taker = Callable[[Partial | Final], None]
"""Who is given each text as it comes."""

_CLOSE_FOLLOWS_S = 1.0
"""How long after ``error`` its close code may take, which tells a refusal from a failure."""


class Conversation:
    """What is said on one connection.

    Calling order: ``read`` in one task; in others, once ``on_ready`` was called, ``send`` audio,
    and ``end`` once. ``keep_alive`` in a task of its own.

    Args:
        stream: The connection.
        rules: How long to wait.
        clock: Time.
        on_ready: Called with the first ``ready``, before anything that comes after it is given.
        has_said: The session has given sentences on an earlier connection.
    """

    def __init__(
        self,
        stream: Stream,
        rules: Rules,
        clock: Clock,
        on_ready: Callable[[Ready], None],
        *,
        has_said: bool = False,
    ) -> None:
        self._stream = stream
        self._rules = rules
        self._clock = clock
        self._on_ready = on_ready
        self.is_cut_short = False
        """``complete`` came before our ``end``: the service has a limit of its own."""
        self._is_ready = False
        self._protocol = ClientStream()
        self._last_sent_s = clock.now_s()
        self._has_said = has_said

    async def send(self, message: ClientMessage) -> None:
        """Send a message. When the connection is over, wait to be cancelled.

        Why it ended is for ``read`` to find out, after the messages that came before the end;
        here there is only nobody left to send to.
        """
        if not self._protocol.over:
            data = self._protocol.send(message)
            self._last_sent_s = self._clock.now_s()
            try:
                await self._stream.send(data)
            except SaydError:
                pass
            else:
                return
        await asyncio.Event().wait()

    async def end(self) -> None:
        """Say that no more audio will come."""
        await self.send(End())

    async def keep_alive(self) -> None:
        """Whenever nothing has been sent for a while, say that we are still here; for ever."""
        while True:
            due_s = self._last_sent_s + self._rules.keepalive_s - self._clock.now_s()
            if due_s > 0:
                await self._clock.sleep(due_s)
            else:
                await self.send(Keepalive())

    async def read(self, take: Taker) -> Complete:
        """Read until the service has said ``complete``, and give each text to ``take``.

        Returns:
            The ``complete``, which came after our ``end`` unless ``is_cut_short``.

        Raises:
            SaydError: The connection ended before that; ``retryable`` when another may do better.
        """
        try:
            async with asyncio.timeout(self._rules.ready_timeout_s) as patience:
                while not self._is_ready:
                    complete = await self._read_message(take)
                    if complete is not None:
                        return complete
                patience.reschedule(None)
                while True:
                    complete = await self._read_message(take)
                    if complete is not None:
                        return complete
        except TimeoutError as exc:
            if not patience.expired():
                raise  # not ours
            raise UnreachableError(
                f"the service was not ready within {self._rules.ready_timeout_s:g} s",
                "try again later, or use --local",
            ) from exc

    async def _read_message(self, take: Taker) -> Complete | None:
        data = await self._stream.receive()
        if data is None:
            raise UnreachableError("the service closed the stream before it was complete")
        asked_to_end = self._protocol.state is ClientState.ENDING
        for message in self._protocol.receive(data):
            match message:
                case Complete():
                    self.is_cut_short = not asked_to_end
                    return self._complete(message, take)
                case Fault():
                    raise await self._failure(message)
                case _:
                    self._dispatch(message, take)
        return None

    def _dispatch(self, message: ServerMessage, take: Taker) -> None:
        match message:
            case Ready() if not self._is_ready:
                self._is_ready = True
                self._on_ready(message)
            case Partial():
                take(message)
            case Final():
                self._has_said = True
                take(message)
            case _:
                pass

    def _complete(self, message: Complete, take: Taker) -> Complete:
        if message.text and not self._has_said:
            # Some services give the whole text here; where it is the only one, it counts.
            take(Final(message.text))
        return message

    async def _failure(self, fault: Fault) -> SaydError:
        """What ``error`` means, by how the connection is closed after it."""
        reason = f"{fault.message} ({fault.code})" if fault.code else fault.message
        said = f"the service ended the stream: {sanitize(reason)}"
        try:
            async with asyncio.timeout(_CLOSE_FOLLOWS_S):
                while await self._stream.receive() is not None:
                    pass
        except TimeoutError:
            pass  # no close code: then its word is all there is
        except BusyError as closed:
            return BusyError(said, "try again later", retry_after_s=closed.retry_after_s)
        except SaydError as closed:
            if closed.retryable:
                return ServiceFailedError(said, "try again later")
        return RefusedError(said)
