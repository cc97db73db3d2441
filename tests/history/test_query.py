from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayd_cli.history.query import Query, find, indexed, parse_query
from sayd_cli.model.match import Span
from sayd_cli.transcript.words import words_of


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("It's the BEST of times.", "it s the best of times"),
        ("Ünïcödé CAFE\u0301 Straße", "unicode cafe strasse"),
        ("İstanbul ﬁne \uff21\uff22\uff11", "istanbul fine ab1"),
        ("今天天气很好。", "今 天 天 气 很 好"),
        ("我用GPT-4做 demo。", "我 用 gpt 4 做 demo"),
        ("がんばれ ｶﾒﾗ", "が ん ば れ カ メ ラ"),
        ("서울에서", "서 울 에 서"),
        ("हिन्दी में", "हिन्दी में"),
        ("Йод", "иод"),
        ("co\u00adoperate", "cooperate"),
        ("snake_case a\x00b", "snake case a b"),
        ("⑴ ½ x²", "1 12 x2"),
        ("❤️ … — ' \" * ( 。", ""),
        ("", ""),
        ("\u0301 \u200d", ""),
    ],
)
def test_the_words_of_a_text(text: str, index: str) -> None:
    assert indexed(text) == index


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("best times", (("best",), ("times",))),
        ('"the best" of', (("the", "best"), ("of",))),
        ("天气", (("天", "气"),)),
        ("天", (("天",),)),
        ("GPT模型", (("gpt", "模", "型"),)),
        ("don't", (("don", "t"),)),
        ("word WORD Wörd", (("word",),)),
        ('an "unclosed phrase', (("an",), ("unclosed",), ("phrase",))),
        ('a"b c"d', (("a",), ("b", "c"), ("d",))),
        ("this AND NOT that*", (("this",), ("and",), ("not",), ("that",))),
        ("text:word ^word -word", (("text", "word"), ("word",))),
        ('"" * ( "  " -', ()),
        ("", ()),
    ],
)
def test_a_query(query: str, phrases: tuple[tuple[str, ...], ...]) -> None:
    assert parse_query(query) == Query(phrases)


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("best", "The best, the BEST of times", ["best", "BEST"]),
        ("cafe", "Ein Cafe\u0301 und ein Café", ["Cafe\u0301", "Café"]),
        ("天气", "今天天气很好。天气预报", ["天气", "天气"]),
        ("天", "天天", ["天", "天"]),
        ("天天 天气", "今天天气", ["天天气"]),
        ('"of times" best', "the best of times", ["best", "of times"]),
        ('"best times"', "the best of times", []),
        ("best worst", "the best of times", []),
        ("time", "the best of times", []),
        ("don't", "I don\u2019t", ["don\u2019t"]),
        ("", "anything", []),
    ],
)
def test_where_it_is_found(query: str, text: str, marked: list[str]) -> None:
    spans = find(parse_query(query), text)
    assert [text[span.start : span.end] for span in spans] == marked


TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("abcAÉé今天气 \"'*-\u0301\u200dﬁ⑴")))


@given(TEXTS)
@example("ﷺ")
def test_words_are_what_an_index_can_part_at_spaces(text: str) -> None:
    there = list(words_of(text))
    assert indexed(text).split(" ") == ([word.folded for word in there] or [""])
    end = 0
    for word in there:
        assert word.folded
        assert all(character.isalnum() or is_mark(character) for character in word.folded)
        assert end <= word.span.start < word.span.end <= len(text)
        end = word.span.end


def is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


@given(TEXTS, st.data())
def test_what_was_said_is_found_where_it_was_said(text: str, data: st.DataObject) -> None:
    there = list(words_of(text))
    if not there:
        assert find(parse_query(text), text) == ()
        return
    first = data.draw(st.integers(0, len(there) - 1))
    last = data.draw(st.integers(first, len(there) - 1))
    part = text[there[first].span.start : there[last].span.end].replace('"', " ")
    found = find(parse_query(f'"{part}"'), text)
    wanted = Span(there[first].span.start, there[last].span.end)
    assert any(span.start <= wanted.start and wanted.end <= span.end for span in found)
    assert list(found) == sorted(found, key=lambda span: span.start)
    assert all(a.end <= b.start for a, b in pairwise(found))
