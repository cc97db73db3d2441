from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.model.report import Ended, EndReason, Heard, Interim, Notice
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.caption import Caption, CaptionRow
from sayd_cli.render.wrapping import cells, clusters, separator, wrap

ENDED = Ended(EndReason.EOF, 1.0, 1, 1)

# Letters, spaces, wide, combining, joined, right to left, Hangul, punctuation of both kinds.
_TEXTS = st.text(
    alphabet="ab -.,我们好\u3002\uff0c\uff08\uff09\u300c\u300d\u0301\u0e33\u05e9\u0644\ud55c\uae00"
    "\U0001f468\u200d\U0001f469\U0001f3fd\U0001f1e9\U0001f1ea\ufe0f",
    max_size=120,
)


def heard(text: str) -> Heard:
    return Heard(Sentence(0, text, 0.0, 1.0))


def interim(text: str) -> Interim:
    return Interim(text, 0.0, 1.0)


def rows(text: str, columns: int) -> list[str]:
    return [text[row] for row in wrap(text, columns)]


def texts(caption: Caption) -> list[str]:
    return [row.text for row in caption.rows]


def width(text: str) -> int:
    return sum(map(cells, clusters(text)))


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("", 10, []),
        ("   ", 10, []),
        ("the quick brown fox", 10, ["the quick", "brown fox"]),
        ("  the   quick  brown ", 11, ["the   quick", "brown"]),
        ("a donaudampfschiff b", 8, ["a", "donaudam", "pfschiff", "b"]),
        ("我们今天讨论", 6, ["我们今", "天讨论"]),
        ("我们今天讨论", 7, ["我们今", "天讨论"]),
        ("今天很好。明天", 8, ["今天很", "好。明天"]),
        ("他说「你好」吧", 6, ["他说", "「你", "好」吧"]),
        ("今天用 Python 写", 8, ["今天用", "Python", "写"]),
        ("대한민국 만세", 10, ["대한민국", "만세"]),
        ("10\u00a0% of it", 6, ["10\u00a0%", "of it"]),
    ],
)
def test_rows_break_where_their_script_allows(text: str, columns: int, expected: list[str]) -> None:
    assert rows(text, columns) == expected


@pytest.mark.parametrize(
    ("cluster", "columns"),
    [
        ("e\u0301", 1),
        ("我", 2),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 2),
        ("\U0001f44d\U0001f3fd", 2),
        ("\U0001f1e9\U0001f1ea", 2),
        ("\u0644\u064e", 1),
    ],
)
def test_a_cluster_is_one_character_to_readers(cluster: str, columns: int) -> None:
    assert list(clusters(f"a{cluster}b")) == ["a", cluster, "b"]
    assert cells(cluster) == columns


@given(_TEXTS, st.integers(2, 12))
def test_rows_fit_lose_nothing_and_cut_no_cluster(text: str, columns: int) -> None:
    whole = rows(text, columns)
    assert all(width(row) <= columns for row in whole)
    assert all(" " not in (next(clusters(row)), list(clusters(row))[-1]) for row in whole)
    assert "".join(whole).replace(" ", "") == text.replace(" ", "")
    ends = {0}
    for cluster in clusters(text):
        ends.add(max(ends) + len(cluster))
    assert all(row.start in ends and row.stop in ends for row in wrap(text, columns))


@given(_TEXTS, _TEXTS, st.integers(2, 12))
def test_what_is_added_moves_no_row_but_the_last(text: str, more: str, columns: int) -> None:
    before = rows(text, columns)[:-1]
    assert rows(f"{text} {more}", columns)[: len(before)] == before


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "Hello", ""),
        ("Hello.", "There", " "),
        ("你好。", "我们", ""),
        ("你好。", "Hello", " "),
        ("안녕", "하세요", " "),
        ("שלום", "לך", " "),
    ],
)
def test_sentences_are_separated_as_their_scripts_are(
    before: str, after: str, expected: str
) -> None:
    assert separator(before, after) == expected


def test_interim_text_follows_final_text_and_can_be_told_from_it() -> None:
    caption = Caption(columns=10)
    assert texts(caption) == []
    assert caption.take(heard("Good day."))
    assert caption.take(interim("to you all"))
    assert caption.rows == (CaptionRow("Good day.", ""), CaptionRow("", "to you all"))
    caption.take(interim("I"))
    assert caption.rows == (CaptionRow("Good day.", ""), CaptionRow("", "I"))


def test_a_row_can_be_final_and_interim() -> None:
    caption = Caption(columns=12)
    caption.take(heard("Good day."))
    caption.take(interim("To you"))
    assert caption.rows == (CaptionRow("Good day.", " To"), CaptionRow("", "you"))


def test_final_rows_roll_up() -> None:
    caption = Caption(lines=2, columns=10)
    for word in ("one", "two", "three", "four", "five"):
        caption.take(heard(word))
    assert texts(caption) == ["three four", "five"]


@given(st.lists(_TEXTS, max_size=8), _TEXTS, st.integers(1, 4), st.integers(2, 12))
def test_rows_are_the_last_of_all_that_was_said(
    sentences: list[str], last: str, lines: int, columns: int
) -> None:
    caption = Caption(lines, columns)
    for sentence in sentences:
        caption.take(heard(sentence))
    caption.take(interim(last))
    said = "".join(sentence.text for sentence in caption.sentences) + caption.interim
    assert texts(caption) == rows(said, columns)[-lines:]
    assert all(row.text for row in caption.rows)


def test_final_text_stays_where_its_interim_text_was() -> None:
    caption = Caption(lines=3, columns=12)
    caption.take(heard("Good day."))
    caption.take(interim("To all of you"))
    before = texts(caption)
    caption.take(heard("To all of you"))
    assert texts(caption) == before
    assert all(row.interim == "" for row in caption.rows)


def test_sentences_are_numbered_and_joined_as_they_were_said() -> None:
    caption = Caption()
    caption.take(heard("你好。"))
    caption.take(heard("我们。"))
    caption.take(heard("Hello."))
    caption.take(interim("there"))
    assert [sentence.index for sentence in caption.sentences] == [0, 1, 2]
    assert [sentence.text for sentence in caption.sentences] == ["你好。", "我们。", " Hello."]
    assert caption.interim == " there"


def test_a_cleared_caption_begins_a_row_and_counts_on() -> None:
    caption = Caption()
    caption.take(heard("Before."))
    caption.take(interim("so"))
    assert caption.clear()
    assert not caption.clear()
    assert not caption.rows
    assert not caption.sentences
    assert not caption.take(interim("so"))
    assert texts(caption) == []
    caption.take(heard("so be it"))
    assert texts(caption) == ["so be it"]
    assert [sentence.index for sentence in caption.sentences] == [1]
    assert caption.take(interim("so"))


def test_only_what_changes_the_caption_is_a_change() -> None:
    caption = Caption()
    assert not caption.take(interim(""))
    assert not caption.take(Notice("a notice"))
    assert caption.take(interim("so"))
    assert not caption.take(interim("so"))
    assert caption.take(interim(""))
    assert not caption.take(interim(""))


def test_the_end_leaves_what_is_final() -> None:
    caption = Caption()
    caption.take(heard("So."))
    caption.take(interim("and"))
    assert caption.take(ENDED)
    assert texts(caption) == ["So."]
    assert not caption.take(ENDED)


def test_however_much_is_said_little_is_kept() -> None:
    caption = Caption()
    caption.take(interim("word " * 200_000))
    assert len(caption.interim) <= 1500
    assert texts(caption)[-1].endswith("word")
    for _ in range(3):
        caption.take(heard("e\u0301" * 500_000))
    assert sum(len(sentence.text) for sentence in caption.sentences) <= 1501
    assert all(not sentence.text.lstrip().startswith("\u0301") for sentence in caption.sentences)
    for number in range(10_000):
        caption.take(heard(f"Sentence {number}."))
    assert caption.sentences[-1].index == 10_002
    assert len(caption.sentences) < 200
    assert texts(caption)[-1].endswith("9999.")
