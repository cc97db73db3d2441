import pytest

from tests.engine.references import TWO_CITIES
from tests.engine.wer import normalized_words, word_error_rate, word_errors


def test_the_same_words_are_no_error_whatever_their_case_and_punctuation() -> None:
    assert word_error_rate("Light, it\u2019s  DARK\u2014now.", "light it's dark now") == 0


def test_each_kind_of_edit_counts_once() -> None:
    assert word_errors("a b c d", "a x c d") == 1
    assert word_errors("a b c d", "a b d") == 1
    assert word_errors("a b c d", "a b new c d") == 1
    assert word_error_rate("a b c d", "") == 1.0


def test_more_heard_than_said_counts() -> None:
    assert word_error_rate("yes", "yes you you") == 2.0


def test_an_empty_reference_has_no_rate() -> None:
    with pytest.raises(ValueError, match="no words"):
        word_error_rate(" ... ", "you")


def test_the_opening_of_the_book_has_its_119_words() -> None:
    assert len(normalized_words(TWO_CITIES)) == 119
