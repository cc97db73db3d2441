"""What the listening loop tells those who show or keep it.

A run is one ``Started``, any number of ``Interim``, ``Heard``, ``Progress``, ``Notice``,
``Reconnected`` and ``Gap``, and one ``Ended``. Times are seconds from the first captured sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sayd_cli.model.audio import Codec, GapReason
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence


class EndReason(StrEnum):
    """Why a run ended; the values are those of the ``end`` JSON line."""

    EOF = "eof"
    INTERRUPT = "interrupt"
    ONCE = "once"
    SILENCE = "silence"
    DURATION = "duration"
    DEVICE = "device"
    ERROR = "error"


class Phase(StrEnum):
    """What the loop is doing."""

    STARTING = "starting"
    LISTENING = "listening"
    PAUSED = "paused"
    """By the user."""
    WAITING = "waiting"
    """For a device that went away."""
    RECONNECTING = "reconnecting"
    """The service is lost; audio is captured all the same."""
    FINISHING = "finishing"


@dataclass(frozen=True, slots=True)
class Started:
    """The session exists; audio may have been captured before."""

    session_id: str
    backend: BackendName
    language: str
    sample_rate_hz: int
    codec: Codec
    started_at: datetime
    """When the first sample was captured; UTC."""


@dataclass(frozen=True, slots=True)
class Interim:
    """Text that may still change; replaces the last one. Empty text clears it."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A final sentence."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the loop stands; comes with every frame and every change of phase.

    Attributes:
        phase: What the loop is doing.
        captured_s: Seconds of audio captured.
        sent_s: Seconds of audio sent.
        level_dbfs: Root mean square of the last frame, in dB below full scale; None before the
            first frame. Digital silence is -inf.
        peak_dbfs: The largest magnitude in the last frame, in the same way.
        warning: A word or two on what is wrong with the audio right now, if anything.
    """

    phase: Phase
    captured_s: float
    sent_s: float
    level_dbfs: float | None = None
    peak_dbfs: float | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the user that is neither text heard nor an error."""

    text: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The service hears again, after an outage.

    Attributes:
        session_id: The session that goes on, or the new one.
        outage_s: Seconds that the service was away.
        replayed_s: Seconds of audio that are sent to it now because it does not have them, or may
            not have them.
    """

    session_id: str
    outage_s: float
    replayed_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that could not be kept, or was not to be.

    Attributes:
        start_s: Where the captured audio breaks off.
        end_s: Where it goes on.
        reason: Why.
    """

    start_s: float
    end_s: float
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over.

    Attributes:
        reason: Why.
        duration_s: Seconds of audio captured.
        sentences: How many sentences were heard.
        words: How many words they hold.
    """

    reason: EndReason
    duration_s: float
    sentences: int
    words: int


Report = Started | Interim | Heard | Progress | Notice | Reconnected | Gap | Ended
