"""Faults as values, and plans of them that a seed decides.

Knows no socket; ``proxy`` carries them out.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum


class Direction(StrEnum):
    """Which way bytes go."""

    UP = "up"
    """From client to server."""

    DOWN = "down"
    """From server to client."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Both sides of every stream get a FIN."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Both sides of every stream get an RST."""


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Nothing goes either way on the streams there are, and nobody is told; not even of an end.

    Attributes:
        duration_s: After so many seconds all goes on; None is not before ``release``.
    """

    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stall:
    """One direction of every stream stops for a while."""

    direction: Direction
    duration_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """All bytes come later, in order.

    Attributes:
        delay_s: By so much,
        jitter_s: ... and up to so much more, drawn for each frame.
        duration_s: How long this lasts; None is until ``calm``.
    """

    delay_s: float
    jitter_s: float = 0.0
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Throttle:
    """Each direction of each connection carries so many bytes in a second, for so long."""

    bytes_per_s: float
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Of the next data frame in a direction a part is passed on; then the stream is cut.

    Attributes:
        direction: Which way it goes.
        fraction: How much of the frame is passed on: at least one byte, and not all.
    """

    direction: Direction
    fraction: float = 0.5


@dataclass(frozen=True, slots=True)
class Refuse:
    """New connections are not taken for a while.

    Attributes:
        duration_s: How long.
        port_closed: Nobody listens at the port; otherwise connections are closed at once.
    """

    duration_s: float
    port_closed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The next HTTP request is answered with an error, and never gets to the server.

    Attributes:
        status: The HTTP status.
        retry_after_s: Goes out as ``Retry-After``.
        handshake: The request that is meant is that for a WebSocket; otherwise any other.
    """

    status: int
    retry_after_s: int | None = None
    handshake: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The next sentence, partial or complete comes twice."""


@dataclass(frozen=True, slots=True)
class Reorder:
    """Two neighbours among the next sentences, partials and completes change places."""


Fault = (
    Cut
    | Reset
    | HalfOpen
    | Stall
    | Latency
    | Throttle
    | Truncate
    | Refuse
    | Answer
    | Duplicate
    | Reorder
)

OUTAGES: tuple[type[Fault], ...] = (Refuse, Answer)
"""These show only to who connects: a plan cuts the stream after each."""

TRANSIENT: tuple[type[Fault], ...] = (
    Cut,
    Reset,
    HalfOpen,
    Stall,
    Latency,
    Throttle,
    Truncate,
    Refuse,
    Answer,
    Duplicate,
    Reorder,
)
"""All kinds. As plans draw them none is a reason to give up: no ``Answer`` is a 401."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, and when it comes: counted from the fault before it, or the beginning.

    One of the two is given. A fault that needs a stream waits for the next one where there is none.

    Attributes:
        after_bytes: When so many bytes of streams have passed, both directions together.
        after_s: When so many seconds have.
    """

    fault: Fault
    after_bytes: int | None = None
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """A plan that its arguments decide; when it is over, nothing is disturbed any more.

    Attributes:
        seed: Decides the plan.
        count: How many faults it has.
        kinds: What is drawn from.
        pace_s: What durations and waits are measured by: most last from a twentieth of this to as
            long.
        bytes_between: The fewest and the most bytes that pass between two faults, where bytes
            decide and not seconds.
        plan: The faults, in order.
    """

    seed: int
    count: int = 10
    kinds: tuple[type[Fault], ...] = TRANSIENT
    pace_s: float = 1.0
    bytes_between: tuple[int, int] = (500, 200_000)
    plan: tuple[Planned, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        draw = random.Random(self.seed)
        plan: list[Planned] = []
        while len(plan) < self.count:
            fault = _drawn(draw, draw.choice(self.kinds), self.pace_s)
            plan.append(self._timed(draw, fault))
            if isinstance(fault, OUTAGES):
                plan.append(Planned(draw.choice((Cut(), Reset())), after_s=0.0))
        object.__setattr__(self, "plan", tuple(plan[: self.count]))

    def _timed(self, draw: random.Random, fault: Fault) -> Planned:
        if draw.random() < 0.5:
            return Planned(fault, after_s=draw.uniform(0, self.pace_s))
        fewest, most = (math.log(bound) for bound in self.bytes_between)
        return Planned(fault, after_bytes=round(math.exp(draw.uniform(fewest, most))))


def _drawn(draw: random.Random, kind: type[Fault], pace_s: float) -> Fault:
    duration_s = draw.uniform(0.05, 1) * pace_s
    direction = draw.choice(list(Direction))
    if kind is HalfOpen:
        return HalfOpen(draw.choice((None, duration_s)))
    if kind is Stall:
        return Stall(direction, duration_s)
    if kind is Latency:
        delay_s, jitter_s = draw.uniform(0, 0.1) * pace_s, draw.uniform(0, 0.1) * pace_s
        return Latency(delay_s, jitter_s, duration_s)
    if kind is Throttle:
        return Throttle(math.exp(draw.uniform(math.log(8_000), math.log(400_000))), duration_s)
    if kind is Truncate:
        return Truncate(direction, draw.random())
    if kind is Refuse:
        return Refuse(duration_s, draw.random() < 0.5)
    if kind is Answer:
        status, retry_after_s = draw.choice((429, 503)), draw.choice((None, 0, 1))
        return Answer(status, retry_after_s, draw.random() < 0.5)
    plain: dict[type[Fault], Fault] = {
        Cut: Cut(),
        Reset: Reset(),
        Duplicate: Duplicate(),
        Reorder: Reorder(),
    }
    return plain[kind]
