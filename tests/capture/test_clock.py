from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from sayd_cli.capture.clock import capture_clock_s


def test_it_goes_forward_at_the_pace_of_time() -> None:
    began_s, capture_began_s = time.monotonic(), capture_clock_s()
    readings = [capture_clock_s() for _ in range(1000)]
    assert readings == sorted(readings)
    time.sleep(0.05)
    took_s = time.monotonic() - began_s
    assert capture_clock_s() - capture_began_s == pytest.approx(took_s, abs=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux counts the time of sleep")
def test_it_is_the_one_that_goes_on_while_the_machine_sleeps() -> None:
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    assert capture_clock_s() == pytest.approx(up_s, abs=1.0)
