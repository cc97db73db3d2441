from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.listening.backlog import Backlog
from sayd_cli.model.audio import Frame
from sayd_cli.spool.memory import MemorySpool

RATE_HZ = 100


def frame(start_sample: int, end_sample: int) -> Frame:
    pcm = b"".join(n.to_bytes(2, "little") for n in range(start_sample, end_sample))
    return Frame(pcm, start_sample, RATE_HZ)


def backlog(*runs: tuple[int, int], spool: MemorySpool | None = None) -> Backlog:
    made = Backlog(spool or MemorySpool(RATE_HZ), RATE_HZ)
    for start, end in runs:
        made.append(frame(start, end))
    return made


def test_what_is_captured_waits_until_it_is_sent() -> None:
    audio = backlog((0, 500))
    assert (audio.captured_s, audio.sent_s, audio.waiting_s) == (5.0, 0.0, 5.0)
    audio.sent(300)
    assert (audio.captured_s, audio.sent_s, audio.waiting_s) == (5.0, 3.0, 2.0)
    audio.sent(100)
    assert audio.waiting_s == 4.0


def test_of_a_spool_that_holds_some_all_that_it_keeps_waits() -> None:
    spool = MemorySpool(RATE_HZ)
    spool.append(frame(0, 500))
    spool.release(200)
    audio = Backlog(spool, RATE_HZ)
    assert (audio.start_sample, audio.end_sample, audio.waiting_s) == (200, 500, 3.0)


def test_it_is_broken_off_until_audio_comes_and_ends_once() -> None:
    audio = backlog((0, 100))
    seen = [audio.broken_off]
    audio.break_off()
    seen.append(audio.broken_off)
    audio.append(frame(300, 400))
    seen.append(audio.broken_off)
    assert seen == [False, True, False]
    ended = [audio.ended]
    audio.end()
    assert [*ended, audio.ended] == [False, True]


@pytest.mark.parametrize(
    ("position", "start_sample", "lost"),
    [
        # Nothing was captured between: a pause.
        (100, 300, None),
        (400, 700, None),
        # Before the pause, some was.
        (50, 300, (50, 100)),
        (350, 700, (350, 400)),
        # What is kept goes on with the next sample.
        (50, 50, None),
        # What is kept begins in the middle of a run.
        (50, 350, (50, 350)),
    ],
)
def test_what_is_lost_is_told_from_what_was_never_captured(
    position: int, start_sample: int, lost: tuple[int, int] | None
) -> None:
    audio = backlog((0, 100), (300, 400), (700, 800))
    assert audio.take_lost(position, start_sample) == lost


def test_what_is_lost_is_told_once_however_often_it_would_be_sent_again() -> None:
    audio = backlog((0, 100), (300, 400))
    assert audio.take_lost(50, 90) == (50, 90)
    assert audio.take_lost(50, 90) is None
    assert audio.take_lost(50, 300) == (90, 100)
    assert audio.take_lost(50, 300) is None


def test_a_gap_is_known_for_as_long_as_it_may_be_sent_again() -> None:
    audio = backlog((0, 100), (300, 400), (700, 800))
    audio.release(100)
    assert audio.take_lost(100, 300) is None
    audio.release(400)
    assert audio.take_lost(400, 700) is None


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=1, max_size=12),
    st.integers(0, 400),
)
def test_however_it_is_read_it_is_what_was_captured(
    pieces: list[tuple[int, int]], released: int
) -> None:
    spool = MemorySpool(RATE_HZ, segment_s=0.1)
    audio, end, captured = Backlog(spool, RATE_HZ), 0, list[int]()
    for gap, length in pieces:
        audio.append(frame(end + gap, end + gap + length))
        captured += range(end + gap, end + gap + length)
        end += gap + length
    audio.release(released)
    position, read = audio.start_sample, list[int]()
    while (taken := audio.read(position, 7)) is not None:
        read += range(taken.start_sample, taken.end_sample)
        assert taken.pcm == frame(taken.start_sample, taken.end_sample).pcm
        position = taken.end_sample
    assert read == [sample for sample in captured if sample >= released]


@pytest.mark.parametrize("change", ["append", "break_off", "end", "sent", "connected", "wake"])
async def test_whoever_waits_is_woken_by_every_change(change: str) -> None:
    audio = backlog((0, 100))
    waiting = [asyncio.create_task(audio.changed()) for _ in range(2)]
    await asyncio.sleep(0)
    match change:
        case "append":
            audio.append(frame(100, 200))
        case "break_off":
            audio.break_off()
        case "end":
            audio.end()
        case "sent":
            audio.sent(50)
        case "connected":
            audio.connected = True
        case _:
            audio.wake()
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
    later = asyncio.create_task(audio.changed())
    await asyncio.sleep(0)
    assert not later.done()
    later.cancel()
