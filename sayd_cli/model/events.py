"""What the two sides of a stream say to each other, as values.

The wire form of each is in ``protocol.wire``. Times are seconds from the first sample of the
stream; they are None where the service gives none.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audio:
    """Client: one audio message, packed by the session's codec."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Client: no more audio will come; transcribe the rest."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Client: still here, with nothing to say."""


ClientMessage = Audio | End | Keepalive


@dataclass(frozen=True, slots=True)
class Ready:
    """Server: send audio.

    Attributes:
        resume_s: For so many seconds after the connection is lost, the same URL continues the
            same stream; None where the service does not say so.
        received_samples: Samples of the stream that the server has; on a stream that is continued,
            the next audio message is expected to begin there. None where it does not say so.
    """

    resume_s: float | None = None
    received_samples: int | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """Server: interim text; replaces the last one."""

    text: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Final:
    """Server: a sentence that will not change.

    Attributes:
        text: What was said.
        start_s: Where it begins, in seconds.
        end_s: Where it ends, in seconds.
        index: Its number in the stream, from 0.
        confidence: 0 to 1.
        language: A language tag.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    index: int | None = None
    confidence: float | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """Server: after ``End``, everything is transcribed; the stream is over.

    Attributes:
        duration_ms: How much audio it was.
        text: The whole transcript, from services that give it here.
        sentences: How many sentences the stream had: who has fewer has lost some.
    """

    duration_ms: int | None = None
    text: str | None = None
    sentences: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Server: something went wrong; the stream is over."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Server: a message of a type we do not know; ignored, never fatal."""

    type: str


ServerMessage = Ready | Partial | Final | Complete | Fault | Unknown
