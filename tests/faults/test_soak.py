"""Memory over many outages; ``python -m tests.faults.soak`` is the long run."""

from __future__ import annotations

import sys

import pytest

from tests.faults.soak import LIMIT_BYTES, Plan, soak

SPOOL_BYTES = 64 * 2**20
"""Twenty-five seconds of this microphone: the longest outage lasts five, and is sent meanwhile."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_twenty_minutes_of_outages_leave_nothing_in_memory() -> None:
    plan = Plan(1200.0, speed=80.0, every_s=220.0, warm_s=300.0, look_s=300.0)
    soaked = await soak(plan)
    assert soaked.score.is_perfect, soaked.score.explain()
    assert soaked.outages == 5
    assert soaked.reconnections >= 4
    assert soaked.grown_bytes <= LIMIT_BYTES
    assert soaked.spool_bytes <= SPOOL_BYTES
    assert soaked.kept == soaked.told > 250
