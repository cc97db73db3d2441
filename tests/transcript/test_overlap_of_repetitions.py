"""Speech in which the same words come again: what is heard a second time, over simulated outages.

A service says a sentence after each pause, late by so much. After an outage, it hears again what it
should have heard ten seconds before it last said something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest

from sayd_cli.transcript.overlap import Overlap
from tests.faults.speech import TALE

DISTINCT = [f"w{number}" for number in range(200)]
COUNTING = ("one two three four five six seven eight nine ten " * 18).split()
LONGER_AND_LONGER = ("one two three one two three four one two three four five " * 14).split()
KNOWING = ("no no no yes yes I know I know " * 22).split()

MARGIN_S = 10.0
OUTAGES = 200


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence: its words by their numbers, and when they have ended."""

    words: list[int]
    ends_s: list[float]
    late_s: float

    @property
    def came_s(self) -> float:
        return self.ends_s[-1] + self.late_s


@dataclass(slots=True)
class Tally:
    """Of many outages.

    Attributes:
        lost: Those after which words were missing.
        again: Those after which words came twice.
    """

    lost: int = 0
    again: int = 0


def spoken(words: int, draw: Random, late_s: tuple[float, float], regular: int) -> list[Said]:
    """Sentences, with pauses between."""
    sentences: list[Said] = []
    now_s, pace_s, number = 0.0, draw.uniform(0.25, 0.45), 0
    while number < words:
        numbers = range(number, min(number + (regular or draw.randint(1, 14)), words))
        ends_s = []
        for _ in numbers:
            now_s += pace_s * draw.uniform(0.7, 1.3)
            ends_s.append(now_s)
        sentences.append(Said([*numbers], ends_s, draw.uniform(*late_s)))
        now_s += draw.uniform(5.0, 15.0) if draw.random() < 0.05 else draw.uniform(0.3, 1.2)
        number += len(numbers)
    return sentences


def misheard(numbers: Sequence[int], text: Sequence[str], draw: Random, share: float) -> list[str]:
    """The words as they are heard, each of them one: so many are heard as another."""
    return ["uh" if draw.random() < share else text[number] for number in numbers]


def outage(
    text: Sequence[str], draw: Random, late_s: tuple[float, float], regular: int, share: float
) -> tuple[int, int]:
    """How many new words are lost, and how many come twice."""
    sentences = spoken(len(text), draw, late_s, regular)
    lost_at_s = draw.uniform(20.0, sentences[-1].came_s - 5.0)
    told = [said for said in sentences if said.came_s < lost_at_s]
    came_s = [max(said.came_s for said in told[: n + 1]) for n in range(len(told))]
    again_from_s = max(0.0, came_s[-1] - MARGIN_S)
    first = sum(each <= again_from_s for each in came_s)
    heard_before = [" ".join(misheard(said.words, text, draw, share)) for said in told]
    overlap = Overlap(heard_before[first:], heard_before[max(first - 2, 0) : first])
    last_told = told[-1].words[-1]
    lost = twice = 0
    for said in sentences:
        ends = zip(said.words, said.ends_s, strict=True)
        numbers = [number for number, end_s in ends if end_s > again_from_s + 0.1]
        if not numbers:
            continue
        heard = misheard(numbers, text, draw, share)
        new = overlap.remove(" ".join(heard)).split()
        known, fresh = numbers[: len(heard) - len(new)], numbers[len(heard) - len(new) :]
        lost += sum(number > last_told for number in known)
        twice += sum(number <= last_told for number in fresh)
    return lost, twice


def outages(
    text: Sequence[str],
    *,
    late_s: tuple[float, float] = (0.3, 1.5),
    regular: int = 0,
    share: float = 0.0,
) -> Tally:
    tally = Tally()
    for seed in range(OUTAGES):
        lost, twice = outage(text, Random(seed), late_s, regular, share)
        tally.lost += lost > 0
        tally.again += twice > 0
    return tally


@pytest.mark.parametrize("late_s", [(0.3, 1.5), (2.0, 5.0), (5.0, 9.0)])
@pytest.mark.parametrize("text", [TALE, DISTINCT], ids=["tale", "distinct"])
def test_of_a_text_nothing_is_lost_and_hardly_a_word_comes_twice(
    text: Sequence[str], late_s: tuple[float, float]
) -> None:
    tally = outages(text, late_s=late_s)
    assert tally.lost == 0
    assert tally.again <= OUTAGES // 50


@pytest.mark.parametrize("share", [0.03, 0.1])
def test_words_that_are_heard_as_others_cost_no_other(share: float) -> None:
    tally = outages(TALE, share=share)
    assert tally.lost == 0
    # Of words that were the last known ones, and are heard otherwise now, it is not known.
    assert tally.again <= OUTAGES * share


rounds = pytest.mark.parametrize(
    "text", [COUNTING, LONGER_AND_LONGER, KNOWING], ids=["counting", "longer", "knowing"]
)


@rounds
@pytest.mark.parametrize("late_s", [(0.3, 1.5), (2.0, 5.0)])
def test_of_rounds_of_the_same_words_none_is_lost_and_few_come_twice(
    text: Sequence[str], late_s: tuple[float, float]
) -> None:
    tally = outages(text, late_s=late_s)
    assert tally.lost == 0
    assert tally.again <= OUTAGES // 3


@rounds
def test_a_service_that_is_nearly_too_late_may_hear_one_round_for_another(
    text: Sequence[str],
) -> None:
    # Of what it said last hardly anything is heard again, and what is, fits one round earlier.
    tally = outages(text, late_s=(5.0, 9.0))
    assert tally.lost <= OUTAGES // 50


def test_of_rounds_with_the_same_pauses_rather_one_comes_twice_than_not_at_all() -> None:
    tally = outages(LONGER_AND_LONGER, regular=4)
    assert tally.lost == 0
    assert tally.again > OUTAGES // 2


def test_a_first_sentence_that_fits_in_many_places_is_put_where_the_next_goes_on() -> None:
    overlap = Overlap([" ".join(TALE[:15]), " ".join(TALE[15:36])])
    assert overlap.remove("It was the") == ""
    assert overlap.remove("worst of times, it was the age") == ""
    assert overlap.remove(" ".join(TALE[15:30])) == ""
    assert overlap.remove(" ".join(TALE[30:40])) == " ".join(TALE[36:40])


def test_interim_text_is_taken_as_the_sentence_will_be() -> None:
    overlap = Overlap([" ".join(TALE[:18]), " ".join(TALE[18:34])])
    assert overlap.peek(" ".join(TALE[9:12])) == ""
    assert overlap.remove(" ".join(TALE[9:18])) == ""
    assert overlap.peek(" ".join(TALE[18:40])) == " ".join(TALE[34:40])
    assert overlap.remove(" ".join(TALE[18:40])) == " ".join(TALE[34:40])
    assert overlap.remove("It was the best of times.") == "It was the best of times."
