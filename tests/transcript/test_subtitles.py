"""Subtitles, read back by libraries other than the one that writes them: webvtt-py reads both
formats. Of pysubs2, which writes, only what it would stumble over itself is asked."""
# ruff: noqa: RUF001

from __future__ import annotations

import html
import io
import re
from dataclasses import replace
from itertools import pairwise

import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sayd_cli.model.audio import GapReason
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Gap, Heard, Interim, Notice, Report
from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.formats import Format, encoder
from tests.transcript.reports import REPORTS, SENTENCES
from tests.transcript.test_formats import STARTED

BOTH = pytest.mark.parametrize("format_", [Format.SRT, Format.VTT])
LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity."
)


def written(format_: Format, *reports: Report) -> str:
    write = encoder(format_, timestamps=True, interim=True, title="A title")
    return "".join(write.report(report) for report in (STARTED, *reports))


def sentence(text: str, start_s: float = 1.0, end_s: float = 4.0) -> Heard:
    return Heard(Sentence(0, text, start_s, end_s))


def cues(format_: Format, text: str) -> list[tuple[int, int, list[str]]]:
    """Start and end in milliseconds, and the lines as a viewer reads them."""
    if format_ is Format.SRT:
        if not text:
            return []
        read = webvtt.WebVTT.from_buffer(io.BytesIO(text.encode()), format="srt").captions
        return [(ms(cue.start), ms(cue.end), cue.raw_text.split("\n")) for cue in read]
    read = webvtt.WebVTT.from_string(text, strict=True).captions
    lines = [re.sub("<[^>]*>", "", cue.raw_text).split("\n") for cue in read]
    return [
        (ms(cue.start), ms(cue.end), [html.unescape(line) for line in block])
        for cue, block in zip(read, lines, strict=True)
    ]


def ms(timestamp: str) -> int:
    hours, minutes, seconds = timestamp.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000)


def test_srt() -> None:
    text = written(Format.SRT, sentence("Hello there."), sentence("Bye.", 4.5, 5.25))
    assert text == (
        "1\n00:00:01,000 --> 00:00:04,000\nHello there.\n\n"
        "2\n00:00:04,500 --> 00:00:05,250\nBye.\n\n"
    )


def test_vtt() -> None:
    text = written(Format.VTT, sentence("Hello there."), sentence("Bye.", 4.5, 5.25))
    assert text == (
        "WEBVTT\n\n"
        "1\n00:00:01.000 --> 00:00:04.000\nHello there.\n\n"
        "2\n00:00:04.500 --> 00:00:05.250\nBye.\n\n"
    )


def test_vtt_has_its_header_before_the_first_sentence_and_once() -> None:
    write = encoder(Format.VTT)
    assert [write.report(report) for report in (Notice("a"), STARTED, STARTED)] == [
        "",
        "WEBVTT\n\n",
        "",
    ]
    assert encoder(Format.VTT).report(sentence("Hello.")).startswith("WEBVTT\n\n1\n")


@BOTH
def test_other_reports_add_nothing(format_: Format) -> None:
    write = encoder(format_, interim=True)
    write.report(STARTED)
    assert write.report(Interim("hm", 0, 1)) == ""
    assert write.report(Gap(1, 2, GapReason.DEVICE)) == ""


@BOTH
def test_a_long_sentence_becomes_captions_of_two_lines_by_its_lengths(format_: Format) -> None:
    read = cues(format_, written(format_, sentence(LONG, 10.0, 20.0)))
    assert [block for _, _, block in read] == [
        ["It was the best of times, it was the", "worst of times, it was the age of"],
        ["wisdom, it was the age of foolishness,", "it was the epoch of belief, it was the"],
        ["epoch of incredulity."],
    ]
    assert [start for start, _, _ in read] + [read[-1][1]] == [10_000, 14_156, 18_734, 20_000]


@BOTH
def test_chinese_is_cut_by_width_and_not_before_a_comma(format_: Format) -> None:
    text = "今天天气很好我们去公园散步吧（散步，然后再去吃饭看电影）。"
    (read,) = cues(format_, written(format_, sentence(text)))
    assert read[2] == ["今天天气很好我们去公园散步吧", "（散步，然后再去吃饭看电影）。"]
    # Lines of equal length would have the comma at the beginning of the second.
    (read,) = cues(format_, written(format_, sentence("二" * 18 + "，" + "二" * 17)))
    assert read[2] == ["二" * 18 + "，", "二" * 17]


@BOTH
def test_sentences_without_time_are_shown_for_a_moment_and_do_not_overlap(format_: Format) -> None:
    same = [sentence(text, 3.0, 3.0) for text in ("One.", "Two.")]
    read = cues(format_, written(format_, *same, sentence("Three.", 2.0, 2.5)))
    assert [(start, end) for start, end, _ in read] == [(3000, 3500), (3500, 4000), (4000, 4500)]


@BOTH
def test_hours_do_not_end_at_99(format_: Format) -> None:
    hour_s = 3600
    heard = [
        sentence("Late.", 99.5 * hour_s, 100.5 * hour_s),
        sentence("Later.", 1234 * hour_s + 0.001, 1234 * hour_s + 1),
    ]
    assert [(start, end) for start, end, _ in cues(format_, written(format_, *heard))] == [
        (358_200_000, 361_800_000),
        (4_442_400_001, 4_442_401_000),
    ]


def test_what_was_never_confirmed_is_marked() -> None:
    heard = Heard(replace(sentence("and then").sentence, unconfirmed=True))
    assert "\nand then [unconfirmed]\n\n" in written(Format.SRT, heard)
    vtt = written(Format.VTT, heard)
    assert "\n<c.unconfirmed>and then [unconfirmed]</c>\n\n" in vtt
    assert webvtt.WebVTT.from_string(vtt, strict=True)[0].text == "and then [unconfirmed]"


def test_mark_up_is_text() -> None:
    heard = sentence("a <i>b</i> & 3 < 5 --> c {\\an8} C:\\New")
    ((_, _, block),) = cues(Format.VTT, written(Format.VTT, heard))
    assert " ".join(block) == "a <i>b</i> & 3 < 5 --> c {\\an8} C:\\New"
    srt = written(Format.SRT, heard)
    ((_, _, block),) = cues(Format.SRT, srt)
    assert " ".join(block) == "a ‹i>b‹/i> & 3 < 5 → c (\\an8) C:\\New"
    (event,) = pysubs2.SSAFile.from_string(srt, "srt")
    assert event.plaintext.startswith("a ‹i>b‹/i> & 3 < 5 → c (\\an8) C:")


def shown(format_: Format, heard: Sentence) -> str:
    text = f"{heard.text} [unconfirmed]" if heard.unconfirmed else heard.text
    if format_ is Format.SRT:
        text = re.sub("<(?=[A-Za-z/!?])", "‹", text)
        text = text.replace("-->", "→").replace("{", "(").replace("}", ")")
    return "".join(text.split())


@BOTH
@given(sentences=st.lists(SENTENCES, max_size=5))
def test_whatever_is_said_is_read_back_in_order(format_: Format, sentences: list[Sentence]) -> None:
    write = encoder(format_)
    text = write.report(STARTED)
    for heard in sentences:
        text += write.report(Heard(heard))
        # At every instant.
        read = cues(format_, text)
    read = cues(format_, text)
    said = "".join(shown(format_, heard) for heard in sentences)
    assert "".join("".join("".join(block).split()) for _, _, block in read) == said
    end = 0
    for start, stop, block in read:
        assert end <= start < stop
        end = stop
        assert 1 <= len(block) <= 2
        assert all(line.strip() for line in block)
        assert all(cell_len(line) <= 42 for line in block)
    numbers = re.findall(r"^(\d+)\n\d\d+:\d\d:\d\d[.,]\d{3} --> ", text, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(read) + 1)]


@BOTH
@given(reports=st.lists(REPORTS, max_size=8))
def test_a_past_session_reads_as_it_did_live(format_: Format, reports: list[Report]) -> None:
    write = encoder(format_)
    live = write.report(STARTED) + "".join(write.report(report) for report in reports)
    heard = tuple(report.sentence for report in reports if isinstance(report, Heard))
    record = SessionRecord(SessionSummary("s-1"), heard)
    assert write.record(record) == write.record(record) == live
    assert live == "" or live.endswith("\n\n")
    assert "\n\n\n" not in live


@given(sentence=SENTENCES)
def test_a_sentence_shares_its_time(sentence: Sentence) -> None:
    read = cues(Format.VTT, written(Format.VTT, Heard(sentence)))
    assert read[0][0] == round(sentence.start_s * 1000)
    asked = max(round(sentence.end_s * 1000) - read[0][0], 500 * len(read))
    assert read[-1][1] - read[0][0] == asked
    assert all(stop - start >= 499 for start, stop, _ in read)
    assert all(one[1] == other[0] for one, other in pairwise(read))


@BOTH
@pytest.mark.parametrize("text", ["word " * 9000, "x" * 40_000, "你" * 20_000])
def test_a_sentence_without_end_is_written_all_the_same(format_: Format, text: str) -> None:
    read = cues(format_, written(format_, sentence(text)))
    assert "".join("".join(block) for _, _, block in read).replace(" ", "") == text.replace(" ", "")


@BOTH
def test_what_is_combined_is_not_parted(format_: Format) -> None:
    for cluster in ("e\u0301", "👩\u200d👩\u200d👧", "👋🏽", "🇩🇪"):
        for block in (
            block for _, _, block in cues(format_, written(format_, sentence(cluster * 99)))
        ):
            assert all(not line.replace(cluster, "") for line in block)
