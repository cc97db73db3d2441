import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.model.audio import Codec, GapReason
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import (
    Ended,
    EndReason,
    Gap,
    Heard,
    Interim,
    Notice,
    Phase,
    Progress,
    Reconnected,
    Report,
    Started,
)
from sayd_cli.model.session import BackendName, SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.formats import Format, encoder
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import clock

STARTED = Started(
    "s-1",
    BackendName.LOCAL,
    "en",
    16000,
    Codec.PCM16,
    datetime(2026, 3, 4, 6, 6, 7, 891234, tzinfo=timezone(timedelta(hours=1))),
)
BARE = Sentence(0, "世界你好。", 0.12345, 1.5, approximate=True)
FULL = Sentence(1, 'She said "no".', 61.96, 63, confidence=0.875, language="en", unconfirmed=True)
GAP = Gap(1, 2, GapReason.DEVICE)
ENDED = Ended(EndReason.EOF, 63.21049, 2, 4)
SILENT: list[Report] = [Progress(Phase.LISTENING, 1, 1, float("-inf")), Notice("hello")]


def lines(*reports: Report, interim: bool = False) -> list[dict[str, object]]:
    write = encoder(Format.JSONL, interim=interim)
    text = "".join(write.report(report) for report in reports)
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_every_kind_of_line() -> None:
    interim = Interim("hm", 0.0004, 0.9996)
    gaps = Gap(63.0006, 65, GapReason.PAUSE), Gap(66, 66.1, GapReason.DEVICE)
    back = Reconnected("s-2", 4.5004, 6.25)
    reports = (STARTED, interim, Heard(BARE), Heard(FULL), *SILENT, back, *gaps, ENDED)
    assert lines(*reports, interim=True) == [
        {
            "type": "session",
            "schema": 1,
            "session_id": "s-1",
            "backend": "local",
            "language": "en",
            "sample_rate": 16000,
            "codec": "pcm16",
            "started_at": "2026-03-04T05:06:07.891Z",
        },
        {"type": "partial", "text": "hm", "start": 0.0, "end": 1.0},
        {
            "type": "sentence",
            "index": 0,
            "text": "世界你好。",
            "start": 0.123,
            "end": 1.5,
            "approximate": True,
        },
        {
            "type": "sentence",
            "index": 1,
            "text": 'She said "no".',
            "start": 61.96,
            "end": 63.0,
            "approximate": False,
            "confidence": 0.875,
            "language": "en",
            "unconfirmed": True,
        },
        {
            "type": "reconnected",
            "session_id": "s-2",
            "outage_seconds": 4.5,
            "replayed_seconds": 6.25,
        },
        {"type": "gap", "start": 63.001, "end": 65.0, "reason": "pause"},
        {"type": "gap", "start": 66.0, "end": 66.1, "reason": "device"},
        {"type": "end", "reason": "eof", "duration": 63.21, "sentences": 2, "words": 4},
    ]


def test_type_stands_first_and_chinese_stays_readable() -> None:
    line = encoder(Format.JSONL).report(Heard(BARE))
    assert line.startswith('{"type": "sentence", "index": 0, "text": "世界你好。"')


def test_interim_text_only_when_asked_and_never_empty() -> None:
    assert lines(Interim("hm", 0, 1)) == []
    assert lines(Interim("", 0, 1), interim=True) == []
    assert encoder(Format.TEXT, interim=True).report(Interim("hm", 0, 1)) == ""


def test_times_are_floats() -> None:
    line = encoder(Format.JSONL).report(Heard(Sentence(0, "a", 0, 1)))
    assert '"start": 0.0, "end": 1.0' in line


def test_what_the_service_calls_a_session_is_made_safe() -> None:
    hostile = replace(STARTED, session_id="id\x9b31m", language="en\x1b[m")
    (line,) = lines(hostile)
    assert (line["session_id"], line["language"]) == ("id", "en")


TEXTS = st.text(st.characters(exclude_categories=())).map(sanitize)
TIMES = st.floats(0, 1e6)


@given(
    TEXTS,
    TIMES,
    TIMES,
    st.booleans(),
    st.none() | st.floats(0, 1),
    st.none() | st.text("abc-", min_size=1),
)
def test_a_sentence_parses_back_to_what_went_in(
    text: str,
    start_s: float,
    end_s: float,
    approximate: bool,
    confidence: float | None,
    language: str | None,
) -> None:
    sentence = Sentence(3, text, start_s, end_s, approximate, confidence, language)
    line = encoder(Format.JSONL).report(Heard(sentence))
    assert line.count("\n") == 1
    fields = json.loads(line.encode())
    assert fields["text"] == text
    assert fields["start"] == pytest.approx(start_s, abs=0.0006)
    assert fields["end"] == pytest.approx(end_s, abs=0.0006)
    assert fields["approximate"] is approximate
    assert fields.get("confidence") == confidence
    assert fields.get("language") == language
    assert "unconfirmed" not in fields


def test_text_with_and_without_times() -> None:
    plain, timed = encoder(Format.TEXT), encoder(Format.TEXT, timestamps=True)
    assert plain.report(Heard(FULL)) == 'She said "no". [unconfirmed]\n'
    assert timed.report(Heard(FULL)) == '[00:01:02.0] She said "no". [unconfirmed]\n'
    assert timed.report(Heard(BARE)) == "[~00:00:00.1] 世界你好。\n"
    assert [plain.report(report) for report in (STARTED, ENDED, GAP, *SILENT)] == [""] * 5


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "00:00:00.0"),
        (59.94, "00:00:59.9"),
        (59.96, "00:01:00.0"),
        (3599.99, "01:00:00.0"),
        (86400, "24:00:00.0"),
        (360000.5, "100:00:00.5"),
    ],
)
def test_a_clock_carries_over(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_past_session() -> None:
    summary = SessionSummary("s-1", STARTED.started_at, "en", 63.2, "a title")
    record = SessionRecord(summary, (BARE, FULL))
    assert encoder(Format.TEXT, timestamps=True).record(record) == (
        '[~00:00:00.1] 世界你好。\n[00:01:02.0] She said "no". [unconfirmed]\n'
    )
    session, first, second = map(json.loads, encoder(Format.JSONL).record(record).splitlines())
    assert session == {
        "type": "session",
        "schema": 1,
        "session_id": "s-1",
        "language": "en",
        "started_at": "2026-03-04T05:06:07.891Z",
    }
    assert [first, second] == lines(Heard(BARE), Heard(FULL))


def test_a_past_session_of_which_little_is_known() -> None:
    text = encoder(Format.JSONL).record(SessionRecord(SessionSummary("s-2")))
    assert json.loads(text) == {"type": "session", "schema": 1, "session_id": "s-2"}
