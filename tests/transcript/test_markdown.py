"""Markdown, read back by markdown-it-py with tables and strikethrough, as GitHub has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from sayd_cli.model.audio import GapReason
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Gap, Heard, Interim, Notice, Report
from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.formats import Format, encoder
from sayd_cli.transcript.markdown import MarkdownEncoder
from tests.transcript.reports import ANY_TEXT, REPORTS, SENTENCES, SPEECH
from tests.transcript.test_formats import STARTED

ZONE = timezone(timedelta(hours=1))
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def written(*reports: Report, timestamps: bool = False, title: str = "") -> str:
    write = MarkdownEncoder(timestamps=timestamps, title=title, zone=ZONE)
    return "".join(write.report(report) for report in (STARTED, *reports))


def heard(
    text: str, start_s: float, end_s: float, *, approximate: bool = False, unconfirmed: bool = False
) -> Heard:
    return Heard(
        Sentence(0, text, start_s, end_s, approximate=approximate, unconfirmed=unconfirmed)
    )


NOTES: list[Report] = [
    heard("It was the best of times.", 1.0, 3.0),
    heard("It was the worst of times.", 4.9, 6.0, approximate=True),
    heard("And then?", 8.0, 9.0, approximate=True),
    Gap(9.5, 60.0, GapReason.PAUSE),
    Interim("hm", 60.0, 61.0),
    Notice("a notice"),
    heard("On we go", 60.5, 61.0, unconfirmed=True),
]


def test_notes() -> None:
    assert written(*NOTES, title="Monday") == (
        "# Monday\n"
        "\n"
        "*2026-03-04 06:06 (UTC+0100)*\n"
        "\n"
        "It was the best of times.\n"
        "It was the worst of times.\n"
        "\n"
        "And then?\n"
        "\n"
        "---\n"
        "\n"
        "*Not heard: 00:00:09.5 to 00:01:00.0, paused.*\n"
        "\n"
        "On we go *\\[unconfirmed\\]*\n"
    )


def test_with_times_each_paragraph_begins_with_one() -> None:
    lines = written(*NOTES, timestamps=True).splitlines()
    assert lines[0] == "# Transcript"
    assert lines[4:6] == ["`00:00:01.0` It was the best of times.", "It was the worst of times."]
    assert lines[7] == "`~00:00:08.0` And then?"
    assert lines[-1] == "`00:01:00.5` On we go *\\[unconfirmed\\]*"


@pytest.mark.parametrize("reason", list(GapReason))
def test_every_gap_is_told(reason: GapReason) -> None:
    text = written(Gap(1, 2, reason))
    assert "\n\n---\n\n*Not heard: 00:00:01.0 to 00:00:02.0, " in text


def test_a_past_session() -> None:
    summary = SessionSummary("s-1", STARTED.started_at, "en", 63.2, "Tuesday")
    sentences = tuple(note.sentence for note in NOTES if isinstance(note, Heard))
    record = SessionRecord(summary, sentences)
    text = MarkdownEncoder(zone=ZONE).record(record)
    assert text.startswith("# Tuesday\n\n*2026-03-04 06:06 (UTC+0100)*\n\nIt was the best")
    assert text.endswith("And then?\n\nOn we go *\\[unconfirmed\\]*\n")
    assert encoder(Format.MD, title="Other").record(record).startswith("# Other\n")
    bare = SessionRecord(SessionSummary("s-2"), sentences[:1])
    assert encoder(Format.MD).record(bare) == "# Transcript\n\nIt was the best of times.\n"


def said(tokens: list[Token]) -> list[str]:
    """The paragraphs, as a reader sees them; fails where anything but text is in them."""
    found = []
    for token in tokens:
        if token.type == "inline":
            assert token.children is not None
            assert {child.type for child in token.children} <= {"text", "softbreak"}
            found.append("".join(child.content or "\n" for child in token.children))
        else:
            assert token.type in ("paragraph_open", "paragraph_close")
    return found


@given(st.lists(SPEECH, min_size=1, max_size=4))
def test_whatever_is_said_is_text(texts: list[str]) -> None:
    write = encoder(Format.MD)
    lines = "".join(write.report(heard(text, 0.0, 1.0)) for text in texts)
    heading, _, rest = lines.partition("\n")
    assert heading == "# Transcript"
    paragraphs = said(READER.parse(rest))
    assert len(paragraphs) <= 1
    shown = "".join(paragraphs).split("\n")
    assert [" ".join(text.split()) for text in texts if text.split()] == shown
    assert "](" not in rest.replace("\\]", "")


@given(ANY_TEXT)
def test_a_title_stays_a_title(title: str) -> None:
    heading, *_ = READER.parse(written(title=title))
    assert (heading.type, heading.tag) == ("heading_open", "h1")
    assert len(READER.parse(written(title=title))) == 6


@given(st.lists(REPORTS, max_size=8))
def test_what_is_there_stays_what_it_was(reports: list[Report]) -> None:
    write = encoder(Format.MD, timestamps=True)
    text = write.report(STARTED)
    for report in reports:
        before, text = text, text + write.report(report)
        assert READER.render(text).startswith(READER.render(before).removesuffix("</p>\n"))
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


@pytest.mark.parametrize(
    "text",
    [
        *("# no", "- no", "+ no", "* no", "> no", "1. no", "12) no", "---", "===", "```", "~~~"),
        *("<script>", "&copy;", "[a](b)", "![a](b)", "[a]: b", "**no**", "_no_", "`no`", "~~no~~"),
        *("| a |", ":-:", "|-|", "<https://a.b>", "\\", "a\\", "<!-- no", "$x$"),
    ],
)
def test_mark_up_is_text(text: str) -> None:
    for lines in ([text], ["Before.", text], [text, "After."], ["a | b", text]):
        write = MarkdownEncoder(title="x")
        write.report(heard("Head.", 0, 1))
        rest = "".join(write.report(heard(line, 1, 1)) for line in lines)
        assert said(READER.parse(f"Head.\n{rest}")) == ["\n".join(["Head.", *lines])]


def test_addresses_do_not_become_links_unasked() -> None:
    text = written(heard("See https://example.org, www.example.org or a@example.org.", 0, 1))
    assert "https\\://example.org, www\\.example.org or a\\@example.org." in text


@given(SENTENCES)
def test_a_sentence_is_one_line(sentence: Sentence) -> None:
    write = encoder(Format.MD)
    write.report(Heard(replace(sentence, text="One.", start_s=0.0, end_s=1.0)))
    line = write.report(Heard(replace(sentence, start_s=1.0, end_s=2.0)))
    assert line.count("\n") == bool(line)
