"""One connection through the proxy: a REST client's, with any number of requests, or a stream's.

Owns the two sockets, what is understood of HTTP and of WebSocket messages, and how a connection
is brought down. When that happens is ``proxy``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import re
import socket
import struct
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeVar

from tests.faults.frames import CLOSE, Splitter, WireFrame
from tests.faults.line import Line, Network
from tests.faults.plain import PlainServer
from tests.faults.plan import Answer, Direction, Duplicate, Fault, Reorder, Truncate

READ_BYTES = 1 << 16
SOCKET_BYTES = 1 << 16
"""Little is to wait in sockets: a line that stands still is to be felt."""

NEIGHBOUR_S = 0.05
"""How long a message that is to change places waits for the one after it."""

LINGER_S = 1.0
"""How long a connection that was cut has to be closed by both sides. A socket that is closed with
unread bytes in it sends an RST, not a FIN."""

_MOVABLE = ("sentence", "partial", "complete")
_HEAD_END = b"\r\n\r\n"
_RESET_AT_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_UPGRADE = re.compile(rb"^upgrade:\s*websocket", re.IGNORECASE | re.MULTILINE)
_EXTENSIONS = re.compile(rb"^sec-websocket-extensions:[^\n]*\n", re.IGNORECASE | re.MULTILINE)


F = TypeVar("F", bound=Fault)


class Owner(Protocol):
    """What a connection asks of its proxy."""

    upstream: tuple[str, int]
    network: Network
    plain: PlainServer | None

    def take(self, kind: type[F], suits: Callable[[F], bool] = ...) -> F | None:
        """A fault that waits for its occasion, which is this."""
        ...

    def give_back(self, fault: Fault) -> None:
        """The occasion was none."""
        ...

    def log(self, fault: Fault, connections: Iterable[Connection], detail: str = "") -> None:
        """A fault was carried out."""
        ...

    def passed(self, count_bytes: int) -> None:
        """A stream carried so many bytes."""
        ...


@dataclass(frozen=True, slots=True)
class _Request:
    raw: bytes
    is_upgrade: bool
    is_chunked: bool


class Connection:
    """A client's connection, and the one to the server that belongs to it.

    Attributes:
        number: From 0, in the order in which they came.
        is_stream: It is a WebSocket, from the request for it on.
        bytes_up: What was passed on to the server.
        bytes_down: What was passed on to the client.
    """

    def __init__(
        self,
        owner: Owner,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number = number
        self.is_stream = False
        self.bytes_up = 0
        self.bytes_down = 0
        self._owner = owner
        self._ends = [(reader, writer)]
        self._lines: dict[Direction, Line] = {}
        self._is_open = False
        self._over = asyncio.Event()
        self._lingers = False
        self._is_held_for_ever = False

    @property
    def is_lost(self) -> bool:
        """It was cut or reset, or nothing goes through it before ``release``."""
        return self._over.is_set() or self._is_held_for_ever

    async def run(self) -> None:
        """From its first request to its end; cancelling it closes both sockets."""
        carrying = asyncio.create_task(self._carry())
        ending = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({carrying, ending}, return_when=asyncio.FIRST_COMPLETED)
            carrying.cancel()
            await asyncio.wait({carrying})
            if not carrying.cancelled():
                carrying.result()
            if self._lingers:
                await self._linger()
            for _, writer in self._ends:
                writer.close()
            for _, writer in self._ends:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        finally:
            carrying.cancel()
            ending.cancel()
            await asyncio.wait({carrying, ending})
            for _, writer in self._ends:
                writer.transport.abort()
            await asyncio.sleep(0)  # Sockets that are aborted are closed in the next turn.

    def cut(self) -> None:
        """FIN to both sides; what was not passed on is lost."""
        self._lose()
        self._lingers = True
        for _, writer in self._ends:
            with contextlib.suppress(OSError):
                writer.write_eof()

    def reset(self) -> None:
        """RST to both sides."""
        self._lose()
        for _, writer in self._ends:
            connected = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()

    def hold(self, until_s: float, direction: Direction | None = None) -> None:
        """Stop one direction, or both, until then, by loop time."""
        self._is_held_for_ever |= until_s == math.inf
        for way, line in self._lines.items():
            if direction in (None, way):
                line.hold(until_s)

    def release(self) -> None:
        """Let both directions go on."""
        self._is_held_for_ever = False
        for line in self._lines.values():
            line.release()

    def _lose(self) -> None:
        for line in self._lines.values():
            line.drop()
        self._over.set()

    async def _linger(self) -> None:
        async def empty(reader: asyncio.StreamReader) -> None:
            with contextlib.suppress(OSError):
                while await reader.read(READ_BYTES):
                    pass

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S), asyncio.TaskGroup() as tasks:
                for reader, _ in self._ends:
                    tasks.create_task(empty(reader))

    async def _carry(self) -> None:
        reader, writer = self._ends[0]
        request = await self._request()
        if request is None:
            return
        try:
            upstream = await asyncio.open_connection(*self._owner.upstream, limit=READ_BYTES)
        except OSError:
            return
        self._ends.append(upstream)
        upstream[1].get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES
        )
        self.is_stream = request.is_upgrade
        up = self._lines[Direction.UP] = Line(upstream[1], self._owner.network, self._passed_up)
        down = self._lines[Direction.DOWN] = Line(writer, self._owner.network, self._passed_down)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run(up))
            tasks.create_task(self._run(down))
            tasks.create_task(self._pump(self._carry_up(reader, up, request), up))
            tasks.create_task(self._pump(self._carry_down(upstream[0], down), down))

    async def _run(self, line: Line) -> None:
        try:
            await line.run()
        except OSError:
            self._lose()  # Who is sent to is gone; the sender is to know.

    async def _pump(self, carrying: Coroutine[None, None, None], line: Line) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await carrying
        await line.end()

    async def _carry_up(self, reader: asyncio.StreamReader, up: Line, first: _Request) -> None:
        request: _Request | None = first
        while request is not None:
            await up.put(request.raw)
            if request.is_upgrade:
                await self._carry_frames_up(reader, up)
                return
            if request.is_chunked:
                await _carry_bytes(reader, up)
                return
            request = await self._request()

    async def _carry_frames_up(self, reader: asyncio.StreamReader, up: Line) -> None:
        splitter = Splitter()
        while data := await reader.read(READ_BYTES):
            for frame in splitter.take(data):
                if await self._truncate(frame, Direction.UP, up):
                    return
                await up.put(frame.raw)
        await up.put(splitter.rest)

    async def _carry_down(self, reader: asyncio.StreamReader, down: Line) -> None:
        if self.is_stream:
            head = await reader.readuntil(_HEAD_END)
            await down.put(head)
            if head.split(b" ", 2)[1] == b"101":
                await down.put(self._open)
                await self._carry_frames_down(reader, down)
                return
        await _carry_bytes(reader, down)

    async def _carry_frames_down(self, reader: asyncio.StreamReader, down: Line) -> None:
        splitter = Splitter()
        swap = _Swap(self._owner)
        while True:
            try:
                async with asyncio.timeout_at(swap.until_s):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                for frame in swap.give_up():
                    await self._pass_down(frame, down)
                continue
            if not data:
                break
            for arrived in splitter.take(data):
                message = self._owner.plain.message(arrived) if self._owner.plain else arrived
                frames, swapped = swap.take(message)
                for frame in frames:
                    if await self._truncate(frame, Direction.DOWN, down):
                        return
                    await self._pass_down(frame, down)
                if swapped is not None:
                    self._owner.log(swapped, [self], _quoted(*frames))
        for frame in swap.give_up():
            await self._pass_down(frame, down)
        await down.put(splitter.rest)

    async def _pass_down(self, frame: WireFrame, down: Line) -> None:
        await down.put(frame.raw)
        if frame.kind in _MOVABLE and (fault := self._owner.take(Duplicate)) is not None:
            await down.put(frame.raw)
            self._owner.log(fault, [self], _quoted(frame))

    async def _truncate(self, frame: WireFrame, direction: Direction, line: Line) -> bool:
        if frame.is_control:
            return False
        fault = self._owner.take(Truncate, lambda fault: fault.direction is direction)
        if fault is None:
            return False
        size = len(frame.raw)
        part = frame.raw[: min(max(1, int(size * fault.fraction)), size - 1)]

        def end() -> None:
            self._owner.log(fault, [self], f"{len(part)} of {size} bytes")
            self.cut()

        await line.put(part)
        await line.put(end)
        return True

    async def _request(self) -> _Request | None:
        """The next request that is for the server; None when there is none, or an error was the
        answer to it.
        """
        reader, writer = self._ends[0]
        try:
            head = await reader.readuntil(_HEAD_END)
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
        except (OSError, asyncio.IncompleteReadError):
            return None
        is_upgrade = _UPGRADE.search(head) is not None
        answer = self._owner.take(Answer, lambda fault: fault.handshake is is_upgrade)
        if answer is not None:
            self._owner.log(answer, [self], head.split(b"?")[0].split(b"\r")[0].decode("latin-1"))
            writer.write(_answered(answer))
            return None
        if is_upgrade and self._owner.plain is not None:
            asked = head.split(b" ", 2)[1]
            try:
                target = await self._owner.plain.target(asked, self._owner.upstream)
            except OSError:
                return None
            if target is None:
                writer.write(_answered(Answer(409)))
                return None
            head = head.replace(asked, target, 1)
        # Without extensions no message is compressed: one that comes twice can still be read.
        raw = _EXTENSIONS.sub(b"", head) + body
        return _Request(raw, is_upgrade, _CHUNKED.search(head) is not None)

    def _open(self) -> None:
        self._is_open = True

    def _passed_up(self, count_bytes: int) -> None:
        self.bytes_up += count_bytes
        self._passed(count_bytes)

    def _passed_down(self, count_bytes: int) -> None:
        self.bytes_down += count_bytes
        self._passed(count_bytes)

    def _passed(self, count_bytes: int) -> None:
        if self._is_open:
            self._owner.passed(count_bytes)


class _Swap:
    """Two neighbours to change places; the first waits here for the second."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._held: tuple[WireFrame, Reorder] | None = None
        self.until_s: float | None = None
        """When to give up, by loop time."""

    def take(self, frame: WireFrame) -> tuple[list[WireFrame], Reorder | None]:
        """What is to be passed on now, in this order, and the fault that this is."""
        if self._held is None:
            if frame.kind in _MOVABLE and (fault := self._owner.take(Reorder)) is not None:
                self._held = frame, fault
                self.until_s = asyncio.get_running_loop().time() + NEIGHBOUR_S
                return [], None
            return [frame], None
        if frame.is_control and frame.opcode != CLOSE:
            return [frame], None
        if frame.kind not in _MOVABLE:
            return [*self.give_up(), frame], None
        first, fault = self._held
        self._held = self.until_s = None
        return [frame, first], fault

    def give_up(self) -> list[WireFrame]:
        """What waited, if anything: no neighbour came."""
        if self._held is None:
            return []
        frame, fault = self._held
        self._held = self.until_s = None
        self._owner.give_back(fault)
        return [frame]


async def _carry_bytes(reader: asyncio.StreamReader, line: Line) -> None:
    while data := await reader.read(READ_BYTES):
        await line.put(data)


def _answered(answer: Answer) -> bytes:
    body = json.dumps({"error": "the fault proxy says no"}).encode()
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if answer.retry_after_s is not None:
        lines.append(f"Retry-After: {answer.retry_after_s}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _quoted(*frames: WireFrame) -> str:
    return ", ".join(frame.payload.decode(errors="replace") for frame in frames)
