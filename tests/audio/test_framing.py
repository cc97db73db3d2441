import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.audio.framing import Framer
from sayd_cli.model.audio import Frame


def pushed(pcm: bytes, cuts: list[int], framer: Framer) -> list[Frame]:
    edges = [0, *sorted(2 * cut for cut in cuts if 2 * cut < len(pcm)), len(pcm)]
    frames = [
        frame for begin, end in itertools.pairwise(edges) for frame in framer.push(pcm[begin:end])
    ]
    rest = framer.flush()
    return [*frames, rest] if rest else frames


@given(
    st.integers(0, 5000).map(lambda n: bytes(i % 251 for i in range(2 * n))),
    st.lists(st.integers(0, 5000), max_size=20),
    st.sampled_from([8000, 16000]),
    st.sampled_from([10, 20, 100]),
)
def test_any_cutting_gives_the_same_frames(
    pcm: bytes, cuts: list[int], rate_hz: int, frame_ms: int
) -> None:
    frames = pushed(pcm, cuts, Framer(rate_hz, frame_ms))
    assert frames == pushed(pcm, [], Framer(rate_hz, frame_ms))
    assert b"".join(frame.pcm for frame in frames) == pcm
    length = rate_hz * frame_ms // 1000
    assert [frame.start_sample for frame in frames] == [i * length for i in range(len(frames))]
    assert all(frame.length_samples == length for frame in frames[:-1])
    assert all(0 < frame.length_samples <= length for frame in frames[-1:])
    assert all(frame.sample_rate_hz == rate_hz for frame in frames)


def test_one_message_is_100_ms() -> None:
    assert [len(frame.pcm) for frame in Framer(16000).push(bytes(6400))] == [3200, 3200]
    assert [len(frame.pcm) for frame in Framer(8000).push(bytes(3200))] == [1600, 1600]


def test_frames_are_counted_from_the_first_one_given() -> None:
    framer = Framer(8000)
    assert framer.push(Frame(bytes(1000), 70, 8000)) == []
    assert [f.start_sample for f in framer.push(Frame(bytes(1000), 570, 8000))] == [70]
    rest = framer.flush()
    assert rest is not None
    assert (rest.start_sample, rest.end_sample) == (870, 1070)
    assert framer.flush() is None


@pytest.mark.parametrize(
    "wrong", [Frame(bytes(2), 0, 16000), Frame(bytes(2), 7, 8000), Frame(b"abc", 1, 8000), b"abc"]
)
def test_what_does_not_follow_on_is_refused(wrong: Frame | bytes) -> None:
    framer = Framer(8000)
    framer.push(Frame(bytes(2), 0, 8000))
    with pytest.raises(ValueError, match=r"frame at|whole samples"):
        framer.push(wrong)
