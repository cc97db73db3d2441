import math
import random
import struct
import subprocess
import sys
import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayd_cli.audio.health import Condition, Finding, SignalHealth

RATE_HZ = 16000
SILENT, AGAIN, CLIPPING = (
    Finding(Condition.SILENT),
    Finding(Condition.SOUND_AGAIN),
    Finding(Condition.CLIPPING),
)


def silence(seconds: float, rate_hz: int = RATE_HZ) -> bytes:
    return bytes(2 * round(seconds * rate_hz))


def noise(seconds: float, loudest: int = 3) -> bytes:
    """A quiet room; the first and the last sample are not 0."""
    chance = random.Random(1)
    middle = [chance.randint(-loudest, loudest) for _ in range(round(seconds * RATE_HZ) - 2)]
    return struct.pack(f"<{len(middle) + 2}h", 1, *middle, -1)


def syllables(seconds: float, gain: float) -> bytes:
    """Bursts of 120 ms, five a second, as loud as full scale times the gain, cut off there."""
    wave = (
        gain * math.sin(math.tau * 150 * n / RATE_HZ) * (n % 3200 < 1920)
        for n in range(round(seconds * RATE_HZ))
    )
    return b"".join(
        struct.pack("<h", max(-32768, min(32767, round(value * 32768)))) for value in wave
    )


def plosive() -> bytes:
    """60 ms at full scale in the middle of a quiet second."""
    pop = struct.pack("<960h", *([32767] * 480 + [-32768] * 480))
    return noise(0.47) + pop + noise(0.47)


def found(*parts: bytes, chunk: int = 3200) -> list[Finding]:
    health = SignalHealth(RATE_HZ)
    pcm = b"".join(parts)
    return [
        finding
        for start in range(0, len(pcm), chunk)
        for finding in health.push(pcm[start : start + chunk])
    ]


def warning(health: SignalHealth) -> str | None:
    # A function: mypy believes that an attribute stays as it was.
    return health.warning


def test_a_second_of_zeros_is_told_once() -> None:
    assert found(silence(0.95)) == []
    assert found(silence(1)) == [SILENT]
    assert found(silence(30)) == [SILENT]
    assert "muted" in SILENT.text
    assert "permission" in SILENT.text


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_it_is_told_within_a_tenth_of_a_second(rate_hz: int) -> None:
    health = SignalHealth(rate_hz)
    assert health.push(struct.pack("<h", 1) + silence(0.99, rate_hz)) == []
    assert warning(health) is None
    assert health.push(silence(0.11, rate_hz)) == [SILENT]
    assert warning(health) == "muted?"


def test_the_quietest_noise_is_no_silence() -> None:
    assert found(noise(5, loudest=1)) == []
    one_in_a_second = (struct.pack("<h", 1) + bytes(2 * RATE_HZ - 2002)) * 5
    assert found(one_in_a_second) == []


def test_sound_after_silence_is_told_once() -> None:
    health = SignalHealth(RATE_HZ)
    assert health.push(silence(1.5)) == [SILENT]
    assert health.push(noise(3)) == [AGAIN]
    assert warning(health) is None
    assert found(silence(0.9), noise(1)) == []


def test_a_device_that_gates_noise_is_told_of_ever_more_seldom() -> None:
    speech_and_pause = noise(1) + silence(1.5)
    told = [finding for finding in found(speech_and_pause * 50) if finding == SILENT]
    assert len(told) == 1
    health = SignalHealth(RATE_HZ)
    lasting = []
    for _ in range(8):
        tenths = 1
        while not health.push(silence(0.1)):
            tenths += 1
            assert (warning(health) == "muted?") is (tenths > 10)
        lasting.append(tenths / 10)
        health.push(noise(1))
    assert lasting == [1, 2, 4, 8, 16, 32, 64, 64]


def test_clipping_is_told_once() -> None:
    assert found(syllables(2, 4.0)) == [CLIPPING]
    assert found(syllables(30, 4.0)) == [CLIPPING]
    assert "gain" in CLIPPING.text


def test_loud_speech_does_not_clip() -> None:
    assert found(syllables(5, 0.96)) == []


def test_a_plosive_does_not_clip() -> None:
    assert found(plosive() * 5) == []


def test_clipping_lasts_over_a_pause_and_its_warning_does_not() -> None:
    health = SignalHealth(RATE_HZ)
    assert health.push(syllables(1, 4.0)) == [CLIPPING]
    assert warning(health) == "clipping"
    assert health.push(noise(5)) == []
    assert warning(health) is None
    assert health.push(syllables(1, 4.0)) == []
    assert warning(health) == "clipping"
    assert health.push(noise(11)) == []
    assert health.push(syllables(1, 4.0)) == [CLIPPING]


def test_an_interruption_begins_anew() -> None:
    health = SignalHealth(RATE_HZ)
    health.push(silence(0.95))
    health.reset()
    assert health.push(silence(0.95)) == []
    assert health.push(silence(0.2)) == [SILENT]
    health.reset()
    assert warning(health) is None
    assert health.push(noise(1)) == []
    assert health.push(silence(1.1)) == [SILENT]


PARTS = st.lists(
    st.sampled_from([silence(1.3), silence(0.4), noise(0.33), syllables(1.1, 4.0), plosive()]),
    max_size=6,
)


@settings(max_examples=40)
@given(PARTS, st.sampled_from([2, 3200, 1764, 6400, 10**7]))
def test_how_it_is_cut_makes_no_difference(parts: list[bytes], chunk: int) -> None:
    chunk = max(chunk, len(b"".join(parts)) // 5000)
    chunk += chunk % 2
    assert found(*parts, chunk=chunk) == found(*parts)


@pytest.mark.parametrize("pcm", [silence(0.1), noise(0.1, 3000), syllables(0.1, 4.0)])
def test_a_frame_takes_less_than_a_millisecond(pcm: bytes) -> None:
    health = SignalHealth(RATE_HZ)
    assert min(timeit.repeat(lambda: health.push(pcm), number=20, repeat=9)) < 0.02


def test_no_numpy() -> None:
    script = "import sys, sayd_cli.audio.health; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
