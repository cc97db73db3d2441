"""How a run goes and when it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Pace(StrEnum):
    """How fast audio that is not live is sent."""

    REALTIME = "realtime"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Rules:
    """How a run goes.

    Attributes:
        pace: How fast to send audio that is not live.
        once: Stop after the first sentence.
        duration_s: Stop after so many seconds of audio; None for no limit.
        ready_timeout_s: How long the service may take to say ``ready``.
        complete_timeout_s: After ``end``: how long the service may say nothing before the run
            stops waiting for ``complete``. Counted anew with every message, since a service that
            still sends sentences is not one that has gone.
        keepalive_s: After how many seconds without audio to send ``keepalive``; a known client of
            the service does so every 15.
    """

    pace: Pace = Pace.MAX
    once: bool = False
    duration_s: float | None = None
    ready_timeout_s: float = 30.0
    complete_timeout_s: float = 10.0
    keepalive_s: float = 15.0
