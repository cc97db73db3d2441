"""A server's clock beside ours: TLS refuses certificates by the date, and says so badly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sayd_cli.transport.address import is_loopback

_LIMIT_S = 10.0


async def clock_ahead(base_url: str) -> timedelta | None:
    """By how much this machine's clock is ahead of the server's, to a second or so; None where
    the server cannot be reached or says nothing of the time. Sends no key.
    """
    import httpx

    try:
        async with httpx.AsyncClient(
            timeout=_LIMIT_S, trust_env=not is_loopback(base_url)
        ) as client:
            began = datetime.now(UTC)
            response = await client.head(base_url)
            ended = datetime.now(UTC)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return None
    try:
        theirs = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    # A Date has whole seconds: on average, half of one has gone.
    return began + (ended - began) / 2 - theirs - timedelta(seconds=0.5)
