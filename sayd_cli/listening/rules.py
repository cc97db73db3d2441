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
        complete_timeout_s: After the end, or a request to stop: how long to wait for ``complete``.
            Counted anew with every sentence, since a service that still sends sentences is not
            one that has gone; a fixed wait loses the last words of a busy one.
        complete_limit_s: How long to wait for it in all, whatever comes; and as long again as the
            audio that has then not been sent yet.
        keepalive_s: After how many seconds without audio to send ``keepalive``; a known client of
            the service does so every 15.
        start_patience_s: How long a service that was never there is tried; and, after a request to
            stop, how long one is waited for that has not answered at all.
        outage_limit_s: How long an outage may last while the source is not live: it can be given
            again.
        until_silence_s: Stop when nothing has been said for so long; None for never.
    """

    pace: Pace = Pace.MAX
    once: bool = False
    duration_s: float | None = None
    ready_timeout_s: float = 30.0
    complete_timeout_s: float = 10.0
    complete_limit_s: float = 60.0
    keepalive_s: float = 15.0
    start_patience_s: float = 5.0
    outage_limit_s: float = 300.0
    until_silence_s: float | None = None
