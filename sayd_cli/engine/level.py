"""How loud speech is, and how to bring it to the level that the models were trained on.

Owns the arithmetic of levels on samples; knows no model and no stream. Samples are numpy arrays,
float32 in -1 to 1, one dimension, mono.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Pcm = NDArray[np.int16]

SILENCE_DBFS = -120.0
"""Stands for digital silence, whose true level has no number."""


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """The numbers behind the level control.

    Attributes:
        target_dbfs: Where the loud hops of speech are brought.
        max_gain_db: The most that is added; the rounding noise of PCM16 (-101 dBFS) stays 26 dB
            below the target.
        release_db_per_s: How fast the control forgets that it was loud. Slow enough that pauses
            between sentences do not lift the room's noise, fast enough that a soft voice after a
            loud one is heard; the VAD itself takes speech 30 dB below target.
    """

    target_dbfs: float = -20.0
    max_gain_db: float = 55.0
    release_db_per_s: float = 4.0


def pcm_level_dbfs(pcm: Pcm) -> float:
    """Root mean square of int16 samples, in dB below full scale; ``SILENCE_DBFS`` at least."""
    import math

    import numpy as np

    if not pcm.size:
        return SILENCE_DBFS
    samples = pcm.astype(np.float32)
    power = float(np.dot(samples, samples)) / pcm.size / 32768.0**2
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS


def amplified(pcm: Pcm, gain_db: float) -> Samples:
    """Int16 samples as float32 in -1 to 1, amplified and held within that range."""
    import numpy as np

    samples = pcm.astype(np.float32)
    samples *= 10 ** (gain_db / 20) / 32768
    np.clip(samples, -1.0, 1.0, out=samples)
    return samples


class LevelControl:
    """A running gain for one stream: at once down, slowly up.

    Args:
        hop_s: Seconds between calls of ``gain_db``.
        config: The numbers.
    """

    def __init__(self, hop_s: float, config: LevelConfig | None = None) -> None:
        self._config = config or LevelConfig()
        self._release_db = self._config.release_db_per_s * hop_s
        self._floor_dbfs = self._config.target_dbfs - self._config.max_gain_db
        self._loudest_dbfs = self._floor_dbfs

    def gain_db(self, level_dbfs: float) -> float:
        """The gain for the next hop, given its own level."""
        self._loudest_dbfs = max(
            level_dbfs, self._loudest_dbfs - self._release_db, self._floor_dbfs
        )
        return self._config.target_dbfs - self._loudest_dbfs


def speech_gain_db(pcm: Pcm, hop_samples: int, config: LevelConfig | None = None) -> float:
    """One gain for a whole utterance, from its loud hops; int16 samples."""
    import numpy as np

    config = config or LevelConfig()
    hops = len(pcm) // hop_samples
    if not hops:
        return config.target_dbfs - max(
            pcm_level_dbfs(pcm), config.target_dbfs - config.max_gain_db
        )
    samples = pcm[: hops * hop_samples].astype(np.float32).reshape(hops, hop_samples) / 32768
    power = np.square(samples).mean(axis=1)
    loud_dbfs = 10 * float(np.log10(np.percentile(power, 90) + 1e-12))
    return config.target_dbfs - max(loud_dbfs, config.target_dbfs - config.max_gain_db)
