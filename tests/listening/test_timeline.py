from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.listening.timeline import Timeline

RATE_HZ = 100


def with_a_gap() -> Timeline:
    """Ten seconds captured, a second of silence put in, then audio from the 60th second on."""
    timeline = Timeline(RATE_HZ)
    timeline.sent(0, 400)
    timeline.sent(400, 1000)
    timeline.padded(100)
    timeline.sent(6000, 6500)
    return timeline


def test_without_gaps_both_times_are_one() -> None:
    timeline = Timeline(RATE_HZ)
    for start in range(0, 1000, 10):
        timeline.sent(start, start + 10)
    assert timeline.start_s(3.21) == timeline.end_s(3.21) == pytest.approx(3.21)
    assert timeline.captured_until_s == 10


@pytest.mark.parametrize(
    ("stream_s", "start_s", "end_s"),
    [
        (0.0, 0.0, 0.0),
        (9.5, 9.5, 9.5),
        (10.0, 60.0, 10.0),
        (10.5, 60.0, 10.0),
        (11.0, 60.0, 10.0),
        (12.0, 61.0, 61.0),
        (16.0, 65.0, 65.0),
    ],
)
def test_times_around_a_gap(stream_s: float, start_s: float, end_s: float) -> None:
    timeline = with_a_gap()
    assert timeline.start_s(stream_s) == pytest.approx(start_s)
    assert timeline.end_s(stream_s) == pytest.approx(end_s)


def test_while_nothing_follows_the_silence_all_of_it_is_where_the_capture_broke_off() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.sent(0, 1000)
    timeline.padded(100)
    assert timeline.start_s(10.5) == timeline.end_s(10.5) == timeline.captured_until_s == 10
    timeline.padded(100)
    assert timeline.end_s(12) == 10


def test_a_stream_that_begins_late_begins_there() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.sent(500, 600)
    assert timeline.start_s(0) == 5
    assert timeline.end_s(1) == 6


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500), st.integers(0, 200)), max_size=20),
    st.lists(st.floats(0, 400), min_size=2, max_size=20),
)
def test_times_never_run_backwards_and_lie_in_what_was_captured(
    pieces: list[tuple[int, int, int]], moments: list[float]
) -> None:
    timeline, captured, spans, stream = Timeline(RATE_HZ), 0, [], 0
    for gap, length, silence in pieces:
        captured += gap
        timeline.sent(captured, captured + length)
        spans.append((captured / RATE_HZ, (captured + length) / RATE_HZ))
        captured += length
        timeline.padded(silence)
        stream += length + silence
    inside = sorted(moment for moment in moments if moment * RATE_HZ <= stream)
    for one_of in (timeline.start_s, timeline.end_s):
        times = [one_of(moment) for moment in inside]
        assert times == sorted(times)
        for time_s in times:
            assert not spans or any(a - 1e-6 <= time_s <= b + 1e-6 for a, b in [*spans, (0, 0)])
    for moment in inside:
        assert timeline.end_s(moment) <= timeline.start_s(moment) + 1e-6
