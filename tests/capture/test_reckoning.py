from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.capture.reckoning import Reckoning

BLOCK = 1600


def reckoned(arrivals_s: list[float]) -> Reckoning:
    reckoning = Reckoning(16000, 100.0)
    for arrival_s in arrivals_s:
        reckoning.count(BLOCK, 100.0 + arrival_s)
    return reckoning


def blocks(seconds: float, *, drift: float = 0.0, lost_s: float = 0.0) -> list[float]:
    """When blocks come; what is lost is lost in the middle."""
    count = round(seconds * 10)
    return [(i + 1) * 0.1 * (1 + drift) + (lost_s if i > count / 2 else 0.0) for i in range(count)]


def test_nothing_says_nothing() -> None:
    assert reckoned([]).missing_s == 0
    assert reckoned([]).began_s == 100


@given(st.floats(-0.001, 0.001), st.integers(1, 40_000))
def test_a_clock_that_is_a_little_off_is_no_loss(drift: float, seconds_10: int) -> None:
    assert reckoned(blocks(seconds_10 / 10, drift=drift)).missing_s == 0


@given(st.lists(st.floats(0, 0.8), min_size=20, max_size=200))
def test_blocks_that_come_late_and_then_in_time_are_no_loss(late_s: list[float]) -> None:
    arrivals_s = blocks(len(late_s) / 10)
    late = [at + by for at, by in zip(arrivals_s, late_s, strict=True)]
    settled = [at + len(late) * 0.1 for at in blocks(1)]
    assert reckoned([*sorted(late), *settled]).missing_s == 0


@pytest.mark.parametrize("lost_s", [0.4, 1.2, 30.0])
def test_what_is_lost_is_told(lost_s: float) -> None:
    assert reckoned(blocks(20, lost_s=lost_s)).missing_s == pytest.approx(lost_s, abs=0.02)


def test_a_little_is_not_told() -> None:
    assert reckoned(blocks(20, lost_s=0.2)).missing_s == 0


def test_it_began_when_the_first_sample_was_captured() -> None:
    assert reckoned(blocks(5)).began_s == pytest.approx(100)
    # What a device had kept for a second comes at once.
    assert reckoned([1.0] * 10 + [1.1, 1.2]).began_s == pytest.approx(100)
