"""WAV as nobody should write it, for whoever has to read it."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile
from hypothesis import strategies as st

OUT_OVER_IN_BYTES = 32
"""PCM16 at 16 kHz from a byte of uncompressed WAV, at most: 8 bits at the lowest rate, 1 kHz."""


def _written(container: str, subtype: str, channels: int) -> bytes:
    samples = np.random.default_rng(5).uniform(-1, 1, (700, channels))
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format=container, subtype=subtype)
    return file.getvalue()


SOUND = [
    _written(container, subtype, channels)
    for container in ("WAV", "WAVEX")
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
    for channels in (1, 2)
]

# Of the kind, the channels, the rate, the frame size, the bits, and the data where no more follows.
_FIELDS = [20, 22, 24, 32, 34, 40]
# The longest header is 80 bytes.
_PLACES = st.one_of(st.sampled_from(_FIELDS), st.integers(0, 80), st.integers(0, 1400))
_SHORTS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 6, 7, 8, 17, 24, 49, 64, 65, 255, 0x7FFF, 0xFFFE, 0xFFFF]),
    st.integers(0, 0xFFFF),
)
_NUMBERS = st.one_of(
    st.sampled_from([0, 1, 999, 1000, 1001, 8000, 768000, 768001, 1 << 31, (1 << 32) - 1]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
)
_VALUES = st.one_of(
    st.binary(min_size=1, max_size=1),
    _SHORTS.map(lambda value: struct.pack("<H", value)),
    _NUMBERS.map(lambda value: struct.pack("<I", value)),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A small WAV of any encoding, some fields of it changed, and maybe its end cut off."""
    data = bytearray(draw(st.sampled_from(SOUND)))
    for place, value in draw(st.lists(st.tuples(_PLACES, _VALUES), max_size=4)):
        data[place : place + len(value)] = value
    end = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    return bytes(data[:end])
