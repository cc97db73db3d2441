from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sayd_cli.audio.conversion import from_pcm16, to_mono, to_pcm16


@given(st.lists(st.integers(-32768, 32767)))
def test_pcm16_survives_the_way_through_floats(samples: list[int]) -> None:
    pcm = np.array(samples, dtype="<i2").tobytes()
    assert to_pcm16(from_pcm16(pcm)) == pcm


def test_channels_are_averaged() -> None:
    stereo = np.array([[1000, 3000], [-32768, -32768], [7, -7]], dtype=np.int16)
    assert np.frombuffer(to_pcm16(to_mono(stereo)), "<i2").tolist() == [2000, -32768, 0]
    assert to_pcm16(from_pcm16(stereo.astype("<i2").tobytes(), channels=2)) == to_pcm16(
        to_mono(stereo)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_rounded_and_clipped(dtype: type) -> None:
    wanted = {
        0.0: 0,
        0.5: 16384,
        0.6 / 32768: 1,
        0.4 / 32768: 0,
        1.0: 32767,
        -1.0: -32768,
    }
    wanted |= {1.5: 32767, -9.0: -32768}
    samples: NDArray[Any] = np.array(list(wanted), dtype=dtype)
    assert np.frombuffer(to_pcm16(to_mono(samples)), "<i2").tolist() == list(wanted.values())


def test_what_is_not_a_number_is_silence() -> None:
    samples = np.array([np.nan, np.inf, -1e300])
    assert np.frombuffer(to_pcm16(to_mono(samples)), "<i2").tolist() == [0, 32767, -32768]


def test_nothing_stays_nothing() -> None:
    nothing: NDArray[np.int16] = np.zeros((0, 2), dtype=np.int16)
    assert to_pcm16(to_mono(nothing)) == b""
