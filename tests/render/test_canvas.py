"""The screen of the live view, drawn step by step: whatever comes, in whatever order."""

from __future__ import annotations

import io
import math
import os
import unicodedata
from collections.abc import Sequence

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayd_cli.model.report import Heard, Interim, Notice, Phase, Progress, Report
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.canvas import Canvas
from sayd_cli.render.view import View
from tests.render.screen import Screen

# Letters, wide, combining, joined, right to left, a lone mark, what steers, what is no character.
_ALPHABET = st.sampled_from(
    [
        *("a", "word", "supercalifragilistic", " ", " ", ". ", "-", "[red]", "\u00a0"),
        *("我", "们今天", "。", "\uff08", "e\u0301", "\u0e01\u0e33", "\u0915\u094d\u0937\u093f"),
        *("\u05e9\u05dc\u05d5\u05dd ", "\u0645\u0631\u062d\u0628\u0627", "\u200f", "\u0301"),
        *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "❤\ufe0f"),
        *("\U0001f1e9\U0001f1ea", "\u1112\u1161\u11ab", "한국어"),
        *("\x1b[2J", "\x1b]0;title\x07", "\x9b5A", "\u202e", "\u2066", "\r", "\n", "\b", "\ud800"),
    ]
)
_TEXTS = st.builds(lambda parts, times: "".join(parts) * times, st.lists(_ALPHABET), st.just(1)) | (
    st.builds(
        lambda parts, times: "".join(parts) * times,
        st.lists(_ALPHABET, min_size=1, max_size=5),
        st.integers(2, 200),
    )
)
_SIZES = st.builds(
    lambda columns, rows: os.terminal_size((columns, rows)),
    st.integers(20, 200),
    st.integers(3, 60),
)
_REPORTS = st.one_of(
    _TEXTS.map(lambda text: Interim(text, 0.0, 1.0)),
    _TEXTS.map(lambda text: Heard(Sentence(0, text, 0.0, 1.0))),
    _TEXTS.map(Notice),
    st.builds(
        Progress, st.sampled_from(Phase), st.floats(0, 1e5), st.floats(0, 1e5), st.floats(-99, 0)
    ),
)


class Terminal(io.StringIO):
    """A terminal without a system between: what is written is on its screen at once."""

    def __init__(
        self,
        size: os.terminal_size,
        *,
        reflows: bool = True,
        is_tmux: bool = False,
        is_wide: bool = False,
    ) -> None:
        super().__init__()
        self.screen = Screen(
            size.columns, size.lines, reflows=reflows, is_tmux=is_tmux, is_wide=is_wide
        )
        self.size = size
        self.writes = 0
        self._feed = pyte.Stream(self.screen)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes += bool(text)
        self._feed.feed(text.replace("\n", "\r\n"))
        return len(text)

    def resize(self, size: os.terminal_size) -> None:
        self.size = size
        self.screen.resize(size.lines, size.columns)


class Shown:
    """A run as it is shown."""

    def __init__(
        self,
        size: os.terminal_size,
        *,
        reflows: bool = True,
        is_tmux: bool = False,
        is_wide: bool = False,
    ) -> None:
        self.terminal = Terminal(size, reflows=reflows, is_tmux=is_tmux, is_wide=is_wide)
        self.view = View(BackendName.LOCAL)
        with pytest.MonkeyPatch.context() as patch:
            if is_tmux:
                patch.setenv("TERM", "tmux-256color")
            self._canvas = Canvas(self.terminal)

    @property
    def rows(self) -> list[str]:
        return self.terminal.screen.shown()

    def take(self, *reports: Report) -> None:
        for report in reports:
            self.view.take(report)
        staying = [report for report in reports if isinstance(report, Heard | Notice)]
        size = self.terminal.size
        self._canvas.draw(staying, self._canvas.rows(self.view, size), size)

    def leave(self) -> None:
        self._canvas.leave([], self.terminal.size)

    def renew(self) -> None:
        self._canvas.renew()


def heard(text: str) -> Heard:
    return Heard(Sentence(0, text, 0.0, 1.0))


def interim(text: str) -> Interim:
    return Interim(text, 0.0, 1.0)


def size(columns: int, rows: int) -> os.terminal_size:
    return os.terminal_size((columns, rows))


def visible(texts: Sequence[str]) -> str:
    """What is seen of them, wherever it is wrapped."""
    joined = unicodedata.normalize("NFC", "".join(texts))
    return "".join(character for character in joined if not character.isspace())


def safe(text: str) -> str:
    for steering in ("\x1b[2J", "\x1b]0;title\x07", "\x9b5A", *"\u202e\u2066\r\n\b\ud800"):
        text = text.replace(steering, "")
    return text


def numbered(number: int, report: Report) -> Report:
    match report:
        case Heard():
            return heard(f"<{number}>{report.sentence.text}")
        case Notice():
            return Notice(f"<{number}>{report.text}")
        case Interim():
            return interim(f"interim {report.text}")
        case _:
            return report


@settings(max_examples=150, deadline=None)
@given(_SIZES, st.lists(_REPORTS | _SIZES, max_size=25), st.booleans())
@example(size(200, 24), [interim("word " * 999), size(20, 24), size(200, 3), size(20, 60)], True)
@example(size(80, 24), [heard("word " * 999), interim("我" * 999), size(21, 5)], False)
def test_what_is_final_is_there_once_in_order_and_nothing_else(
    begins: os.terminal_size, steps: list[Report | os.terminal_size], reflows: bool
) -> None:
    shown = Shown(begins, reflows=reflows)
    texts: list[str] = []
    for number, step in enumerate(steps):
        if isinstance(step, os.terminal_size):
            shown.terminal.resize(step)
            continue
        report = numbered(number, step)
        before = shown.terminal.writes
        shown.take(report)
        assert shown.terminal.writes == before + 1
        assert shown.terminal.screen.cursor.hidden
        columns, lines = shown.terminal.size
        status = shown.view.rows(columns=columns, height=1)[0].plain
        assert shown.rows[-1] == unicodedata.normalize("NFC", status)
        assert len(shown.rows) <= lines
        if isinstance(report, Heard | Notice):
            text = report.text if isinstance(report, Notice) else report.sentence.text
            texts.append(safe(text))
    shown.leave()
    assert not shown.terminal.screen.cursor.hidden
    assert visible(shown.terminal.screen.scrolled()) == visible(texts)


UNEVEN = ("我a我我我我我我我我" * 3 + "我") * 6
"""Rows of 59 cells, of which each row of 20 takes but 19."""

_TMUX_SIZES = _SIZES.filter(lambda size: size.lines > 2 * math.ceil(size.columns / 19))


@settings(max_examples=150, deadline=None)
@given(_TMUX_SIZES, st.lists(_REPORTS | _TMUX_SIZES, max_size=25))
@example(size(80, 24), [interim("word " * 999), size(20, 24), heard("One."), size(80, 24)])
@example(size(80, 24), [interim("a" + "我" * 999), size(21, 24), size(20, 24), heard("One.")])
@example(size(60, 25), [interim("a" * 52 + UNEVEN), size(20, 25), heard("One.")])
@example(size(60, 14), [interim("word " * 99), size(60, 20), size(40, 14), size(20, 9)])
def test_tmux_keeps_what_is_final_once_in_order_and_nothing_else_however_it_is_resized(
    begins: os.terminal_size, steps: list[Report | os.terminal_size]
) -> None:
    shown = Shown(begins, is_tmux=True)
    texts: list[str] = []
    for number, step in enumerate(steps):
        if isinstance(step, os.terminal_size):
            shown.terminal.resize(step)
            assert "interim" not in visible(shown.terminal.screen.kept())
            continue
        report = numbered(number, step)
        shown.take(report)
        columns, lines = shown.terminal.size
        status = shown.view.rows(columns=columns, height=1)[0].plain
        assert shown.rows[-1] == unicodedata.normalize("NFC", status)
        assert len(shown.rows) == lines
        if isinstance(report, Heard | Notice):
            text = report.text if isinstance(report, Notice) else report.sentence.text
            texts.append(safe(text))
    shown.leave()
    assert visible(shown.terminal.screen.scrolled()) == visible(texts)


def test_under_tmux_what_goes_on_stands_at_the_bottom_and_sentences_at_the_top() -> None:
    shown = Shown(size(40, 10), is_tmux=True)
    shown.take(heard("One."), interim("and then"))
    assert shown.rows[:2] == ["One.", ""]
    assert shown.rows[2:8] == [""] * 6
    assert shown.rows[8] == "and then"
    assert shown.terminal.screen.cursor.y == 1
    for number in range(20):
        shown.take(heard(f"Sentence {number}."), interim("word " * number))
        assert shown.terminal.screen.cursor.hidden
    # 3 of 10 rows, which fit on 10 when 20 columns are left.
    assert shown.rows[-5:-2] == ["Sentence 19.", "", "… word word word word word word word"]
    shown.take(interim(""))
    assert shown.rows[-5:-1] == ["Sentence 19.", "", "", ""]
    shown.leave()
    assert shown.terminal.screen.scrolled() == [
        "One.",
        *(f"Sentence {number}." for number in range(20)),
    ]
    assert shown.rows[-1] == "Sentence 19."


@pytest.mark.parametrize("lines", [1, 2, 3, 5])
def test_of_rows_too_many_for_a_screen_that_tells_of_its_size_late_none_scrolls(lines: int) -> None:
    shown = Shown(size(40, 20), is_tmux=True)
    shown.take(heard("One."), interim("word " * 99))
    shown.terminal.screen.resize(lines, 40)
    shown.take(heard("Two."))
    shown.take(interim("word " * 99))
    shown.terminal.resize(size(40, lines))
    shown.take(heard("Three."))
    shown.leave()
    assert visible(shown.terminal.screen.scrolled()) == "One.Two.Three."


@given(_TEXTS, st.integers(20, 200))
def test_no_row_is_wider_than_the_screen(text: str, columns: int) -> None:
    # A terminal that would cut rows off, or wrap them, shows them as they are.
    shown = Shown(size(columns, 60))
    shown.take(interim(f"a{text}"))
    rows = shown.view.rows(columns=columns, height=29)
    expected = ["", *(row.plain for row in rows)]
    assert [visible([row]) for row in shown.rows] == [visible([row]) for row in expected]


@pytest.mark.parametrize("columns", [20, 21])
def test_a_wide_character_that_does_not_fit_goes_whole_to_the_next_row(columns: int) -> None:
    shown = Shown(size(columns, 24))
    shown.take(heard("a" + "我" * 30))
    assert shown.rows[0] == "a" + "我" * ((columns - 1) // 2)
    assert visible(shown.rows[:-2]) == "a" + "我" * 30


def test_what_terminals_find_of_different_width_is_given_the_most() -> None:
    shown = Shown(size(20, 24))
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    shown.take(interim(f"{family} {family} {family} {family}"))
    assert shown.rows[1:-1] == [f"{family} {family} {family}", family]


def test_right_to_left_text_is_written_as_it_is_and_on_rows_of_its_own() -> None:
    shown = Shown(size(40, 24))
    words = "שלום לך \u0645\u0631\u062d\u0628\u0627"
    shown.take(heard(words), interim(words), Progress(Phase.LISTENING, 1.0, 1.0))
    assert shown.rows == [words, "", words, shown.rows[3]]
    assert shown.rows[3].startswith("● listening")


def test_words_that_have_settled_are_bright() -> None:
    shown = Shown(size(80, 24))
    shown.take(interim("it was the"))
    assert shown.terminal.screen.dim().startswith("it was the")
    shown.take(interim("it was the best"))
    assert shown.terminal.screen.dim().startswith(" best")
    shown.take(interim("it was an age"))
    assert shown.terminal.screen.dim().startswith("an age")
    shown.take(heard("it was"), interim("it was"))
    assert shown.terminal.screen.dim().startswith("it was")


def test_what_has_settled_stays_bright_where_only_the_newest_is_shown() -> None:
    words = [f"word{number:03d}" for number in range(200)]
    shown = Shown(size(40, 12))
    shown.take(interim(" ".join(words[:199])))
    shown.take(interim(" ".join(words)))
    assert shown.rows[1].startswith("… word")
    assert shown.terminal.screen.dim().replace(" ", "").startswith("…word199")


def test_rows_of_a_long_text_stay_while_words_come_after_them() -> None:
    words = [f"word{number:03d}" for number in range(300)]
    shown = Shown(size(40, 24))
    moved = 0
    before: list[str] = []
    for count in range(100, 300):
        shown.take(interim(" ".join(words[:count])))
        rows = [row[2:] for row in shown.rows[1:-2]]
        moved += not set(before[1:]) <= set(rows)
        before = rows
    assert moved <= 4


def test_others_may_use_the_screen_between() -> None:
    shown = Shown(size(80, 24))
    shown.take(heard("One."), interim("and then"))
    shown.terminal.write("\x1b[?25hothers\n")
    shown.renew()
    shown.take(heard("Two."))
    assert shown.terminal.screen.cursor.hidden
    assert shown.rows[:2] == ["One.", "others"]
    shown.leave()
    assert shown.rows == ["One.", "others", "Two."]


def test_rows_that_a_terminal_finds_too_wide_are_cut_and_leave_nothing() -> None:
    shown = Shown(size(40, 10), is_wide=True)
    for number in range(20):
        shown.take(Progress(Phase.LISTENING, 1.0, 1.0, -10.0, -5.0), interim("·" * 200))
        assert len(shown.rows) <= 5 + number
        shown.take(heard(f"Sentence {number}."))
    shown.leave()
    assert shown.terminal.screen.scrolled() == [f"Sentence {number}." for number in range(20)]
