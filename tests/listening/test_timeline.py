from __future__ import annotations

from collections.abc import Callable

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


class ListOfSamples:
    """The same, as a list of every sample of the stream: the captured one that it is, or None."""

    def __init__(self, from_sample: int) -> None:
        self.stream: list[int | None] = []
        self.from_sample = from_sample

    def sent(self, start: int, end: int) -> None:
        self.stream += range(start, end)

    def padded(self, samples: int) -> None:
        self.stream += [None] * samples

    def cut(self, samples: int) -> int:
        del self.stream[samples:]
        return self.end(len(self.stream))

    def end(self, at: int) -> int:
        """Where something ends that ends at this boundary between samples."""
        before = [sample for sample in self.stream[:at] if sample is not None]
        return before[-1] + 1 if before else self.from_sample

    def start(self, at: int) -> int:
        """The same of what begins there."""
        after = [sample for sample in self.stream[at:] if sample is not None]
        return after[0] if after else self.end(at)


Steps = list[tuple[str, int, int]]
steps = st.lists(
    st.tuples(st.sampled_from(["send", "pad", "cut"]), st.integers(0, 30), st.integers(1, 40)),
    max_size=14,
)


@given(st.integers(0, 50), steps)
def test_every_moment_is_where_its_sample_is(from_sample: int, steps: Steps) -> None:
    timeline, samples = Timeline(1, from_sample), ListOfSamples(from_sample)
    position = from_sample
    for step, gap, length in steps:
        match step:
            case "send":
                for one in (timeline.sent, samples.sent):
                    call: Callable[[int, int], None] = one
                    call(position + gap, position + gap + length)
                position += gap + length
            case "pad":
                timeline.padded(length)
                samples.padded(length)
            case _:
                # A captured sample to go on with is where what arrived ends.
                arrived = max(0, len(samples.stream) - length)
                position = timeline.cut(arrived)
                assert position == samples.cut(arrived)
        assert timeline.stream_samples == len(samples.stream)
        assert timeline.captured_until_s == samples.end(len(samples.stream))
        for at in range(len(samples.stream) + 1):
            assert timeline.end_s(at) == samples.end(at)
            assert timeline.start_s(at) == samples.start(at)
