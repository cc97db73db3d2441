"""One connection's part in a stream: audio from it, sentences to it.

Owns what a connection asks for when it opens, and how it ends. The order of messages is
``protocol.server``'s; the stream is ``stream``'s, and goes on without a connection.

On the URL of a stream, a client that was lost goes on where the stream stands (``ready`` says
where). With ``have=N`` in the query it says that it has the sentences with numbers below N: it is
sent all others, and the end of the stream again if it came to one. Without it, as generic clients
do, it gets what could not be sent before; and of audio that it sends again only what is new is
taken (``resent``).
"""

from __future__ import annotations

import asyncio
import logging

from starlette.websockets import WebSocket

from sayd_cli.errors import (
    BusyError,
    KeyRefusedError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    SaydError,
)
from sayd_cli.model.events import Audio, End, Fault, Partial, Ready
from sayd_cli.protocol.server import ServerStream
from sayd_cli.server.keys import bearer
from sayd_cli.server.limits import Limits
from sayd_cli.server.line import (
    CLOSE_FAILED,
    CLOSE_LATER,
    CLOSE_POLICY,
    CLOSE_TOO_BIG,
    CLOSE_WRONG_DATA,
    Line,
)
from sayd_cli.server.resent import Resent
from sayd_cli.server.service import Service
from sayd_cli.server.stream import DONE, Ending, Stream
from sayd_cli.server.streams import Place

_log = logging.getLogger(__name__)

IN_FLIGHT_QUIET_S = 0.05
"""Audio in flight after ``end`` has arrived when nothing came for so long. A connection keeps the
order, so there is some only when the client sends from two threads."""

IN_FLIGHT_LIMIT_S = 0.5
"""... and after so long in any case."""

_HAVE_DIGITS = 9


async def serve_stream(websocket: WebSocket) -> None:
    """Serve one connection from its handshake to its close."""
    service = websocket.app.state.service
    assert isinstance(service, Service)
    await websocket.accept()
    line = Line(websocket)
    try:
        async with line.patience:
            await _serve(line, service)
    except SaydError as exc:
        if _close_code(exc) == CLOSE_FAILED:
            _log.error("a connection failed: %s", exc.message, exc_info=exc)
        await line.fail(exc.message, _close_code(exc))
    except Exception:  # noqa: BLE001 - the task's boundary
        if line.patience.expired():
            await line.fail(line.reason, line.close_code)
            return
        _log.exception("a connection failed")
        await line.fail("the server failed", CLOSE_FAILED)


def _close_code(exc: SaydError) -> int:
    if isinstance(exc, BusyError):
        return CLOSE_LATER
    if isinstance(exc, RefusedError | KeyRefusedError | NotFoundError):
        return CLOSE_POLICY
    return CLOSE_FAILED


async def _serve(line: Line, service: Service) -> None:
    websocket = line.websocket
    session_id = websocket.path_params["session_id"]
    owner = service.keys.owner(websocket.query_params.get("api_key") or bearer(websocket.headers))
    have = _have(websocket.query_params.get("have"))
    with service.streams.claim(owner, session_id, line) as place:
        stream = place.stream or await _opened(place, service)
        # Who says nothing of what it has was told everything, as far as we know.
        if place.over or (stream.told and have is None):
            raise _over()
        await Conversation(line, place, stream, service.limits, have).run()


def _have(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _HAVE_DIGITS:
        return int(text)
    raise RefusedError("have is not a number of sentences")


def _over() -> RefusedError:
    return RefusedError("this session is over; create another")


async def _opened(place: Place, service: Service) -> Stream:
    owner, session_id = place.key
    session = await service.archive.ask(lambda store: store.find(session_id))
    if session is None or session.owner != owner:
        raise NotFoundError("there is no such session")
    if session.heard and place.stream is None:
        raise _over()
    engine = await service.engine()
    service.streams.check_open()  # The engine may have taken until the server stops.
    if place.stream is not None:
        return place.stream  # A connection that was here before this one has opened it.
    audio = engine.open_stream(session.settings.sample_rate_hz)
    stream = Stream(session_id, session.settings, audio, service.archive, service.languages)
    service.streams.begin(place, stream)
    _log.info("session %s: stream opened", session_id)
    return stream


class Conversation:
    """A connection that has a stream, until it is lost, or the stream is over.

    Args:
        line: The connection.
        place: Where it has the stream, for as long as no newer one does.
        stream: The stream.
        limits: What the server allows.
        have: Sentences that the client has; None when it does not say.
    """

    def __init__(
        self, line: Line, place: Place, stream: Stream, limits: Limits, have: int | None
    ) -> None:
        self._line = line
        self._place = place
        self._stream = stream
        self._limits = limits
        # Nobody can have what was not heard yet.
        self._next = stream.said if have is None else min(have, stream.count)
        self._resent: Resent | None = None
        if have is None:
            self._resent = stream.resent()
        else:
            stream.renew()
        line.protocol = ServerStream(stream.settings.codec, ended=stream.ending is not None)

    async def run(self) -> None:
        """From ``ready`` to the close, or to the loss of the client.

        Raises:
            SaydError: The archive failed.
        """
        stream = self._stream
        if stream.taken_samples or stream.count:
            _log.info("session %s: resumed at %.1f s", stream.session_id, stream.taken_s)
        await self._line.say(Ready(self._limits.resume_s, stream.taken_samples))
        hearing = asyncio.create_task(self._hear(), name="sayd-hearing")
        speaking = asyncio.create_task(self._speak(), name="sayd-speaking")
        try:
            await asyncio.wait({hearing, speaking}, return_when=asyncio.FIRST_COMPLETED)
            if not speaking.done() or not speaking.result():
                # What a client said before it was lost may still have to be taken.
                await hearing
                return
        finally:
            hearing.cancel()
            speaking.cancel()
            await asyncio.gather(hearing, speaking, return_exceptions=True)
        outcome = stream.outcome
        assert outcome is not None
        await self._line.close(outcome.close_code)

    async def _speak(self) -> bool:
        """Until the client knows how it ended; False when it can hear no more.

        A client that reads slowly waits for itself only: sentences it has not read stay in the
        archive, and an interim text that it has not read is replaced by the next.
        """
        stream, line = self._stream, self._line
        shown: Partial | None = None
        while True:
            stream.news.clear()
            if self._next < stream.count:
                # Not by counting what comes: the archive may have been deleted from.
                until = stream.count
                for sentence in await stream.sentences(self._next):
                    if not await line.say(sentence):
                        return False
                    stream.said = max(stream.said, (sentence.index or 0) + 1)
                self._next = until
            elif stream.outcome is not None:
                stream.told = await line.say(stream.outcome.message)
                return stream.told
            elif stream.partial is not shown:
                shown = stream.partial
                if shown is not None and not await line.say(shown):
                    return False
            else:
                await stream.news.wait()

    async def _hear(self) -> None:
        """Until the client is gone."""
        if self._stream.ending is None:
            await self._take_audio()
        # Reading goes on, so that pings are answered while the rest is transcribed. What comes of
        # audio was sent before the client knew that the stream had ended.
        while await self._line.receive() is not None:
            pass

    async def _take_audio(self) -> None:
        """Until the stream is ended, or the client is gone."""
        stream, limits = self._stream, self._limits
        while stream.ending is None:
            try:
                data = await self._line.receive(limits.idle_s)
            except TimeoutError:
                fault = Fault(f"neither audio nor keepalive for {limits.idle_s:g} s")
                self._end(Ending(fault, CLOSE_POLICY))
                return
            if data is None:
                return
            if len(data) > limits.message_bytes:
                fault = Fault(f"a message of more than {limits.message_bytes} bytes")
                self._end(Ending(fault, CLOSE_TOO_BIG))
                return
            try:
                message = self._line.protocol.receive(data)
            except ProtocolError as exc:
                code = CLOSE_WRONG_DATA if isinstance(data, bytes) else CLOSE_POLICY
                self._end(Ending(Fault(exc.message), code))
                return
            if isinstance(message, Audio):
                await self._take(message)
            elif isinstance(message, End):
                await self._take_the_rest()
                return

    async def _take_the_rest(self) -> None:
        if self._resent is not None:
            for payload in self._resent.flush():
                await self._take_new(payload)
        if not self._has_stream:
            return
        # Now, not later: from here on a connection that takes over finds a stream that has ended.
        self._stream.end(DONE, in_flight=True)
        try:
            await self._take_in_flight()
        finally:
            self._stream.end(DONE)

    async def _take_in_flight(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + IN_FLIGHT_LIMIT_S
        while loop.time() < until_s:
            try:
                data = await self._line.receive(IN_FLIGHT_QUIET_S)
                if data is None or len(data) > self._limits.message_bytes:
                    return
                message = self._line.protocol.receive(data)
            except (TimeoutError, ProtocolError):
                return  # After ``end`` there is nothing to be refused any more.
            if isinstance(message, Audio):
                await self._take(message)

    async def _take(self, message: Audio) -> None:
        new = [message.payload] if self._resent is None else self._resent.push(message.payload)
        for payload in new:
            await self._take_new(payload)

    async def _take_new(self, payload: bytes) -> None:
        await self._stream.room()
        if self._has_stream:
            self._stream.take(payload)

    def _end(self, ending: Ending) -> None:
        if self._has_stream:
            self._stream.end(ending)

    @property
    def _has_stream(self) -> bool:
        """No newer connection has it."""
        return self._place.line is self._line
