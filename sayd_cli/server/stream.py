"""One stream: audio in, text out, over a WebSocket.

Owns the two tasks of a stream, its close codes, and what happens when either side stops. The
order of messages is ``protocol.server``'s, recognition the engine's, and what is kept the
archive's. A sentence is kept before it is sent.

However the client's audio ends (``end``, a lost connection, a message that breaks the protocol,
the server stopping), what came before it is transcribed and kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.websockets import WebSocket, WebSocketDisconnect

from sayd_cli.engine.port import EngineStream
from sayd_cli.errors import (
    BusyError,
    KeyRefusedError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    SaydError,
)
from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.model.events import (
    Audio,
    Complete,
    End,
    Fault,
    Final,
    Ready,
    ServerMessage,
)
from sayd_cli.model.session import SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.protocol.server import ServerState, ServerStream
from sayd_cli.server.payload import unpacker
from sayd_cli.server.service import Service

_log = logging.getLogger(__name__)

CLOSE_DONE = 1000
CLOSE_WRONG_DATA = 1003
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_FAILED = 1011
CLOSE_LATER = 1013

IN_FLIGHT_QUIET_S = 0.05
"""Audio in flight after ``end`` has arrived when nothing came for so long. A connection keeps the
order, so there is some only when the client sends from two threads."""

IN_FLIGHT_LIMIT_S = 0.5
"""... and after so long in any case."""

FAREWELL_S = 1.0
"""How long the last message of a failed stream may wait for a client that reads slowly."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """Why the audio ended.

    Attributes:
        fault: What the client is told in place of ``complete``, if anything.
        close_code: How the connection is closed.
        vanished: The client went without a word.
    """

    fault: Fault | None
    close_code: int
    vanished: bool = False


_DONE = _Ending(None, CLOSE_DONE)
_VANISHED = _Ending(None, CLOSE_DONE, vanished=True)


async def serve_stream(websocket: WebSocket) -> None:
    """Serve one connection from its handshake to its close."""
    service = websocket.app.state.service
    assert isinstance(service, Service)
    await websocket.accept()
    line = _Line(websocket)
    try:
        async with line.patience:
            await _serve(line, service)
    except SaydError as exc:
        if _close_code(exc) == CLOSE_FAILED:
            _log.error("a stream failed: %s", exc.message, exc_info=exc)
        await line.fail(exc.message, _close_code(exc))
    except Exception:  # noqa: BLE001 - the task's boundary
        if line.patience.expired():
            await line.fail("the server is stopping", CLOSE_LATER)
            return
        _log.exception("a stream failed")
        await line.fail("the server failed", CLOSE_FAILED)


def bearer(headers: Mapping[str, str]) -> str:
    """The key in the ``Authorization`` header: the raw key, as the API has it, or with the
    ``Bearer`` that most others have; empty without one.
    """
    value = headers.get("authorization", "").strip()
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value


def _close_code(exc: SaydError) -> int:
    if isinstance(exc, BusyError):
        return CLOSE_LATER
    if isinstance(exc, RefusedError | KeyRefusedError | NotFoundError):
        return CLOSE_POLICY
    return CLOSE_FAILED


async def _serve(line: _Line, service: Service) -> None:
    websocket = line.websocket
    session_id = websocket.path_params["session_id"]
    owner = service.keys.owner(websocket.query_params.get("api_key") or bearer(websocket.headers))
    with service.streams.claim(owner, session_id, line):
        session = await service.archive.ask(lambda store: store.find(session_id))
        if session is None or session.owner != owner:
            raise NotFoundError("there is no such session")
        if session.heard:
            raise RefusedError("this session is over; create another")
        line.protocol = ServerStream(session.settings.codec)
        conversation = _Conversation(line, service, session_id, session.settings)
        await conversation.run()


class _Line:
    """The connection, as the protocol's state machine allows it to be used."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.protocol = ServerStream()
        self.stopping = False
        self.patience = asyncio.timeout(None)
        """How long the stream may last; it ends with a TimeoutError when it is ``cut``."""
        self._gone = False
        self._wait: asyncio.Timeout | None = None

    def stop(self) -> None:
        """The server stops: who waits in ``next`` gets a TimeoutError."""
        self.stopping = True
        if self._wait is not None:
            self._wait.reschedule(asyncio.get_running_loop().time())

    def cut(self) -> None:
        """End now: ``patience`` is over."""
        self.patience.reschedule(asyncio.get_running_loop().time())

    async def next(self, limit_s: float | None) -> bytes | str | None:
        """The next message as it came, or None when the client is gone.

        Raises:
            TimeoutError: None came in time, or the server stops.
        """
        if self.stopping:
            raise TimeoutError
        async with asyncio.timeout(limit_s) as self._wait:
            try:
                return await self.receive()
            finally:
                self._wait = None

    async def receive(self) -> bytes | str | None:
        """The next message however long it takes, or None when the client is gone."""
        if self._gone:
            return None
        message = await self.websocket.receive()
        if message["type"] == "websocket.disconnect":
            self._gone = True
            return None
        data = message.get("bytes")
        return data if data is not None else str(message["text"])

    async def say(self, message: ServerMessage) -> None:
        """Send a message, waiting while the client is slow; nothing when it is gone."""
        if self._gone:
            return
        try:
            await self.websocket.send_text(self.protocol.send(message))
        except WebSocketDisconnect:
            self._gone = True

    async def fail(self, message: str, code: int) -> None:
        """Say what is wrong, and close; not to a client that does not read, after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                if self.protocol.state is not ServerState.CLOSED:
                    await self.say(Fault(message))
                await self.close(code)

    async def close(self, code: int) -> None:
        """Close the connection, if it is still there."""
        if self._gone:
            return
        self._gone = True
        try:
            await self.websocket.close(code)
        except WebSocketDisconnect:
            _log.debug("the client was gone before it was told so")


class _Conversation:
    """A session's audio through the engine, and its sentences to archive and client."""

    def __init__(
        self, line: _Line, service: Service, session_id: str, settings: SessionSettings
    ) -> None:
        self._line = line
        self._service = service
        self._session_id = session_id
        self._settings = settings
        self._unpack = unpacker(settings)
        self._taken_samples = 0
        self._sentences = 0
        self._heard_until_s = 0.0
        self._ending: _Ending | None = None

    async def run(self) -> None:
        """From ``ready`` to the close.

        Raises:
            SaydError: The engine or the archive failed.
        """
        engine = await self._service.engine()
        audio = engine.open_stream(self._settings.sample_rate_hz)
        try:
            await self._line.say(Ready())
            await self._converse(audio)
        finally:
            await audio.close()
        ending = self._ending
        assert ending is not None
        if ending.vanished and not self._taken_samples:
            return  # Nothing was begun: the client may come again.
        taken_s = self._taken_samples / self._settings.sample_rate_hz
        await self._service.archive.ask(lambda store: store.finish(self._session_id, taken_s))
        await self._line.say(ending.fault or Complete(duration_ms=round(taken_s * 1000)))
        await self._line.close(ending.close_code)

    async def _converse(self, audio: EngineStream) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear(audio))
                await self._speak(audio)
                hearing.cancel()
        except BaseExceptionGroup as failures:
            # One of the two failed and the other was cancelled for it.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        if self._ending is None:
            raise SaydError("the engine stopped before the audio did")

    async def _speak(self, audio: EngineStream) -> None:
        async for event in audio.events():
            if isinstance(event, Final):
                sentence = self._sentence(event)
                await self._keep(sentence)
                event = replace(event, index=sentence.index, language=sentence.language)
            await self._line.say(event)

    async def _keep(self, sentence: Sentence) -> None:
        await self._service.archive.ask(
            lambda store: store.add_sentence(self._session_id, sentence)
        )

    async def _hear(self, audio: EngineStream) -> None:
        self._ending = await self._take_audio(audio)
        await audio.finish()
        # Reading goes on, so that pings are answered while the rest is transcribed.
        while await self._line.receive() is not None:
            pass

    async def _take_audio(self, audio: EngineStream) -> _Ending:
        limits = self._service.limits
        while True:
            try:
                data = await self._line.next(limits.idle_s)
            except TimeoutError:
                if self._line.stopping:
                    return _Ending(Fault("the server is stopping"), CLOSE_LATER)
                return _Ending(
                    Fault(f"neither audio nor keepalive for {limits.idle_s:g} s"), CLOSE_POLICY
                )
            if data is None:
                return _VANISHED
            if len(data) > limits.message_bytes:
                return _Ending(
                    Fault(f"a message of more than {limits.message_bytes} bytes"), CLOSE_TOO_BIG
                )
            try:
                message = self._line.protocol.receive(data)
                if isinstance(message, Audio):
                    await self._feed(audio, message)
            except ProtocolError as exc:
                code = CLOSE_WRONG_DATA if isinstance(data, bytes) else CLOSE_POLICY
                return _Ending(Fault(exc.message), code)
            if isinstance(message, End):
                await self._take_in_flight(audio)
                return _DONE

    async def _take_in_flight(self, audio: EngineStream) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + IN_FLIGHT_LIMIT_S
        while loop.time() < until_s:
            try:
                data = await self._line.next(IN_FLIGHT_QUIET_S)
                if data is None or len(data) > self._service.limits.message_bytes:
                    return
                message = self._line.protocol.receive(data)
            except (TimeoutError, ProtocolError):
                return  # After ``end`` there is nothing to be refused any more.
            if isinstance(message, Audio):
                await self._feed(audio, message)

    async def _feed(self, audio: EngineStream, message: Audio) -> None:
        pcm = self._unpack(message.payload)
        if pcm:
            self._taken_samples += len(pcm) // SAMPLE_BYTES
            await audio.feed(pcm)

    def _sentence(self, event: Final) -> Sentence:
        """The engine's text, numbered; with times even where the engine gives none."""
        start_s = self._heard_until_s if event.start_s is None else event.start_s
        taken_s = self._taken_samples / self._settings.sample_rate_hz
        end_s = taken_s if event.end_s is None else event.end_s
        languages = self._service.languages
        sentence = Sentence(
            index=self._sentences,
            text=event.text,
            start_s=start_s,
            end_s=end_s,
            approximate=event.start_s is None or event.end_s is None,
            confidence=event.confidence,
            language=event.language or (languages[0] if len(languages) == 1 else None),
        )
        self._sentences += 1
        self._heard_until_s = end_s
        return sentence
