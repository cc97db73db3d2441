import random
import time

import pytest

from tests.faults.score import Score, score
from tests.faults.speech import CodedSpeech

SAID = tuple(f"w{n}" for n in range(10))


def test_all_heard_once_in_order_is_perfect() -> None:
    result = score(["w0 w1 w2", "w3", "w4 w5 w6 w7", "w8 w9"], SAID)
    assert result == Score()
    assert result.is_perfect


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([], Score(lost=SAID)),
        (["w0 w1 w2 w4", "w5 w6 w7 w8"], Score(lost=("w3", "w9"))),
        (["w0 w1 w2", "w2 w3 w4", "w2 w5 w6 w7 w8 w9"], Score(repeated=("w2", "w2"))),
        (["w0 w1", "w4 w5", "w2 w3", "w6 w7 w8 w9"], Score(out_of_order=("w2", "w3"))),
        (["w0 w1 w2 you", "w3 w4 w5 w6 w7 w8 w9"], Score(strange=("you",))),
        (
            ["w1 w0", "w2 w3 w3 x", "w5 w6 w7 w8 w9"],
            Score(("w4",), ("w3",), ("w0",), ("x",)),
        ),
    ],
)
def test_what_is_wrong_is_named(heard: list[str], expected: Score) -> None:
    result = score(heard, SAID)
    assert result == expected
    assert not result.is_perfect


def test_a_repeated_sentence_is_not_out_of_order_too() -> None:
    assert score(["w0 w1 w2 w3", "w0 w1", "w4 w5 w6 w7 w8 w9"], SAID) == Score(
        repeated=("w0", "w1")
    )


def test_explanation_shows_where() -> None:
    text = score(["w0 w1 w2", "w6 w7 w8", "w8 w9 you"], SAID).explain()
    assert "said 10 words, heard 9 in 3 sentences: 3 lost, 1 repeated" in text
    assert "lost: w3 to w5 (3 words); heard there: #0 'w0 w1 w2', #1 'w6 w7 w8'" in text
    assert "repeated: w8; heard there: #1 'w6 w7 w8', #2 'w8 w9 you'" in text
    assert "strange: you; heard there: #2 'w8 w9 you'" in text


def test_explanation_stays_short() -> None:
    said = tuple(f"w{n}" for n in range(10_000))
    text = score([" ".join(said[::2])], said).explain()
    assert "and 4980 more" in text
    assert len(text) < 4000


def test_of_words_that_come_again_it_is_told_how_many_are_too_few_or_too_many() -> None:
    said = ["no", "no", "yes", "no", "no", "yes", "it", "is"]
    assert score(["no no yes", "no no yes it is"], said).is_perfect
    assert score(["no no yes", "no yes it is"], said).lost == ("no",)
    repeated = score(["no no yes", "no no yes no no yes it is"], said)
    assert sorted(repeated.repeated) == ["no", "no", "yes"]
    assert not repeated.lost
    other = score(["no no yes", "no no yes it was"], said)
    assert (other.lost, other.strange) == (("is",), ("was",))
    assert "1 lost" in other.explain()


def test_what_was_dropped_and_doubled_is_found_in_hours_of_speech() -> None:
    said = CodedSpeech(3 * 3600).expected_words
    draw = random.Random(1)
    lost = set(draw.sample(said, 100))
    doubled = set(draw.sample([word for word in said if word not in lost], 100))
    heard = [f"{word} {word}" if word in doubled else word for word in said if word not in lost]
    start_s = time.monotonic()
    result = score(heard, said)
    assert time.monotonic() - start_s < 5
    assert set(result.lost) == lost
    assert set(result.repeated) == doubled
    assert not result.out_of_order
