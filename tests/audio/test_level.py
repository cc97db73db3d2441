import math
import struct
import subprocess
import sys
import timeit

import pytest

from sayd_cli.audio.level import peak_dbfs, rms_dbfs


def tone(amplitude: float) -> bytes:
    return struct.pack(
        "<1600h", *(round(amplitude * math.sin(i * math.tau / 16)) for i in range(1600))
    )


def test_a_full_sine_is_3_db_below_full_scale() -> None:
    assert rms_dbfs(tone(32767)) == pytest.approx(-3.01, abs=0.01)
    assert peak_dbfs(tone(32767)) == pytest.approx(0, abs=0.01)


def test_a_tenth_of_the_amplitude_is_20_db_less() -> None:
    assert rms_dbfs(tone(3276.7)) == pytest.approx(-23.01, abs=0.01)
    assert peak_dbfs(tone(3276.7)) == pytest.approx(-20, abs=0.01)


def test_the_loudest_negative_sample_is_full_scale() -> None:
    assert rms_dbfs(struct.pack("<4h", *[-32768] * 4)) == 0
    assert peak_dbfs(struct.pack("<3h", 5, -32768, 9)) == 0


@pytest.mark.parametrize("pcm", [b"", bytes(3200)])
def test_digital_silence_has_no_level(pcm: bytes) -> None:
    assert rms_dbfs(pcm) == -math.inf
    assert peak_dbfs(pcm) == -math.inf


def test_the_smallest_step_is_seen() -> None:
    assert peak_dbfs(struct.pack("<2h", 0, 1)) == pytest.approx(-90.3, abs=0.1)


def test_a_frame_takes_less_than_a_millisecond() -> None:
    pcm = tone(20000)
    assert min(timeit.repeat(lambda: (rms_dbfs(pcm), peak_dbfs(pcm)), number=20, repeat=9)) < 0.02


def test_no_numpy_for_level_and_framing_and_equal_rates() -> None:
    script = (
        "import sys, sayd_cli.audio.framing, sayd_cli.audio.level as l;"
        "import sayd_cli.audio.wav, sayd_cli.audio.conversion, sayd_cli.audio.resampling as r;"
        "l.rms_dbfs(bytes(9000)); x = r.Resampler(16000, 16000);"
        "assert x.push(b'abcd') + x.flush() == b'abcd';"
        "sys.exit(bool({'numpy', 'soxr'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
