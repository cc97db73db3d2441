"""Audio as it travels between rooms: always PCM16, little-endian, mono."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SAMPLE_BYTES = 2
"""Bytes in one PCM16 sample."""

SAMPLE_RATES_HZ = (8000, 16000)
"""The sample rates of the Listen API."""

FRAME_MS = 100
"""The length of one audio message, as the Listen API asks for PCM16."""


class Codec(StrEnum):
    """How audio is packed into messages; the names are the Listen API's."""

    PCM16 = "pcm16"
    OPUS = "opus"
    OPUS_FS320 = "opus_fs320"


@dataclass(frozen=True, slots=True)
class Frame:
    """A run of consecutive samples.

    Attributes:
        pcm: PCM16 little-endian mono; an even number of bytes.
        start_sample: Position of its first sample, counted from the first captured one.
        sample_rate_hz: Samples a second.
    """

    pcm: bytes
    start_sample: int
    sample_rate_hz: int

    @property
    def length_samples(self) -> int:
        """How many samples it holds."""
        return len(self.pcm) // SAMPLE_BYTES

    @property
    def end_sample(self) -> int:
        """Position of the first sample after it."""
        return self.start_sample + self.length_samples

    @property
    def start_s(self) -> float:
        """Seconds from the first captured sample to its first."""
        return self.start_sample / self.sample_rate_hz

    @property
    def end_s(self) -> float:
        """Seconds from the first captured sample to the end of its last."""
        return self.end_sample / self.sample_rate_hz


class GapReason(StrEnum):
    """Why a run of captured audio has a hole; the values are those of the ``gap`` JSON line."""

    DEVICE = "device"
    PAUSE = "pause"
    STORAGE = "storage"
    """There was no room to keep it until the service took it."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """A source gives nothing for now, and has not ended: frames may follow.

    The next frame's ``start_sample`` tells how long it lasted.

    Attributes:
        reason: Why.
        message: One line for the user.
    """

    reason: GapReason
    message: str
