import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.transcript.sanitize import sanitize

ANY_TEXT = st.text(st.characters(exclude_categories=()))
STEERING = st.sampled_from(
    [
        *("\x1b", "[", "]", "31m", "\x07", "\x1b\\", "\x9b", "\x9d", "\x9c", "P", ";", "0", "\n"),
        *("\u202e", "\u2066", "\ufeff", "\ud800", "word", " ", "你", "\x85", "\x7f", "\x00"),
        *("\U0001f3f4", "\U000e0067", "\U000e0041", "\U000e007f", "\x90", "\x98", "\x9e", "_", "^"),
    ]
)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;31;4mred\x1b[m.", "red."),
        ("\x9b31mred", "red"),
        ("\x1b[3\x001mred", "red"),
        ("\x1b[?25lhidden", "hidden"),
        ("\x1b[2J\x1b[Hhome", "home"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;a title\x9ctext", "text"),
        ("\x1bP1$r0m\x1b\\text", "text"),
        ("\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\text", "text"),
        ("\x1bcreset \x1b(Bset", "reset set"),
        ("ends in\x1b", "ends in"),
        ("ends in\x1b[", "ends in"),
        ("bell\x07 back\x08space del\x7fete", "bell backspace delete"),
        ("nul\x00 c1\x92 and\x9f", "nul c1 and"),
        (
            "one\ntwo\r\nthree\tfour\u2028five\u2029six\x85seven",
            "one two three four five six seven",
        ),
        ("\u202egnp.exe\u202c \u2066iso\u2069", "gnp.exe iso"),
        ("\ufeffmark\u200bs \ufdd0\uffff\U0010ffff", "marks "),
        ("\x90q\x9cone \x98two\x9c\x9ethree\x9c\x9ffour\x9c", "one "),
        ("l\u202ar\u202bl\u202do\u202ep\u202c", "lrlop"),
        ("\u2066i\u2067s\u2068o\u2069 \u206a\u206f", "iso "),
        ("a\u200bz\u2060w\u2064\ufeff", "azw"),
        ("hid\U000e0001\U000e0068\U000e0069\U000e007fden", "hidden"),
        (
            "\U0001f3f4\U000e0041\U000e007f \U0001f44d\U000e0067\U000e0062\U000e007f",
            "\U0001f3f4 \U0001f44d",
        ),
        ("lone \ud83d surrogate \ude00", "lone  surrogate "),
    ],
)
def test_what_steers_a_terminal_is_gone(given_text: str, shown: str) -> None:
    assert sanitize(given_text) == shown


def test_an_unfinished_control_string_swallows_no_words() -> None:
    assert sanitize("before \x1b]0;after it, words") == "before after it, words"
    assert sanitize("before \x9dafter") == "before after"


@pytest.mark.parametrize(
    "text",
    [
        "It was the best of times, it was the worst of times.",
        "naïve cafe\u0301",
        "今天天气很好。",
        "السلام عليكم \u200f(abc)\u200e",
        "نمی\u200cشود",
        "👩\u200d👩\u200d👧 ❤\ufe0f 🏴\U000e0067\U000e0062\U000e007f",
        "हिन्दी ไทย 한국어",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f 葛\U000e0100 ☺\ufe0e",
        "[31m and ]0; are only text",
        "a\u00a0b\u3000c",
    ],
)
def test_writing_is_left_alone(text: str) -> None:
    assert sanitize(text) == text


def is_safe(text: str) -> bool:
    return not any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or 0x202A <= ord(character) <= 0x202E
        or 0x2066 <= ord(character) <= 0x2069
        or ord(character) & 0xFFFE == 0xFFFE
        or (0xE0000 <= ord(character) <= 0xE007F and "\U0001f3f4" not in text)
        for character in text
    )


@given(ANY_TEXT | st.lists(STEERING).map("".join))
def test_nothing_unsafe_is_left_and_again_changes_nothing(text: str) -> None:
    once = sanitize(text)
    assert is_safe(once)
    assert sanitize(once) == once
    assert json.loads(json.dumps(once, ensure_ascii=False).encode()) == once


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Mn", "Mc"))))
def test_letters_numbers_and_marks_all_stay(text: str) -> None:
    assert sanitize(text) == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "unit",
    ["\x1b]", "\x9d", "\x1b[", "\x1b]0;", "\n ", "\x1bP0", "\x1b\x9d1", "\U0001f3f4\U000e0067"],
)
def test_hostile_text_takes_time_in_proportion(unit: str) -> None:
    assert is_safe(sanitize(unit * 300_000))
