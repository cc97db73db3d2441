import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sayd_cli.audio.resampling import Resampler

RATES_HZ = [7350, 8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000]


def tone(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> NDArray[np.float32]:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(math.tau * frequency_hz * times)).astype(np.float32)


def resampled(
    samples: NDArray[np.float32] | NDArray[np.int16], in_hz: int, out_hz: int, step: int = 1 << 30
) -> NDArray[np.int16]:
    resampler = Resampler(in_hz, out_hz)
    pcm = b"".join(resampler.push(samples[i : i + step]) for i in range(0, len(samples), step))
    return np.frombuffer(pcm + resampler.flush(), "<i2")


@settings(deadline=None)
@given(
    st.sampled_from(RATES_HZ),
    st.sampled_from([8000, 16000]),
    st.integers(0, 9000),
    st.integers(20, 9000),
)
def test_cutting_changes_nothing_and_no_sample_is_missing(
    in_hz: int, out_hz: int, length: int, step: int
) -> None:
    noise = np.random.default_rng(length).normal(0, 0.2, length).astype(np.float32)
    whole = resampled(noise, in_hz, out_hz)
    assert np.array_equal(resampled(noise, in_hz, out_hz, step), whole)
    assert abs(len(whole) - length * out_hz / in_hz) <= 1.5


def test_sample_by_sample_is_the_same_too() -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 2000).astype(np.float32)
    assert np.array_equal(resampled(noise, 44100, 16000, 1), resampled(noise, 44100, 16000))


@pytest.mark.parametrize("frequency_hz", [10_000, 15_000, 20_000])
def test_what_16_khz_cannot_hold_is_gone(frequency_hz: int) -> None:
    out = resampled(tone(frequency_hz, 48000), 48000, 16000)[800:-800] / 32768
    assert 20 * math.log10(max(float(np.sqrt(np.mean(out**2))), 1e-9)) < -80


@pytest.mark.parametrize("in_hz", [8000, 44100, 48000])
@pytest.mark.parametrize("out_hz", [8000, 16000])
def test_a_tone_stays_what_and_where_it_was(in_hz: int, out_hz: int) -> None:
    out = resampled(tone(1000, in_hz), in_hz, out_hz)[800:-800] / 32768
    wanted = tone(1000, out_hz)[800 : 800 + len(out)]
    # One part in a thousand: no shift, no change of level, no distortion.
    assert float(np.abs(out - wanted).max()) < 0.0005


def test_bytes_and_int16_and_floats_are_the_same_audio() -> None:
    steps = (tone(440, 48000) * 32768).astype(np.int16)
    resampler = Resampler(48000, 16000)
    pcm = resampler.push(steps.astype("<i2").tobytes()) + resampler.flush()
    assert np.array_equal(np.frombuffer(pcm, "<i2"), resampled(steps, 48000, 16000))


def test_equal_rates_change_nothing() -> None:
    resampler = Resampler(16000, 16000)
    assert resampler.push(b"\x01\x02\x03\x04") == b"\x01\x02\x03\x04"
    assert resampler.push(np.array([5, -6], dtype=np.int16)) == b"\x05\x00\xfa\xff"
    assert resampler.flush() == b""
