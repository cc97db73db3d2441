from __future__ import annotations

import random
from array import array
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayd_cli.model.audio import Codec
from sayd_cli.model.session import SessionSettings
from sayd_cli.server.resent import KEPT_S, Repetition, TakenAudio

RATE_HZ = 8000
few_values = st.lists(st.integers(0, 2), max_size=40)
"""So few that repetitions of every kind are common."""
noise = st.lists(st.integers(0, 65_535), max_size=40, unique=True)
cuts = st.lists(st.integers(0, 50), max_size=6)


def pcm(samples: list[int]) -> bytes:
    return array("H", samples).tobytes()


def samples(data: bytes) -> list[int]:
    return list(memoryview(data).cast("H"))


def pieces(of: list[int], at: list[int]) -> list[list[int]]:
    bounds = [0, *sorted(min(position, len(of)) for position in at), len(of)]
    return [of[start:end] for start, end in pairwise(bounds)]


def fed(kept: list[int], came: list[int], at: list[int], *, ended: bool = True) -> list[int]:
    """All that an engine gets: what was taken, then what of the resent audio is new."""
    taken = TakenAudio(SessionSettings("en", RATE_HZ))
    taken.add(pcm(kept))
    resent = taken.resent()
    new = b"".join(part for piece in pieces(came, at) for part in resent.push(pcm(piece)))
    if ended:
        new += b"".join(resent.flush())
    return kept + samples(new)


def model(kept: list[int], came: list[int]) -> list[int]:
    """As the rule is written: try every offset, the longest overlap first."""
    for start in range(len(kept) + 1):
        if came[: len(kept) - start] == kept[start:]:
            return kept + came[len(kept) - start :]
    raise AssertionError("the empty overlap always fits")


@given(few_values, few_values, cuts)
@example([0] * 10, [0] * 10, [3])
@example([0, 0, 1, 0, 0], [0, 0, 0, 2], [])
def test_it_is_what_trying_every_offset_gives(
    kept: list[int], came: list[int], at: list[int]
) -> None:
    assert fed(kept, came, at) == model(kept, came)


@given(few_values, st.integers(0, 40), few_values, cuts)
def test_a_repetition_in_few_values(
    kept: list[int], start: int, new: list[int], at: list[int]
) -> None:
    came = kept[start:] + new
    heard = fed(kept, came, at)
    assert heard == model(kept, came)
    # What is missing, if anything, only said again what was taken last.
    missing = len(kept) + len(new) - len(heard)
    assert missing >= 0
    assert heard[len(kept) :] == new[missing:]
    assert new[:missing] == (kept[-missing:] if missing else [])


@given(noise, st.data())
def test_a_repetition_in_noise_is_exact_from_any_offset(
    values: list[int], data: st.DataObject
) -> None:
    taken = data.draw(st.integers(0, len(values)))
    start = data.draw(st.integers(0, taken))
    kept, new = values[:taken], values[taken:]
    assert fed(kept, kept[start:] + new, data.draw(cuts)) == values


@given(noise, st.integers(0, 40), cuts)
def test_what_is_not_resent_passes_unchanged_and_at_once(
    values: list[int], taken: int, at: list[int]
) -> None:
    kept, new = values[:taken], values[taken:]
    assert fed(kept, new, at, ended=False) == values


@given(few_values, st.integers(0, 40), st.integers(0, 40), cuts)
def test_a_part_of_a_repetition_is_held_back(
    kept: list[int], start: int, length: int, at: list[int]
) -> None:
    part = kept[start : start + length]
    if start + length < len(kept):
        heard = fed(kept, part, at, ended=False)
        # Unless it is also the end, nothing of it is heard again.
        assert heard == kept or model(kept, part) == heard


@given(noise, st.integers(0, 40), st.integers(0, 40), cuts)
def test_a_broken_off_repetition_of_noise_is_never_heard(
    kept: list[int], start: int, length: int, at: list[int]
) -> None:
    assert fed(kept, kept[start:][:length], at, ended=False) == kept


@given(st.lists(st.integers(0, 2), max_size=60), st.lists(st.integers(0, 2), max_size=60), cuts)
def test_units_that_match_across_their_borders_do_not(
    kept: list[int], came: list[int], at: list[int]
) -> None:
    # Bytes 1, 0, 1, 0, …: half a unit further on they are 0, 1, 0, 1, …
    values = [0x0100, 0x0001, 0x0101]
    kept, came = [values[v] for v in kept], [values[v] for v in came]
    assert fed(kept, came, at) == model(kept, came)


def test_silence_is_held_back_until_it_is_known_what_it_is() -> None:
    speech = list(range(1, 1000))
    kept = speech + [0] * 500 + speech[::-1] + [0] * 100
    assert fed(kept, [0] * 400, [], ended=False) == kept
    # Longer than any silence that was taken: the last 100 are a repetition, the others are not.
    assert fed(kept, [0] * 501, [], ended=False) == kept + [0] * 401
    assert fed(kept, [0] * 400, []) == kept + [0] * 300
    assert fed(kept, [0] * 400 + speech[::-1] + [0] * 100 + [7], []) == [*kept, 7]
    assert fed(kept, [0] * 400 + speech[:50], []) == kept + [0] * 300 + speech[:50]


def test_so_much_is_remembered_and_no_more() -> None:
    generator = random.Random(1)
    taken = TakenAudio(SessionSettings("en", RATE_HZ))
    audio = generator.randbytes(2 * RATE_HZ * (2 * KEPT_S + 7))
    for start in range(0, len(audio), 1600):
        taken.add(audio[start : start + 1600])
    kept_bytes = 2 * RATE_HZ * KEPT_S
    new = generator.randbytes(1600)

    def heard(resent_bytes: int) -> bytes:
        resent = taken.resent()
        came = audio[-resent_bytes:] + new
        parts = [came[at : at + 1600] for at in range(0, len(came), 1600)]
        return b"".join(part for came in parts for part in resent.push(came))

    for resent_bytes in (2, 1000, 100_000, kept_bytes):
        assert heard(resent_bytes) == new
    assert heard(kept_bytes + 2) == audio[-kept_bytes - 2 :] + new


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.OPUS_FS320])
@given(kept=few_values, came=few_values, ended=st.booleans())
def test_packets_are_compared_whole(
    codec: Codec, kept: list[int], came: list[int], ended: bool
) -> None:
    packets = [b"", b"\0\1", b"\0\1\2"]
    taken = TakenAudio(SessionSettings("en", RATE_HZ, codec))
    for value in kept:
        taken.add(packets[value])
    resent = taken.resent()
    new = [packet for value in came for packet in resent.push(packets[value])]
    new += resent.flush()
    assert new == [packets[value] for value in model(kept, came)[len(kept) :]]


@given(st.integers(0, 3), st.integers(0, 3))
def test_nothing_kept_or_nothing_said(kept: int, came: int) -> None:
    assert fed([5] * kept, [], [0] * came) == [5] * kept
    assert fed([], [5] * came, []) == [5] * came


def test_the_worst_of_audio_takes_one_pass() -> None:
    # A long silence that differs at the very end: every shorter one fits almost.
    units = 200_000
    repetition = Repetition(bytes(2 * (units - 1)) + b"\1\0", 2)
    assert repetition.push(bytes(2 * (units - 2))) is None
    assert repetition.push(b"\2\0") == 0
