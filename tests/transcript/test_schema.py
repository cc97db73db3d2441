"""The JSON Schema that the package carries, against everything that is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sayd_cli.model.audio import SAMPLE_RATES_HZ, Codec, GapReason
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import EndReason, Report
from sayd_cli.model.session import BackendName
from sayd_cli.transcript.formats import Format, encoder
from sayd_cli.transcript.jsonl import SCHEMA
from tests.transcript.reports import RECORDS, REPORTS

DOCUMENT: Mapping[str, Any] = json.loads(
    resources.files("sayd_cli.transcript").joinpath("jsonl.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(DOCUMENT)

LINES: dict[str, dict[str, object]] = {
    "session": {
        "type": "session",
        "schema": 1,
        "session_id": "s-1",
        "backend": "local",
        "language": "multi",
        "sample_rate": 16000,
        "codec": "pcm16",
        "started_at": "2026-03-04T05:06:07.891Z",
    },
    "partial": {"type": "partial", "text": "hm", "start": 0.0, "end": 1.0},
    "sentence": {
        "type": "sentence",
        "index": 0,
        "text": "Hm.",
        "start": 0.0,
        "end": 1.0,
        "approximate": False,
        "confidence": 0.5,
        "language": "en",
        "unconfirmed": True,
    },
    "reconnected": {
        "type": "reconnected",
        "session_id": "s-1",
        "outage_seconds": 1.5,
        "replayed_seconds": 2.0,
    },
    "gap": {"type": "gap", "start": 0.0, "end": 1.0, "reason": "storage"},
    "end": {"type": "end", "reason": "eof", "duration": 1.0, "sentences": 1, "words": 1},
}
OPTIONAL = {
    "session": {"backend", "language", "sample_rate", "codec", "started_at"},
    "sentence": {"confidence", "language", "unconfirmed"},
}
FIELDS = [(type_, name) for type_, line in LINES.items() for name in line]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(DOCUMENT)
    assert set(LINES) == {ref["$ref"].rpartition("/")[2] for ref in DOCUMENT["oneOf"]}


@pytest.mark.parametrize("type_", LINES)
def test_the_example_of_each_type_is_valid(type_: str) -> None:
    VALIDATOR.validate(LINES[type_])
    required = {n: v for n, v in LINES[type_].items() if n not in OPTIONAL.get(type_, ())}
    VALIDATOR.validate(required)


def check(text: str) -> None:
    for line in text.splitlines(keepends=True):
        assert line.endswith("}\n")
        fields = json.loads(line)
        VALIDATOR.validate(fields)
        assert next(iter(fields)) == "type"


@given(st.lists(REPORTS, max_size=4))
def test_every_line_of_a_run_is_valid(reports: list[Report]) -> None:
    write = encoder(Format.JSONL, interim=True)
    check("".join(write.report(report) for report in reports))


@given(RECORDS)
def test_every_line_of_a_past_session_is_valid(record: SessionRecord) -> None:
    text = encoder(Format.JSONL).record(record)
    assert text.count("\n") == 1 + len(record.sentences)
    check(text)


@pytest.mark.parametrize(("type_", "name"), FIELDS)
def test_a_field_that_is_missing_is_a_mistake(type_: str, name: str) -> None:
    line = {key: value for key, value in LINES[type_].items() if key != name}
    assert VALIDATOR.is_valid(line) is (name in OPTIONAL.get(type_, ()))


@pytest.mark.parametrize(("type_", "name"), FIELDS)
@pytest.mark.parametrize("value", [None, [], {}, "a\nb", "", -1, "0.5"])
def test_a_value_of_another_kind_is_a_mistake(type_: str, name: str, value: object) -> None:
    if value == "" and name in ("session_id", "language") and type_ != "sentence":
        return  # whatever the service calls it
    if value == "0.5" and name in ("session_id", "language", "text"):
        return
    assert not VALIDATOR.is_valid({**LINES[type_], name: value})


@pytest.mark.parametrize("type_", LINES)
def test_a_field_of_another_name_is_a_mistake(type_: str) -> None:
    assert not VALIDATOR.is_valid({**LINES[type_], "confidense": 0.5})
    assert not VALIDATOR.is_valid({**LINES[type_], "type": "other"})


@pytest.mark.parametrize(
    ("type_", "name", "value"),
    [
        ("session", "schema", 2),
        ("session", "started_at", "2026-03-04T05:06:07.891+00:00"),
        ("sentence", "confidence", 1.5),
        ("sentence", "unconfirmed", False),
        ("sentence", "index", 0.5),
        ("sentence", "text", "\x1b[31m"),
        ("sentence", "text", "a\n"),
        ("end", "words", 1.5),
    ],
)
def test_values_that_cannot_be(type_: str, name: str, value: object) -> None:
    assert not VALIDATOR.is_valid({**LINES[type_], name: value})


@pytest.mark.parametrize("document", [[], "session", None, {}, {"type": []}])
def test_what_is_no_line_is_a_mistake(document: object) -> None:
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("type_", "name", "known"),
    [
        ("session", "backend", BackendName),
        ("session", "codec", Codec),
        ("gap", "reason", GapReason),
        ("end", "reason", EndReason),
    ],
)
def test_it_lists_what_the_program_knows(type_: str, name: str, known: type[StrEnum]) -> None:
    listed = DOCUMENT["$defs"][type_]["properties"][name]["enum"]
    assert listed == [member.value for member in known]


def test_it_has_the_numbers_of_the_program() -> None:
    session = DOCUMENT["$defs"]["session"]["properties"]
    assert session["schema"]["const"] == SCHEMA
    assert tuple(session["sample_rate"]["enum"]) == SAMPLE_RATES_HZ
