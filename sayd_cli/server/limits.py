"""How much a client may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server allows.

    Attributes:
        streams_per_key: Streams that one key may be connected to at once (the hosted service's
            free tier allows 5), and half of those that may wait for a client of this key that was
            lost; None for any number.
        message_bytes: The largest message on a stream; a second of PCM16 is 32,000.
        idle_s: How long a connection may be silent, without audio or keepalive (known clients send
            one every 15 s), before its client counts as gone for good; None for ever.
        resume_s: How long a stream waits for a client that was lost.
        drain_s: How long streams have for their last sentences when the server stops.
        retry_after_s: When a client that was told "later" should ask again.
    """

    streams_per_key: int | None = 5
    message_bytes: int = 1 << 20
    idle_s: float | None = 60.0
    resume_s: float = 30.0
    drain_s: float = 10.0
    retry_after_s: int = 5
