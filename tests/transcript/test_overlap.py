from __future__ import annotations

import re
import unicodedata
from random import Random
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.transcript.overlap import Overlap


def split(text: str) -> list[str]:
    """As a service gives them: each to its end."""
    return re.findall(r"[^.?!。]+[.?!。]*", text)


def new(known: str, *heard: str) -> list[str]:
    """What is new of the sentences."""
    overlap = Overlap(split(known))
    return [rest for text in heard if (rest := overlap.remove(text))]


@pytest.mark.parametrize(
    ("known", "heard", "expected"),
    [
        # Nothing is known.
        ("", ["One two."], ["One two."]),
        ("...", ["One two."], ["One two."]),
        # All of it is heard again, in the same sentences or in others.
        ("One two. Three four.", ["One two.", "Three four.", "Five."], ["Five."]),
        ("One two. Three four.", ["One two three", "four. Five six."], ["Five six."]),
        ("One two. Three four.", ["One two three four five six."], ["five six."]),
        ("One two three. Four.", ["One.", "Two three four, five."], ["five."]),
        # From the middle of it.
        ("One two. Three four.", ["Two. Three four.", "Five."], ["Five."]),
        ("One two. Three four.", ["Three four five."], ["five."]),
        ("One two. Three four.", ["Four.", "Five six."], ["Five six."]),
        # None of it.
        ("One two. Three four.", ["Five six seven eight nine."], ["Five six seven eight nine."]),
        # A word alone may have been said again.
        ("That is it. Yes.", ["Yes, I think so."], ["Yes, I think so."]),
        ("That is it. Yes.", ["Yes.", "Yes."], ["Yes."]),
        # Its case and its punctuation do not matter.
        ("Well, one: two (three)!", ["ONE, TWO -- three? Four."], ["Four."]),
        ("I don\u2019t know it", ["I don't know it. We do."], ["We do."]),
        ("Stra\u00dfe und Haus", ["STRASSE UND HAUS. Baum."], ["Baum."]),
        ("one two", ["one two 42% of it"], ["42% of it"]),
        ("one two", ['one two. "Three," he said.'], ['"Three," he said.']),
        ("one two", ["one two \u2026"], []),
        ("one two", ["one two? -- Three!"], ["Three!"]),
        ("one two", ["one two - -5 degrees"], ["-5 degrees"]),
        ("one two", ["\U0001f600", "one two \U0001f600"], ["\U0001f600"]),
    ],
)
def test_what_is_new(known: str, heard: list[str], expected: list[str]) -> None:
    assert new(known, *heard) == expected


@pytest.mark.parametrize(
    ("known", "heard", "expected"),
    [
        # The first word is cut, and heard as another one, or as two.
        ("We went to the river today.", ["Vent to the river today.", "And then."], ["And then."]),
        (
            "We went to the river today.",
            ["ivor today and then home."],
            ["ivor today and then home."],
        ),
        # What is left of the sentence is nothing like it, but what follows is known.
        (
            "We all went to bed at night. The next day it rained.",
            ["Ight.", "The next day it rained.", "We stayed."],
            ["Ight.", "We stayed."],
        ),
        (
            "We all left. The next day it rained. We stayed at home.",
            ["Half deft.", "The next day, it rained.", "We stayed at home. So what?"],
            ["Half deft.", "So what?"],
        ),
        # A word is heard as another one, left out, or put in.
        ("It was a dark and stormy night.", ["It was the dark and stormy night."], []),
        ("It was a dark and stormy night.", ["It was a dark stormy night. Then."], ["Then."]),
        ("It was a dark and stormy night.", ["It was a dark, dark and stormy night."], []),
        # The last one may be new: rather twice than not at all.
        (
            "It was a dark and stormy night.",
            ["It was a dark and stormy knight. Then."],
            ["knight. Then."],
        ),
    ],
)
def test_what_is_not_heard_as_before(known: str, heard: list[str], expected: list[str]) -> None:
    assert new(known, *heard) == expected


@pytest.mark.parametrize(
    ("known", "heard", "expected"),
    [
        # Nothing tells whether that was said once more.
        ("no no no", ["No, no, no. Yes, we do."], ["No, no, no. Yes, we do."]),
        ("Well, no no no", ["Well, no, no, no. Yes, we do."], ["Yes, we do."]),
        ("oh no no no", ["Oh no, no, no, no, no."], ["no, no."]),
        ("Is it? No. No. No.", ["Is it?", "No.", "No.", "No.", "No."], ["No."]),
        (
            "A red one. Yes. A blue one. Yes. A green one.",
            ["A red one.", "Yes.", "A blue one.", "Yes.", "A green one.", "Yes."],
            ["Yes."],
        ),
        (
            "A red one. Hm. Yes. A blue one. Yes.",
            ["A red one.", "Yes.", "A blue one.", "Yes.", "Yes."],
            ["Yes."],
        ),
        (
            "I tell you and so on and so on",
            ["Tell you and so on and so on and so forth"],
            ["and so forth"],
        ),
    ],
)
def test_words_that_are_said_again_and_again(
    known: str, heard: list[str], expected: list[str]
) -> None:
    assert new(known, *heard) == expected


@pytest.mark.parametrize(
    ("known", "heard", "expected"),
    [
        ("今天天气很好。我们去公园", ["天气很好。我们去公园散步。"], ["散步。"]),
        ("今天天气很好。", ["今天天气很好。", "明天呢?"], ["明天呢?"]),
        ("我们用 Python 写代码", ["用Python写代码,很快。"], ["很快。"]),
        ("今天天气很好。", ["明日再说吧朋友们。"], ["明日再说吧朋友们。"]),
        ("오늘 날씨가 좋다", ["날씨가 좋다 그래서 간다"], ["그래서 간다"]),
        ("วันนี้อากาศดีมาก", ["อากาศดีมาก เราไปเที่ยวกัน"], ["เราไปเที่ยวกัน"]),
        ("caf\u00e9 ouvert demain", ["cafe\u0301 ouvert demain, merci"], ["merci"]),
    ],
)
def test_scripts_without_spaces(known: str, heard: list[str], expected: list[str]) -> None:
    assert new(known, *heard) == expected


def test_what_is_not_heard_again_is_not_waited_for() -> None:
    overlap = Overlap(split("Thank you very much. Good night."))
    assert overlap.remove("Nobody said anything like it.")
    assert overlap.remove("Thank you very much.") == "Thank you very much."


def test_looking_at_a_text_changes_nothing() -> None:
    overlap = Overlap(split("One two. Three four."))
    assert overlap.peek("One two") == ""
    assert overlap.peek("One two three four five") == "five"
    assert overlap.peek("Nobody said anything like it") == "Nobody said anything like it"
    assert overlap.peek("one two") == ""
    assert overlap.remove("One two three.") == ""
    assert overlap.peek("four five") == "five"
    assert overlap.remove("Four five.") == "five."
    assert overlap.peek("Three four") == "Three four"


sentences = st.lists(st.integers(1, 7), min_size=1, max_size=6)
separators = st.sampled_from([" ", ", ", ". ", "? ", " - "])


def cut(words: list[str], lengths: list[int]) -> list[list[str]]:
    """Sentences of such lengths, again and again, until there are no more words."""
    cuts, at, turn = [], 0, 0
    while at < len(words):
        cuts.append(words[at : at + lengths[turn % len(lengths)]])
        at += lengths[turn % len(lengths)]
        turn += 1
    return cuts


@given(st.data(), st.integers(2, 30), st.integers(0, 30), sentences, separators)
def test_from_wherever_it_is_heard_again_exactly_the_new_words_are_new(
    data: st.DataObject,
    known_words: int,
    new_words: int,
    lengths: list[int],
    separator: str,
) -> None:
    words = [f"w{number}" for number in range(known_words + new_words)]
    known = separator.join(words[:known_words])
    # One word alone is no proof, unless it is a sentence.
    begin = data.draw(st.integers(0, known_words - 2))
    heard = [separator.join(sentence) + "." for sentence in cut(words[begin:], lengths)]
    rest = " ".join(new(known, *heard))
    assert re.findall(r"w\d+", rest) == words[known_words:]


@given(st.data(), st.integers(8, 30), st.integers(0, 20), sentences)
def test_a_first_word_that_is_cut_costs_no_other(
    data: st.DataObject, known_words: int, new_words: int, lengths: list[int]
) -> None:
    words = [f"w{number}" for number in range(known_words + new_words)]
    begin = data.draw(st.integers(0, known_words - 4))
    again = [f"x{begin}", *words[begin + 1 :]]
    said = [" ".join(sentence) for sentence in cut(again, lengths)]
    heard = re.findall(r"[wx]\d+", " ".join(new(" ".join(words[:known_words]), *said)))
    assert [word for word in heard if word in words[known_words:]] == words[known_words:]
    # It may stay, and one more that was heard with it as a sentence of two.
    assert len(heard) <= new_words + 2


def test_sentences_that_are_like_none_of_the_known_ones_are_new_though_others_may_come() -> None:
    twice = "We went to the river. Then it rained. We stayed home."
    overlap = Overlap(split(f"{twice} Ent to the river. Then it rained. We stayed home."))
    again = ["Went to the river.", "Then it rained.", "We stayed home."]
    new = ["Nobody called.", "My sister made dinner.", "Good night."]
    assert [overlap.remove(text) for text in [*again, *new]] == ["", "", "", *new]
    assert overlap.peek("Nobody called") == "Nobody called"


def test_a_text_without_end_holds_nothing_up() -> None:
    known = [f"w{number} again" for number in range(100)]
    began_s = monotonic()
    overlap = Overlap(known)
    text = "w0 again " + "天" * 200_000
    assert overlap.peek(text) == text
    assert overlap.remove(text) == text
    # A moment; ten seconds, if all of it is laid over what is known.
    assert monotonic() - began_s < 5


def test_hours_that_are_heard_again_cost_little_for_each_sentence() -> None:
    draw = Random(1)
    words = [draw.choice("abcdefghij") * draw.randint(1, 9) for _ in range(8000)]
    said = [" ".join(sentence) for sentence in cut(words, [10])]
    began_s = monotonic()
    assert new(" ".join(f"{each}." for each in said), *said, "and so on") == ["and so on"]
    # A quarter of a second; half a minute, if each is laid over all the others.
    assert monotonic() - began_s < 10


@given(st.text(max_size=60), st.lists(st.text(max_size=40), max_size=6))
def test_whatever_is_heard_what_is_new_is_the_end_of_it(known: str, heard: list[str]) -> None:
    overlap = Overlap(split(known))
    for text in heard:
        assert text.endswith(overlap.peek(text))
        assert text.endswith(overlap.remove(text))


@given(st.text(max_size=40), st.text(max_size=40))
def test_without_a_word_in_common_all_is_new(known: str, heard: str) -> None:
    def keys(text: str) -> set[str]:
        # A letter is the same with an accent and without.
        bare = unicodedata.normalize("NFKD", text).casefold()
        return set(unicodedata.normalize("NFKD", bare))

    if not keys(known) & keys(heard):
        assert new(known, heard) == ([heard] if heard else [])
