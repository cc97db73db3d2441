"""A world for the loop without I/O: a source of known samples, a service that hears by rule.

The service is the server's own state machine (``protocol.server``), so that whatever the loop
sends is checked by it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sayd_cli.errors import InputError
from sayd_cli.model.audio import SAMPLE_BYTES, Codec, Frame, GapReason, Interruption
from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Final,
    Keepalive,
    Ready,
    ServerMessage,
)
from sayd_cli.model.report import Ended, Gap, Heard, Notice, Progress, Reconnected, Report
from sayd_cli.model.secret import SecretUrl
from sayd_cli.model.session import BackendName, Session, SessionSettings
from sayd_cli.protocol.server import ServerStream

RATE_HZ = 16000


class FakeClock:
    """A clock that moves when nothing else does, and then at once to the next awaited moment."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0
        self._driver: asyncio.Task[None] | None = None

    def now_s(self) -> float:
        return self.time_s

    def utc_now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        sleeper = (self.time_s + seconds, self._count, asyncio.Event())
        heapq.heappush(self._sleepers, sleeper)
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        try:
            await sleeper[2].wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    async def _drive(self) -> None:
        while self._sleepers:
            # More turns than any chain of tasks here takes: after them, all wait for time.
            for _ in range(1000):
                await asyncio.sleep(0)
            if self._sleepers:
                due_s, _, event = heapq.heappop(self._sleepers)
                self.time_s = max(self.time_s, due_s)
                event.set()


class ScriptedSource:
    """Gives blocks of samples whose bytes are known; then ends, fails, or waits for ``stop``.

    With ``gap_at_s`` it breaks off there, and goes on ``gap_s`` later.
    """

    def __init__(
        self,
        seconds: float,
        *,
        block_samples: int = 777,
        live: bool = False,
        endless: bool = False,
        failure: InputError | None = None,
        open_failure: InputError | None = None,
        gap_at_s: float | None = None,
        gap_s: float = 0.0,
    ) -> None:
        samples = round(seconds * RATE_HZ)
        self.pcm = bytes(n * 7 % 251 for n in range(samples * SAMPLE_BYTES))
        self.live = live
        self.can_wait = not live
        self.events: list[str] = []
        self._block_bytes = block_samples * SAMPLE_BYTES
        self._endless = endless
        self._failure = failure
        self._open_failure = open_failure
        self._stopped = asyncio.Event()
        self._gap_at = None if gap_at_s is None else round(gap_at_s * RATE_HZ) * SAMPLE_BYTES
        self._gap_samples = round(gap_s * RATE_HZ)
        self.given = 0

    async def __aenter__(self) -> ScriptedSource:
        if self._open_failure is not None:
            raise self._open_failure
        self.events.append("opened")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.events.append("closed")

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        gap_at, late_samples, start = self._gap_at, 0, 0
        while start < len(self.pcm):
            end = min(start + self._block_bytes, len(self.pcm))
            if gap_at is not None:
                end = min(end, gap_at)
            if start == gap_at:
                yield Interruption(GapReason.DEVICE, "the microphone went away")
                gap_at, late_samples = None, self._gap_samples
                continue
            self.given = end
            yield Frame(self.pcm[start:end], start // SAMPLE_BYTES + late_samples, RATE_HZ)
            start = end
            await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        if self._endless:
            await self._stopped.wait()

    def stop(self) -> None:
        self.events.append("stopped")
        self._stopped.set()

    def notices(self) -> list[str]:
        return ["a notice"]


Hearing = Callable[[ClientMessage, "ScriptedService"], list[ServerMessage | BaseException | None]]
"""What the service says to a message; an exception is a connection that ends with it, None one
that is closed in good order."""


def says(*answers: ServerMessage) -> list[ServerMessage | BaseException | None]:
    return list(answers)


def one_sentence_a_second(
    message: ClientMessage, service: ScriptedService
) -> list[ServerMessage | BaseException | None]:
    """Hears ``word N`` when the N-th second of audio is complete, and completes at the end."""
    answers: list[ServerMessage | BaseException | None] = []
    seconds = len(service.pcm) // (RATE_HZ * SAMPLE_BYTES)
    while service.sentences < seconds:
        n = service.sentences
        answers.append(Final(f"word {n}", float(n), n + 1.0, n))
        service.sentences += 1
    if isinstance(message, End):
        answers.append(Complete())
    return answers


class Connection:
    """One connection to the scripted service, checked by the server's own state machine."""

    def __init__(self, service: ScriptedService, have: int | None, codec: Codec) -> None:
        self.protocol = ServerStream(codec)
        self.pcm = b""
        self.have = have
        self._service = service
        self._replies: asyncio.Queue[str | BaseException | None] = asyncio.Queue()

    async def send(self, data: bytes | str) -> None:
        message = self.protocol.receive(data)
        service = self._service
        if isinstance(message, Audio):
            self.pcm += message.payload
            service.message_bytes.append(len(message.payload))
        if isinstance(message, Keepalive):
            service.keepalives += 1
        self.say(service.hears(message, service))
        await asyncio.sleep(0)

    async def receive(self) -> bytes | str | None:
        reply = await self._replies.get()
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def say(self, answers: list[ServerMessage | BaseException | None]) -> None:
        for answer in answers:
            self._replies.put_nowait(
                answer
                if answer is None or isinstance(answer, BaseException)
                else self.protocol.send(answer)
            )

    def say_raw(self, data: str) -> None:
        self._replies.put_nowait(data)


class ScriptedService:
    """A backend, and the connections to it.

    Args:
        hears: What it says to a message; its ``connection`` is the present one.
        ready: What each connection begins with; None for nothing.
        create_failures: Raised by ``create_session``, one each time, until none is left.
        open_failures: The same of ``open_stream``.
        codec: Of the audio.
    """

    name = BackendName.LOCAL

    def __init__(
        self,
        hears: Hearing = one_sentence_a_second,
        *,
        ready: Callable[[ScriptedService], Ready | None] | None = None,
        create_failures: list[BaseException] | None = None,
        open_failures: list[BaseException] | None = None,
        codec: Codec = Codec.PCM16,
    ) -> None:
        self._codec = codec
        self.message_bytes: list[int] = []
        self.keepalives = 0
        self.sentences = 0
        self.events: list[str] = []
        self.sessions = 0
        self.connections: list[Connection] = []
        self.hears = hears
        self.ready = ready or (lambda service: Ready())
        self.create_failures = create_failures or []
        self.open_failures = open_failures or []

    @property
    def connection(self) -> Connection:
        """The present one."""
        return self.connections[-1]

    @property
    def pcm(self) -> bytes:
        """What the present connection was sent."""
        return self.connections[-1].pcm if self.connections else b""

    @property
    def protocol(self) -> ServerStream:
        return self.connection.protocol

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[ScriptedService]:
        self.events.append("entered")
        try:
            yield self
        finally:
            self.events.append("left")

    async def create_session(self, settings: SessionSettings) -> Session:
        self.events.append("created")
        if self.create_failures:
            raise self.create_failures.pop(0)
        self.sessions += 1
        url = SecretUrl("ws://h/s?api_key=k")
        return Session(f"session-{self.sessions}", url, settings.language)

    @asynccontextmanager
    async def open_stream(
        self, session: Session, have: int | None = None
    ) -> AsyncIterator[Connection]:
        self.events.append("connected")
        if self.open_failures:
            raise self.open_failures.pop(0)
        connection = Connection(self, have, self._codec)
        self.connections.append(connection)
        ready = self.ready(self)
        if ready is not None:
            connection.say([ready])
        yield connection
        self.events.append("disconnected")


class Recorder:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def take(self, report: Report) -> None:
        self.reports.append(report)

    @property
    def texts(self) -> list[str]:
        return [r.sentence.text for r in self.reports if isinstance(r, Heard)]

    @property
    def ends(self) -> list[Ended]:
        return [r for r in self.reports if isinstance(r, Ended)]

    @property
    def notices(self) -> list[str]:
        return [r.text for r in self.reports if isinstance(r, Notice)]

    @property
    def reconnections(self) -> list[Reconnected]:
        return [r for r in self.reports if isinstance(r, Reconnected)]

    @property
    def gaps(self) -> list[Gap]:
        return [r for r in self.reports if isinstance(r, Gap)]

    @property
    def progress(self) -> list[Progress]:
        return [r for r in self.reports if isinstance(r, Progress)]
