"""A TCP proxy between client and server that does on purpose what networks do.

Owns its port, its connections, and when a fault comes: by ``inject``, or by a plan that a seed
decides. What a fault is, is ``plan``'s; how a connection suffers it, that of ``connection`` and
``line``.

Everything runs on one event loop, which client and server may share.
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from tests.faults.connection import READ_BYTES, SOCKET_BYTES, Connection
from tests.faults.line import Network
from tests.faults.plain import Plain, PlainServer
from tests.faults.plan import (
    Answer,
    Cut,
    Duplicate,
    Fault,
    Faults,
    HalfOpen,
    Latency,
    Planned,
    Refuse,
    Reorder,
    Reset,
    Stall,
    Throttle,
    Truncate,
)

F = TypeVar("F", bound=Fault)

HOST = "127.0.0.1"

_ON_STREAMS = (Cut, Reset, HalfOpen, Stall, Truncate, Duplicate, Reorder)
"""Without a stream there is nothing that these could disturb."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was carried out.

    Attributes:
        at_s: When, in seconds from the proxy's start.
        fault: What it was.
        connections: The numbers of the connections that it hit at once.
        detail: What exactly was done, where that was not clear before.
    """

    at_s: float
    fault: Fault
    connections: tuple[int, ...]
    detail: str = ""


class FaultProxy:
    """A proxy for REST calls and streams, on a free port of this machine.

    The websocket URL that a server makes of the ``Host`` header leads through the proxy too.

    Args:
        upstream_host: Where the server is.
        upstream_port: Its port.
        faults: What is to happen by itself.
        plain: The server is made one that does no more than the Listen API promises.

    Attributes:
        upstream: Where new connections go to; may be changed.
        injected: All faults so far.
        refused: How many connections were closed because of a ``Refuse``.
    """

    def __init__(
        self,
        upstream_host: str,
        upstream_port: int,
        faults: Faults | None = None,
        *,
        plain: Plain | None = None,
    ) -> None:
        self.upstream = upstream_host, upstream_port
        self.faults = faults
        self.plain = PlainServer(plain) if plain is not None else None
        self.network = Network(random.Random(faults.seed if faults else 0))
        self.injected: list[Injected] = []
        self.refused = 0
        self._waiting: list[Fault] = []
        """Faults whose occasion is yet to come; as many as were injected."""
        self._connections: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._refusing_until_s = 0.0
        self._count = 0
        self._port = 0
        self._broken: BaseException | None = None

    async def __aenter__(self) -> FaultProxy:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        await self._listen()
        self._schedule = _Schedule(self, self.faults.plan if self.faults else ())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._schedule.stop()
        self._server.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._server.close()  # The reopened one, if that came in between.
        if self._broken is not None:
            raise self._broken

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://{HOST}:{self._port}"

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Those that are open, oldest first."""
        return tuple(self._connections)

    @property
    def streams(self) -> tuple[Connection, ...]:
        """The WebSockets through which something may still go, oldest first."""
        return tuple(one for one in self._connections if one.is_stream and not one.is_lost)

    @property
    def is_done(self) -> bool:
        """All that was planned has been begun."""
        return self._schedule.is_done

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """Faults that were injected, and whose occasion is yet to come."""
        return tuple(self._waiting)

    @property
    def counts(self) -> Counter[str]:
        """How many faults of each kind were carried out."""
        return Counter(type(one.fault).__name__ for one in self.injected)

    def story(self) -> str:
        """All that was done, a line each, for the message of a test that fails."""
        head = f"faults injected: {len(self.injected)}, by {self.faults or 'hand'}"
        lines = (
            f"  {one.at_s:9.3f} s  {one.fault}  on {list(one.connections)}  {one.detail}".rstrip()
            for one in self.injected
        )
        return "\n".join((head, *lines))

    def inject(self, fault: Fault) -> None:
        """Carry out a fault.

        At once: on all streams there are (``Cut``, ``Reset``, ``HalfOpen``, ``Stall``), on all
        connections (``Latency``, ``Throttle``) or on new ones (``Refuse``). The others wait for
        their occasion, and are logged when it comes.
        """
        now_s = self._loop.time()
        streams = self.streams
        match fault:
            case Cut():
                for stream in streams:
                    stream.cut()
            case Reset():
                for stream in streams:
                    stream.reset()
            case HalfOpen(duration_s):
                for stream in streams:
                    stream.hold(_after(now_s, duration_s))
            case Stall(direction, duration_s):
                for stream in streams:
                    stream.hold(now_s + duration_s, direction)
            case Latency(delay_s, jitter_s, duration_s):
                self.network.delay(delay_s, jitter_s, _after(now_s, duration_s))
            case Throttle(bytes_per_s, duration_s):
                self.network.throttle(bytes_per_s, _after(now_s, duration_s))
            case Refuse(duration_s, port_closed):
                self._refuse(now_s + duration_s, port_closed)
            case Truncate() | Answer() | Duplicate() | Reorder():
                self._waiting.append(fault)
                return
        self.log(fault, streams)

    def release(self) -> None:
        """End every ``HalfOpen`` and ``Stall``: all goes on where it stood."""
        for connection in self._connections:
            connection.release()

    def calm(self) -> None:
        """End ``Latency`` and ``Throttle``, and forget faults that wait for their occasion."""
        self.network.delay(0, 0, 0)
        self.network.throttle(math.inf, 0)
        self._waiting.clear()

    def take(self, kind: type[F], suits: Callable[[F], bool] = lambda _: True) -> F | None:
        """For connections: a fault that waits for its occasion, which is this."""
        for fault in self._waiting:
            if isinstance(fault, kind) and suits(fault):
                self._waiting.remove(fault)
                return fault
        return None

    def give_back(self, fault: Fault) -> None:
        """For connections: the occasion was none."""
        self._waiting.insert(0, fault)

    def log(self, fault: Fault, connections: Iterable[Connection], detail: str = "") -> None:
        """For connections: a fault was carried out."""
        numbers = tuple(connection.number for connection in connections)
        at_s = self._loop.time() - self._began_s
        self.injected.append(Injected(at_s, fault, numbers, detail))

    def passed(self, count_bytes: int) -> None:
        """For connections: a stream carried so many bytes."""
        self._schedule.passed(count_bytes)

    async def _listen(self) -> None:
        bound = self._bound()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        self._port = bound.getsockname()[1]
        self._server = await asyncio.start_server(
            self._accept, sock=bound, limit=READ_BYTES, start_serving=False
        )
        await self._server.start_serving()

    def _bound(self) -> socket.socket:
        bound = socket.socket()
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((HOST, self._port))
        except OSError:
            bound.close()
            raise
        return bound

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._loop.time() < self._refusing_until_s:
            self.refused += 1
            writer.close()
            return
        connection = Connection(self, self._count, reader, writer)
        self._count += 1
        self._connections.append(connection)
        task = self._loop.create_task(connection.run())
        task.add_done_callback(lambda _: self._connections.remove(connection))
        self._watch(task)

    def _watch(self, task: asyncio.Task[None]) -> None:
        def over(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled():
                self._broken = self._broken or task.exception()

        self._tasks.add(task)
        task.add_done_callback(over)

    def _refuse(self, until_s: float, port_closed: bool) -> None:
        self._refusing_until_s = max(self._refusing_until_s, until_s)
        if port_closed and not self._is_closed:
            self._is_closed = True
            self._server.close()
            # Bound and not listening: connections are refused, and nobody else gets the port.
            placeholder = self._bound()
            reopening = self._loop.create_task(self._reopen(placeholder, until_s))
            reopening.add_done_callback(lambda _: placeholder.close())
            self._watch(reopening)

    async def _reopen(self, placeholder: socket.socket, at_s: float) -> None:
        await asyncio.sleep(at_s - self._loop.time())
        placeholder.close()
        await self._listen()
        self._is_closed = False


class _Schedule:
    """Carries out a plan, one fault after the other."""

    def __init__(self, proxy: FaultProxy, plan: tuple[Planned, ...]) -> None:
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._rest = list(reversed(plan))
        self._timer: asyncio.TimerHandle | None = None
        self._bytes_left = math.inf
        self._begin()

    @property
    def is_done(self) -> bool:
        return not self._rest

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rest.clear()

    def passed(self, count_bytes: int) -> None:
        self._bytes_left -= count_bytes
        if self._bytes_left <= 0:
            self._fire()

    def _begin(self) -> None:
        self._bytes_left = math.inf
        if not self._rest:
            return
        planned = self._rest[-1]
        if planned.after_bytes is not None:
            self._bytes_left = planned.after_bytes
        elif planned.after_s:
            self._timer = self._loop.call_later(planned.after_s, self._fire)
        else:
            self._fire()

    def _fire(self) -> None:
        if not self._rest:
            return
        fault = self._rest[-1].fault
        if isinstance(fault, _ON_STREAMS) and not self._proxy.streams:
            self._bytes_left = 0  # With the first bytes of the next stream.
            return
        self._rest.pop()
        self._proxy.inject(fault)
        self._begin()


def _after(now_s: float, duration_s: float | None) -> float:
    return math.inf if duration_s is None else now_s + duration_s
