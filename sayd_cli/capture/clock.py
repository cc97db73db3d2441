"""The clock by which audio has its place. Knows nothing of audio."""

from __future__ import annotations

import sys
import time


def capture_clock_s() -> float:
    """Seconds on a clock that never goes back, and that goes on while the machine sleeps.

    ``time.monotonic`` stops then, on Linux and macOS: an hour of sleep would be no gap, and all
    times after it would be an hour early.
    """
    if sys.platform == "linux":
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    elif sys.platform == "darwin":
        now_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    else:
        now_s = time.monotonic()
    return now_s
