"""A device's own form of audio, and the way from it to a session's.

Many devices know one rate and one number of channels only, and refuse the rest (PortAudio's
errors -9997 and -9998). Owns what to ask for, in which order, and the conversion after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sayd_cli.audio.conversion import from_pcm16
from sayd_cli.audio.resampling import Resampler
from sayd_cli.capture.devices import InputDevice
from sayd_cli.model.audio import SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class NativeFormat:
    """Interleaved PCM16 as a device gives it.

    Attributes:
        sample_rate_hz: Frames a second.
        channels: Samples in a frame.
    """

    sample_rate_hz: int
    channels: int

    @property
    def bytes_a_second(self) -> int:
        """How much a second of it is."""
        return self.sample_rate_hz * self.channels * SAMPLE_BYTES


def formats_to_try(device: InputDevice, sample_rate_hz: int) -> tuple[NativeFormat, ...]:
    """What to ask a device for, best first: what is wanted, then what it has."""
    formats = [
        NativeFormat(sample_rate_hz, 1),
        NativeFormat(device.sample_rate_hz, 1),
        NativeFormat(device.sample_rate_hz, device.channels),
        NativeFormat(sample_rate_hz, device.channels),
    ]
    return tuple(dict.fromkeys(formats))


class NativeConverter:
    """Brings a device's audio to PCM16 mono at a session's rate; nothing to do where it is that.

    Calling order: ``push`` any number of times, ``flush`` once at the end.
    """

    def __init__(self, native: NativeFormat, sample_rate_hz: int) -> None:
        self._channels = native.channels
        self._resampler = Resampler(native.sample_rate_hz, sample_rate_hz)

    def push(self, block: bytes) -> bytes:
        """Take whole frames and give the PCM16 that can be given; may be empty."""
        if self._channels == 1:
            return self._resampler.push(block)
        return self._resampler.push(from_pcm16(block, self._channels))

    def flush(self) -> bytes:
        """What the resampler held back."""
        return self._resampler.flush()
