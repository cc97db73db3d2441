from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import ProtocolError, UsageError
from sayd_cli.model.audio import Codec
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.secret import SecretUrl
from sayd_cli.model.session import Session, SessionSettings, SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.protocol import rest

settings = st.builds(
    SessionSettings,
    st.sampled_from(["auto", "multi", "en", "en-US", "zh", "zh-TW"]),
    st.sampled_from([8000, 16000]),
    st.sampled_from(Codec),
)
texts = st.text(min_size=1).filter(str.strip)
names = st.text(min_size=1, max_size=200).filter(str.isprintable)


@given(settings)
def test_settings_round_trip(value: SessionSettings) -> None:
    assert rest.decode_settings(rest.encode_settings(value)) == value


def test_absent_settings_have_their_defaults() -> None:
    assert rest.decode_settings({}) == SessionSettings()


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"language": "fr"},
        {"language": 3},
        {"sample_rate": 44100},
        {"sample_rate": True},
        {"sample_rate": "16000"},
        {"codec": "mp3"},
        {"codec": None},
        {"codec": []},
    ],
)
def test_settings_that_the_api_does_not_know_are_refused(body: object) -> None:
    with pytest.raises(UsageError):
        rest.decode_settings(body)


def test_a_session_round_trips_with_its_key() -> None:
    session = Session("abc", SecretUrl("wss://h/v1/listen/stream/abc?api_key=k"), "en", "m")
    body = rest.encode_session(session)
    assert body["websocket_url"].endswith("api_key=k")
    assert rest.decode_session(body) == session


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"session_id": "x"},
        {"session_id": "x", "websocket_url": "https://h/"},
        {"session_id": "", "websocket_url": "wss://h/"},
        {"session_id": "x" * 201, "websocket_url": "wss://h/"},
        {"session_id": "x\x1b[2J", "websocket_url": "wss://h/"},
        {"session_id": 10**200, "websocket_url": "wss://h/"},
    ],
)
def test_an_answer_without_a_session_is_a_protocol_error(body: object) -> None:
    with pytest.raises(ProtocolError):
        rest.decode_session(body)


@given(
    st.lists(
        st.builds(
            SessionSummary,
            names,
            st.none() | st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1)),
            st.none() | st.just("en"),
            st.none() | st.integers(0, 10**8).map(lambda ms: ms / 1000),
            st.text(),
        )
    )
)
def test_summaries_round_trip(summaries: list[SessionSummary]) -> None:
    assert rest.decode_summaries(rest.encode_summaries(summaries)) == tuple(summaries)


@pytest.mark.parametrize("key", ["sessions", "items", "data", "results"])
def test_a_list_is_found_under_the_keys_in_use(key: str) -> None:
    rows = [{"id": 7, "started_at": 0.5, "duration_seconds": 2, "name": "n"}, "junk", {}]
    assert rest.decode_summaries({key: rows}) == (
        SessionSummary("7", datetime.fromtimestamp(0.5, UTC), None, 2.0, "n"),
    )


def test_an_answer_without_a_list_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        rest.decode_summaries({"sessions": 3})


def test_a_number_that_python_will_not_write_is_no_name() -> None:
    assert rest.decode_summaries([{"session_id": 10**5000}]) == ()


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "", 10**200, None, []])
def test_a_row_whose_name_cannot_be_one_is_left_out(name: object) -> None:
    rows = [{"session_id": name}, {"session_id": "x" * 200}]
    assert [row.session_id for row in rest.decode_summaries(rows)] == ["x" * 200]
    with pytest.raises(ProtocolError):
        rest.decode_record({"session_id": name, "transcripts": []})


@pytest.mark.parametrize("value", ["soon", "0001-01-01T00:00:00+14:00", 1e300, None, []])
def test_a_date_that_is_none_is_absent(value: object) -> None:
    (summary,) = rest.decode_summaries([{"id": "a", "created_at": value}])
    assert summary.created_at is None


def test_a_date_without_a_zone_is_utc() -> None:
    (summary,) = rest.decode_summaries([{"id": "a", "created_at": "2026-01-02T03:04:05"}])
    assert summary.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(st.lists(texts))
def test_records_round_trip(lines: list[str]) -> None:
    sentences = tuple(
        Sentence(n, text, float(n), n + 0.5, confidence=0.5, language="en")
        for n, text in enumerate(lines)
    )
    record = SessionRecord(SessionSummary("a", title="t"), sentences)
    assert rest.decode_record(rest.encode_record(record)) == record


def test_sentences_without_times_get_none_invented() -> None:
    record = rest.decode_record(
        {
            "session_id": "a",
            "transcripts": [
                {"text": "one", "start": 0, "end": 2},
                {"text": "two"},
                "three",
                {"text": " "},
                {"no": "text"},
            ],
        }
    )
    assert [(s.text, s.start_s, s.end_s, s.approximate) for s in record.sentences] == [
        ("one", 0.0, 2.0, False),
        ("two", 2.0, 2.0, True),
        ("three", 2.0, 2.0, True),
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "no"}, "no"),
        ({"message": "no"}, "no"),
        ({"error": {"message": "no"}}, "no"),
        ({"error": 3}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_what_a_refusal_says(body: object, said: str) -> None:
    assert rest.decode_error(body) == said
    assert rest.decode_error(rest.encode_error("x")) == "x"
