from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.model.events import Final
from sayd_cli.transcript.sequence import Sequence


def said(index: int | None, text: str = "") -> Final:
    return Final(text or f"text {index}", index=index)


def indices(sequence: Sequence, *arriving: int) -> list[int | None]:
    return [due.index for index in arriving for due in sequence.take(said(index))]


def test_without_indices_all_are_taken_as_they_come() -> None:
    sequence = Sequence()
    again = said(None, "Again.")
    assert [sequence.take(again), sequence.take(again)] == [[again], [again]]
    assert sequence.next_index == 0


def test_one_that_is_repeated_is_taken_once() -> None:
    assert indices(Sequence(), 7, 7, 9, 8, 9) == [7, 9, 8]


def test_the_first_of_one_index_is_the_one_that_counts() -> None:
    sequence = Sequence()
    first, other = said(0, "One."), said(0, "Other.")
    assert sequence.take(first) == [first]
    assert sequence.take(other) == []
    assert sequence.take(first) == []


@pytest.mark.parametrize(
    ("arriving", "due", "next_index"),
    [
        ([0, 1, 2], [0, 1, 2], 3),
        ([1, 2, 0], [0, 1, 2], 3),
        ([1, 1, 0, 0, 1], [0, 1], 2),
        ([0, 2, 3], [0], 1),
    ],
)
def test_a_strict_one_waits_for_those_before(
    arriving: list[int], due: list[int], next_index: int
) -> None:
    sequence = Sequence()
    sequence.strict = True
    assert indices(sequence, *arriving) == due
    assert sequence.next_index == next_index


@given(
    st.integers(0, 30).flatmap(
        lambda count: st.permutations(
            [*range(count), *(number // 2 for number in range(count))],
        )
    )
)
def test_in_whatever_order_and_however_often_they_come_each_is_due_once_in_order(
    arriving: list[int],
) -> None:
    sequence = Sequence()
    sequence.strict = True
    due = []
    for position, index in enumerate(arriving):
        due += indices(sequence, index)
        so_far = set(arriving[: position + 1])
        # All that can be due, and nothing else.
        assert due == list(range(len(due)))
        assert len(due) not in so_far
        assert sequence.next_index == len(due)
    assert due == sorted(set(arriving))


def test_mixed_with_some_without_an_index_none_is_kept_back() -> None:
    sequence = Sequence()
    sequence.strict = True
    assert [due.text for due in sequence.take(said(None, "Odd."))] == ["Odd."]
    assert indices(sequence, 0, 1) == [0, 1]
