"""When a service says to come again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""Nobody who listens waits longer because of a header."""


def retry_after_s(value: str, now: datetime | None = None) -> float | None:
    """A ``Retry-After`` header in seconds, 0 to an hour; None where it says nothing.

    Args:
        value: Seconds or an HTTP date (RFC 9110, 10.2.3).
        now: The moment; None for the machine's idea of it.
    """
    value = value.strip()
    # No more digits than a wait can have: int() of a long text is slow.
    if value.isascii() and value.isdigit():
        return min(float(value.lstrip("0")[:9] or 0), LONGEST_S)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait_s = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait_s, 0.0), LONGEST_S)
