"""One stream with the service: its state machine, and the waiting around it.

Owns who may say what when (through ``protocol.client``) and for how long silence is borne. Knows
nothing of sources and transcripts.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from sayd_cli.errors import (
    ProtocolError,
    RefusedError,
    SaydError,
    UnconfirmedError,
    UnreachableError,
)
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


class Conversation:
    """What is said on one stream.

    Calling order: ``read`` in one task; in others, once ``ready`` is set, ``send`` audio, and
    ``end`` once. ``keep_alive`` in a task of its own.

    Args:
        stream: The connection.
        rules: How long to wait.
        clock: Time.
    """

    def __init__(self, stream: Stream, rules: Rules, clock: Clock) -> None:
        self.ready = asyncio.Event()
        self.hurried = False
        self._stream = stream
        self._rules = rules
        self._clock = clock
        self._protocol = ClientStream()
        self._patience: asyncio.Timeout | None = None
        self._last_sent_s = clock.now_s()
        self._lost = False
        self._heard_text = False
        self._last_moment_s: float | None = None

    async def send(self, message: ClientMessage) -> None:
        """Send a message; nothing when the stream is over.

        Why a connection ended is for ``read`` to find out, after the messages that came before
        the end; here there is only nobody left to send to.
        """
        if self._lost or self._protocol.over:
            return
        data = self._protocol.send(message)
        self._last_sent_s = self._clock.now_s()
        try:
            await self._stream.send(data)
        except (UnreachableError, RefusedError, ProtocolError):
            self._lost = True

    async def end(self) -> None:
        """Say that no more audio will come; ``read`` waits with a limit from now on."""
        await self.send(End())
        self.hurry()

    def hurry(self) -> None:
        """From now on, wait with a limit: for the service to take what is left, and to complete.

        To be called at any time, any number of times.
        """
        if self.hurried:
            return
        self.hurried = True
        if self.ready.is_set():
            self._bear_silence(self._rules.complete_timeout_s)

    async def keep_alive(self) -> None:
        """Whenever nothing has been sent for a while, say that we are still here; for ever."""
        while True:
            due_s = self._last_sent_s + self._rules.keepalive_s - self._clock.now_s()
            if due_s > 0:
                await self._clock.sleep(due_s)
            else:
                await self.send(Keepalive())

    async def read(self, take: Taker) -> None:
        """Read until the service has said ``complete``, and give each text to ``take``.

        Raises:
            UnreachableError, RefusedError, ProtocolError: The stream ended before that.
            UnconfirmedError: ``complete`` did not come in time.
        """
        try:
            async with asyncio.timeout(self._rules.ready_timeout_s) as self._patience:
                while not self._protocol.over:
                    await self._read_message(take)
        except TimeoutError as exc:
            if self._patience is None or not self._patience.expired():
                raise  # not ours
            raise self._out_of_patience() from exc

    async def _read_message(self, take: Taker) -> None:
        data = await self._stream.receive()
        if data is None:
            raise ProtocolError("the service closed the stream before it was complete")
        asked_to_end = self._protocol.state is ClientState.ENDING
        for message in self._protocol.receive(data):
            self._dispatch(message, take, asked_to_end=asked_to_end)

    def _dispatch(self, message: ServerMessage, take: Taker, *, asked_to_end: bool) -> None:
        match message:
            case Ready() if not self.ready.is_set():
                self._bear_silence(self._rules.complete_timeout_s if self.hurried else None)
                self.ready.set()
            case Partial():
                take(message)
            case Final():
                self._heard_text = True
                take(message)
                if self.hurried:
                    self._bear_silence(self._rules.complete_timeout_s)
            case Complete(_, text):
                if text and not self._heard_text:
                    # Some services give the whole text here; where it is the only one, it counts.
                    take(Final(text))
                if not asked_to_end:
                    raise RefusedError("the service ended the session before the audio ended")
            case Fault(reason, code):
                shown = sanitize(f"{reason} ({code})" if code else reason)
                raise RefusedError(f"the service ended the stream: {shown}")
            case _:
                pass

    def _bear_silence(self, limit_s: float | None) -> None:
        """From now on, wait so long for the next sentence; None for ever."""
        if self._patience is None or self._patience.expired():
            return
        now_s = asyncio.get_running_loop().time()
        if self.hurried and self._last_moment_s is None:
            self._last_moment_s = now_s + self._rules.complete_limit_s
        if limit_s is None:
            self._patience.reschedule(None)
        else:
            last_moment_s = self._last_moment_s or math.inf
            self._patience.reschedule(min(now_s + limit_s, last_moment_s))

    def _out_of_patience(self) -> SaydError:
        if self.ready.is_set():
            waited_s = self._rules.complete_timeout_s
            return UnconfirmedError(
                f"the service did not confirm the end within {waited_s:g} s",
                "the last words may be missing",
            )
        return UnreachableError(
            f"the service was not ready within {self._rules.ready_timeout_s:g} s",
            "try again later, or use --local",
        )
