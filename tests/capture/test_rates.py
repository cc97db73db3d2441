"""Devices of every usual rate, mono and stereo, that take nothing but their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from sayd_cli.engine.recordings import demo_recording
from tests.capture.hearing import Hear, hear_into
from tests.conftest import PlugIn

pytestmark = pytest.mark.microphone


@pytest.fixture
def hear(tmp_path: Path) -> Hear:
    return hear_into(tmp_path / "result.json")


def speech(native_hz: int, channels: int) -> NDArray[np.int16]:
    """Four seconds of it, two thirds as loud in a second channel."""
    samples, rate_hz = soundfile.read(demo_recording(), frames=4 * 48000, dtype="float64")
    assert rate_hz == 48000
    mono = samples if native_hz == rate_hz else soxr.resample(samples, rate_hz, native_hz, "VHQ")
    loudness = np.array([1, 2 / 3])[:channels]
    steps: NDArray[np.int16] = np.rint(mono[:, np.newaxis] * loudness * 30000).astype(np.int16)
    return steps


@pytest.mark.parametrize("rate_hz", [16000, 8000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("native_hz", [8000, 16000, 44100, 48000])
def test_every_sample_of_the_device_is_heard(
    plug_in: PlugIn, hear: Hear, native_hz: int, channels: int, rate_hz: int
) -> None:
    recording = speech(native_hz, channels)
    microphone = plug_in(recording, native_hz, channels, plug=False)
    heard = hear(microphone.environment(), rate=rate_hz, seconds=2)
    heard.assert_continuous()
    assert heard.result["notices"] == []
    assert heard.stderr == ""
    count = len(heard.samples)
    assert count >= 2 * rate_hz
    # The device gives blocks of 100 ms, so that is what must come out, to the resampler's
    # rounding; it would be less without what the resampler holds back.
    blocks = round(count / (rate_hz / 10))
    assert abs(count - blocks * rate_hz // 10) <= 1
    # Asked for one channel of a device that has two, PortAudio gives the first.
    given = recording[: blocks * native_hz // 10, 0]
    if native_hz == rate_hz:
        assert np.array_equal(heard.samples, given)
        return
    wanted = soxr.resample(given.astype(np.float64), native_hz, rate_hz, "VHQ")
    length = min(count, len(wanted))
    assert np.corrcoef(heard.samples[:length], wanted[:length])[0, 1] > 0.999


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_above_the_band_does_not_fold_into_it(
    plug_in: PlugIn, hear: Hear, channels: int
) -> None:
    def level_db(frequency_hz: int) -> float:
        times = np.arange(48000 * 4) / 48000
        tone = np.rint(30000 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.int16)
        recording = np.repeat(tone[:, np.newaxis], channels, axis=1)
        microphone = plug_in(recording, 48000, channels, plug=False)
        heard = hear(microphone.environment(), seconds=1).samples[800:-800].astype(np.float64)
        assert len(heard) > 12000
        rms = max(float(np.sqrt(np.mean(heard**2))), 1e-9)
        return 20 * float(np.log10(rms / (30000 / np.sqrt(2))))

    assert level_db(1000) == pytest.approx(0, abs=0.1)
    assert level_db(10000) < -80
