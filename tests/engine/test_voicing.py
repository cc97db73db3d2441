from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sayd_cli.engine.endpointing import EndpointingConfig
from sayd_cli.engine.voicing import voicing
from tests.engine.signals import at_level, pcm16, pink_noise, speech, tone, white_noise

if TYPE_CHECKING:
    from tests.engine.signals import Samples

HOP = 512
VOICED = EndpointingConfig().voiced


def voicings(pcm: bytes) -> list[float]:
    """Of every hop but the first."""
    import numpy as np

    whole = len(pcm) // (2 * HOP) * HOP
    hops = np.frombuffer(pcm, "<i2")[:whole].reshape(-1, HOP)
    return [voicing(hops[at - 1], hops[at]) for at in range(1, len(hops))]


def buzz(length: int, frequency_hz: float) -> Samples:
    """A vowel's kind of sound: a pitch with many harmonics."""
    total = tone(length, frequency_hz)
    for harmonic in range(2, 10):
        total = total + tone(length, frequency_hz * harmonic) / harmonic
    return total


@pytest.mark.parametrize("frequency_hz", [75, 110, 220, 395, 500])
@pytest.mark.parametrize("level_dbfs", [-60, -20])
def test_a_pitch_of_the_voice_is_voiced(frequency_hz: float, level_dbfs: float) -> None:
    assert min(voicings(at_level(buzz(16000, frequency_hz), level_dbfs))) > 0.85


def test_noise_is_not_voiced() -> None:
    assert max(voicings(at_level(white_noise(16000 * 30), -30))) < VOICED
    pink = voicings(at_level(pink_noise(16000 * 30), -30))
    assert sum(each < VOICED for each in pink) > 0.9 * len(pink)


def test_silence_and_clicks_are_not_voiced() -> None:
    import numpy as np

    assert max(voicings(bytes(HOP * 8))) == 0.0
    for at in range(0, 3 * HOP, 32):
        click = np.zeros(4 * HOP)
        click[at : at + 160] = np.exp(-np.arange(160) / 20)
        assert max(voicings(pcm16(click))) < VOICED


def test_rumble_below_the_voice_is_not_voiced() -> None:
    assert max(voicings(at_level(tone(16000, 20), -30))) < VOICED


def test_vowels_are_voiced_through_noise() -> None:
    # "Yes." and "No.", 0.3 s each, the voice 20 dB above the noise.
    samples = speech("endgame_nagg_nell.wav", 16000)
    for start_s in (1.6, 3.97):
        word = samples[int(start_s * 16000) : int((start_s + 0.3) * 16000)]
        power = float((word**2).mean())
        noisy = word + white_noise(len(word)) * power**0.5 / 10
        assert max(voicings(pcm16(noisy, -6))) > VOICED
