"""What a header may say of its audio and be believed.

A damaged or hostile header can turn a few bytes into hours of audio; no recording is beyond these
bounds.
"""

from __future__ import annotations

from sayd_cli.errors import InputError

SAMPLE_RATE_MIN_HZ = 1_000
SAMPLE_RATE_MAX_HZ = 768_000
CHANNELS_MAX = 64


def refuse_implausible(name: str, sample_rate_hz: int, channels: int) -> None:
    """Refuse audio that cannot be what its header says.

    Args:
        name: What the audio is called in the error.
        sample_rate_hz: Frames a second, by its header.
        channels: Samples in a frame, by its header.

    Raises:
        InputError: One of them is out of bounds.
    """
    if not SAMPLE_RATE_MIN_HZ <= sample_rate_hz <= SAMPLE_RATE_MAX_HZ:
        raise InputError(
            f"{name} claims a sample rate of {sample_rate_hz:,} Hz",
            f"rates of {SAMPLE_RATE_MIN_HZ:,} to {SAMPLE_RATE_MAX_HZ:,} Hz are taken;"
            " check how it was made",
        )
    if not 1 <= channels <= CHANNELS_MAX:
        raise InputError(
            f"{name} claims {channels:,} channels",
            f"1 to {CHANNELS_MAX} channels are taken; check how it was made",
        )
