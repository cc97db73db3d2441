"""What a device has given, checked against the clock.

A device that loses audio inside gives less than the clock says, and need not say so. Its own
clock runs a little fast or slow too: only a difference beyond that is a loss. Pure arithmetic.
"""

from __future__ import annotations

from collections import deque

_BLOCKS = 10
_EARLY_S = 1.0  # what a device had kept comes at once, however many blocks it is
_DRIFT = 0.005  # crystals are off by a ten-thousandth; this is wide
JITTER_S = 0.25  # how late all of ten blocks in a row may come on a busy machine


class Reckoning:
    """The samples of one running stream, block by block.

    Calling order: ``count`` for each block, from one thread; the rest at any time.

    Args:
        sample_rate_hz: Of the device.

    Attributes:
        counted_s: When its last block came, or when it was made.
    """

    def __init__(self, sample_rate_hz: int, now_s: float) -> None:
        self._first_s: float | None = None
        self._early_until_s = now_s
        self.counted_s = now_s
        self._sample_rate_hz = sample_rate_hz
        self._samples = 0
        self._blocks = 0
        self._least_early_lag_s = float("inf")
        self._late_lags_s: deque[float] = deque(maxlen=_BLOCKS)

    def count(self, samples: int, now_s: float) -> None:
        """Take note of a block, and of the time at which it came."""
        self._samples += samples
        self.counted_s = now_s
        if self._first_s is None:
            self._first_s = now_s - samples / self._sample_rate_hz
            self._early_until_s = now_s + _EARLY_S
        lag_s = now_s - self._first_s - self._samples / self._sample_rate_hz
        self._late_lags_s.append(lag_s)
        if self._blocks < _BLOCKS or now_s < self._early_until_s:
            self._blocks += 1
            self._least_early_lag_s = min(self._least_early_lag_s, lag_s)

    @property
    def began_s(self) -> float:
        """When the first sample was captured, as the first blocks tell: what was held up on the
        way comes late, and none comes early. When it was made, before the first block.
        """
        if self._first_s is None:
            return self.counted_s
        return self._first_s + self._least_early_lag_s

    @property
    def ended_s(self) -> float:
        """When the last sample was captured, as the last blocks tell."""
        if self._first_s is None:
            return self.counted_s
        lag_s = min(self._late_lags_s)
        return self._first_s + self._samples / self._sample_rate_hz + lag_s

    @property
    def missing_s(self) -> float:
        """How much less was given than the clock says; 0 where the device's own clock, or a busy
        machine, explains it.
        """
        if self._first_s is None:
            return 0.0
        behind_s = min(self._late_lags_s) - self._least_early_lag_s
        margin_s = JITTER_S + _DRIFT * (self.counted_s - self._first_s)
        return behind_s if behind_s > margin_s else 0.0
