import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.render.settled import settled
from sayd_cli.render.wrapping import clusters

_TEXTS = st.text(alphabet="ab .,我们。\u0301\u05e9\ud55c\U0001f468\u200d\U0001f3fd", max_size=30)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("", "", ""),
        ("", "it was", ""),
        ("it was", "", ""),
        ("it was", "it was", "it was"),
        ("it was", "it was the best", "it was"),
        ("it was the be", "it was the best", "it was the "),
        ("it was the best", "it was the be", "it was the "),
        ("it was the best.", "it was the best of", "it was the "),
        ("It was", "it was", ""),
        ("it was the age", "it was an age", "it was "),
        ("今天天", "今天天气", "今天天"),
        ("今天气", "今天天气", "今天"),
        ("我们用 Pyth", "我们用 Python 写", "我们用 "),
        ("cafe", "cafe\u0301", ""),
        ("a 我", "a 我\u0301", "a "),
        ("שלום ל", "שלום לך", "שלום "),
        ("대한민", "대한민국", ""),
    ],
)
def test_words_that_both_have_from_the_beginning_have_settled(
    before: str, now: str, expected: str
) -> None:
    assert now[: settled(before, now)] == expected


@given(_TEXTS, _TEXTS, _TEXTS)
def test_what_has_settled_is_in_both_and_cuts_no_cluster(same: str, one: str, other: str) -> None:
    before, now = same + one, same + other
    end = settled(before, now)
    assert before[:end] == now[:end]
    for text in (before, now):
        assert [*clusters(text[:end]), *clusters(text[end:])] == list(clusters(text))


@given(_TEXTS)
def test_a_text_that_comes_again_has_settled(text: str) -> None:
    assert settled(text, text) == len(text)


@pytest.mark.timeout(10)
def test_long_texts_take_time_in_proportion() -> None:
    assert settled("word " * 400_000, "word " * 400_000 + "a") == 2_000_000
    assert settled("a" * 100_000, "a" * 100_001) == 0
