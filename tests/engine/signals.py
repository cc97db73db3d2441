"""Audio for the engine's tests: the recordings of its package, and signals that hold no words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sayd_cli.engine.recordings import recording

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]


def speech(name: str, sample_rate_hz: int) -> Samples:
    """A recording of the engine's package, in -1 to 1."""
    import soundfile
    import soxr

    samples, rate_hz = soundfile.read(recording(name), dtype="float64")
    resampled: Samples = soxr.resample(samples, rate_hz, sample_rate_hz)
    return resampled


def pcm16(samples: Samples, gain_db: float = 0.0) -> bytes:
    """Samples in -1 to 1 as PCM16."""
    import numpy as np

    scaled = np.round(samples * 10 ** (gain_db / 20) * 32768)
    return np.clip(scaled, -32768, 32767).astype("<i2").tobytes()


def at_level(samples: Samples, level_dbfs: float) -> bytes:
    """Samples of any size as PCM16 whose root mean square is ``level_dbfs``."""
    import numpy as np

    return pcm16(samples / np.sqrt(np.mean(samples**2)), level_dbfs)


def white_noise(length: int) -> Samples:
    import numpy as np

    return np.random.default_rng(1).standard_normal(length)


def pink_noise(length: int) -> Samples:
    import numpy as np

    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal(length))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    noise: Samples = np.fft.irfft(spectrum, length)
    return noise


def tone(length: int, frequency_hz: float, sample_rate_hz: int = 16000) -> Samples:
    import numpy as np

    wave: Samples = np.sin(2 * np.pi * frequency_hz * np.arange(length) / sample_rate_hz)
    return wave


def hum(length: int, sample_rate_hz: int = 16000) -> Samples:
    """A mains transformer: 50 Hz and its harmonics."""
    total = tone(length, 50, sample_rate_hz)
    for harmonic in range(2, 12):
        total = total + tone(length, 50 * harmonic, sample_rate_hz) / harmonic
    return total


def chords(length: int, sample_rate_hz: int = 16000) -> Samples:
    """Plucked major chords with overtones, two a second."""
    import numpy as np

    random = np.random.default_rng(3)
    total = np.zeros(length)
    for start in range(0, length, sample_rate_hz // 2):
        seconds = np.arange(min(sample_rate_hz, length - start)) / sample_rate_hz
        root_hz = 110 * 2 ** (random.integers(0, 24) / 12)
        for ratio in (1, 5 / 4, 3 / 2, 2):
            for harmonic in range(1, 6):
                wave = np.sin(2 * np.pi * root_hz * ratio * harmonic * seconds) / harmonic
                total[start : start + len(seconds)] += wave * np.exp(-3 * seconds)
    return total
