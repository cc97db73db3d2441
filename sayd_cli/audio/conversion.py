"""From any channels and sample type to the one form that travels: PCM16, little-endian, mono.

Floats are full scale at 1.0. numpy is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def to_mono(samples: NDArray[Any]) -> NDArray[np.float32]:
    """The average of the channels. Floats are clipped at full scale; what is not a number is
    silence, lest it spread through a filter.

    Args:
        samples: int16 or any float; shape (frames,) or (frames, channels).

    Returns:
        float32, shape (frames,).
    """
    import numpy as np

    if samples.dtype == np.int16:
        single = samples.astype(np.float32) / np.float32(32768)
    else:
        single = np.clip(np.nan_to_num(samples, nan=0.0), -1, 1).astype(np.float32)
    mono: NDArray[np.float32] = single if single.ndim == 1 else single.mean(axis=1)
    return mono


def to_pcm16(mono: NDArray[np.float32]) -> bytes:
    """Rounded to the nearest step and clipped at full scale.

    Args:
        mono: float32, shape (frames,), all finite.
    """
    import numpy as np

    steps = np.clip(np.rint(mono * np.float32(32768)), -32768, 32767)
    pcm: bytes = steps.astype("<i2").tobytes()
    return pcm


def from_pcm16(pcm: bytes, channels: int = 1) -> NDArray[np.float32]:
    """PCM16 little-endian, interleaved, as mono float32 of shape (frames,).

    Args:
        pcm: Whole frames.
        channels: How many samples make a frame.
    """
    import numpy as np

    samples = np.frombuffer(pcm, dtype="<i2").astype(np.int16, copy=False)
    return to_mono(samples.reshape(-1, channels) if channels > 1 else samples)
