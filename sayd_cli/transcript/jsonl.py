"""The JSON lines format, schema 1: an object a line, its ``type`` first, for programs.

Times are seconds from the first captured sample, rounded to milliseconds. A field that is not
known is left out.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Ended, Gap, Heard, Interim, Reconnected, Report, Started
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.sanitize import sanitize

SCHEMA = 1
"""The version of the lines; a change that breaks a reader raises it."""

_Field = str | int | float | bool | None


class JsonlEncoder:
    """Reports and records as JSON lines.

    Args:
        interim: Write ``partial`` lines too.
    """

    def __init__(self, *, interim: bool) -> None:
        self._interim = interim

    def report(self, report: Report) -> str:
        """The line for a report; empty for one that has none."""
        match report:
            case Started():
                return _line(
                    "session",
                    schema=SCHEMA,
                    session_id=sanitize(report.session_id),
                    backend=report.backend.value,
                    language=sanitize(report.language),
                    sample_rate=report.sample_rate_hz,
                    codec=report.codec.value,
                    started_at=_utc(report.started_at),
                )
            case Interim() if self._interim and report.text:
                return _line(
                    "partial",
                    text=report.text,
                    start=_seconds(report.start_s),
                    end=_seconds(report.end_s),
                )
            case Heard():
                return _sentence(report.sentence)
            case Reconnected():
                return _line(
                    "reconnected",
                    session_id=sanitize(report.session_id),
                    outage_seconds=_seconds(report.outage_s),
                    replayed_seconds=_seconds(report.replayed_s),
                )
            case Gap():
                return _line(
                    "gap",
                    start=_seconds(report.start_s),
                    end=_seconds(report.end_s),
                    reason=report.reason.value,
                )
            case Ended():
                return _line(
                    "end",
                    reason=report.reason.value,
                    duration=_seconds(report.duration_s),
                    sentences=report.sentences,
                    words=report.words,
                )
            case _:
                return ""

    def record(self, record: SessionRecord) -> str:
        """A past session: its ``session`` line, then its sentences. Why it ended is not kept."""
        summary = record.summary
        opening = _line(
            "session",
            schema=SCHEMA,
            session_id=sanitize(summary.session_id),
            language=sanitize(summary.language or "") or None,
            started_at=_utc(summary.created_at) if summary.created_at else None,
        )
        return opening + "".join(_sentence(sentence) for sentence in record.sentences)


def _sentence(sentence: Sentence) -> str:
    return _line(
        "sentence",
        index=sentence.index,
        text=sentence.text,
        start=_seconds(sentence.start_s),
        end=_seconds(sentence.end_s),
        approximate=sentence.approximate,
        confidence=sentence.confidence,
        language=sentence.language,
        unconfirmed=True if sentence.unconfirmed else None,
    )


def _line(type_: str, **fields: _Field) -> str:
    known = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"type": type_, **known}, ensure_ascii=False, allow_nan=False) + "\n"


def _seconds(value: float) -> float:
    return round(float(value), 3)


def _utc(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, with a Z."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
