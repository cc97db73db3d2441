"""Reports and records of every kind, for tests that must hold for all of them."""
# ruff: noqa: RUF001

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from sayd_cli.model.audio import SAMPLE_RATES_HZ, Codec, GapReason
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
from sayd_cli.transcript.sanitize import sanitize

_MARK_UP = r"""
    the time --> <i> </i> <b> &amp; & {\an8} C:\New \h \ NOTE WEBVTT 1 42 00:00:01.000 #
    1. 1) - -- --- + = === **b** _u_ [a](b) ![i](u) <!-- `c` ~~s~~ | |-| :-: $x$ > [x]:
    https://example.org www.example.org a@b.org
    你好 今天天气很好，我们去公园散步吧。 （ 」 مرحبا
"""
_TRICKY = [
    *_MARK_UP.split(),
    "👩\u200d👩\u200d👧",
    "🇩🇪",
    "e\u0301",
    "x" * 99,
]

ANY_TEXT = st.text(st.characters(exclude_categories=()))
WORDS = st.lists(st.sampled_from(_TRICKY), min_size=1, max_size=60).map(" ".join)
SPEECH = (WORDS | ANY_TEXT).map(lambda text: sanitize(text).strip()).filter(bool)
"""Texts as sentences have them: on one line, with something in it."""

TIMES_S = st.floats(0, 1e6) | st.floats(0, 20)
_NAMES = ANY_TEXT
_MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)
)

SENTENCES = st.builds(
    Sentence,
    st.integers(0, 10**6),
    SPEECH,
    TIMES_S,
    TIMES_S,
    st.booleans(),
    st.none() | st.floats(0, 1),
    st.none() | st.sampled_from(["en", "zh-CN"]),
    st.booleans(),
)

REPORTS: st.SearchStrategy[Report] = st.one_of(
    st.builds(
        Started,
        _NAMES,
        st.sampled_from(BackendName),
        _NAMES,
        st.sampled_from(SAMPLE_RATES_HZ),
        st.sampled_from(Codec),
        _MOMENTS,
    ),
    st.builds(Interim, st.just("") | SPEECH, TIMES_S, TIMES_S),
    st.builds(Heard, SENTENCES),
    st.builds(Progress, st.sampled_from(Phase), TIMES_S, TIMES_S),
    st.builds(Notice, ANY_TEXT),
    st.builds(Reconnected, _NAMES, TIMES_S, TIMES_S),
    st.builds(Gap, TIMES_S, TIMES_S, st.sampled_from(GapReason)),
    st.builds(
        Ended, st.sampled_from(EndReason), TIMES_S, st.integers(0, 10**6), st.integers(0, 10**9)
    ),
)

SUMMARIES = st.builds(
    SessionSummary,
    _NAMES,
    st.none() | _MOMENTS,
    st.none() | _NAMES,
    st.none() | TIMES_S,
    st.just("") | ANY_TEXT,
)
RECORDS = st.builds(SessionRecord, SUMMARIES, st.lists(SENTENCES, max_size=6).map(tuple))
