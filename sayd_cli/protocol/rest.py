"""The bodies of the REST calls, as values.

What goes out is exactly the Listen API's. What comes in is read liberally: the service is known
to vary the keys of its lists.

A body is whatever ``json.loads`` gives; the names of the functions say whose body it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sayd_cli.errors import ProtocolError, UsageError
from sayd_cli.model.audio import Codec
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.secret import SecretUrl
from sayd_cli.model.session import Session, SessionSettings, SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.protocol.fields import fraction, number, string

Body = dict[str, Any]

_IDENTIFIER_CHARS = 200
"""The longest name of a session that is believed; the service's have 36 characters."""

_LIST_KEYS = ("sessions", "items", "data", "results")
_SENTENCE_KEYS = ("transcripts", "sentences", "segments")


def encode_settings(settings: SessionSettings) -> Body:
    """The body of ``POST /api/listen``."""
    return {
        "language": settings.language,
        "sample_rate": settings.sample_rate_hz,
        "codec": settings.codec.value,
    }


def decode_settings(body: object) -> SessionSettings:
    """The settings in the body of ``POST /api/listen``; what is absent has its default.

    Raises:
        UsageError: It is not an object, or a value is not one the API knows.
    """
    if not isinstance(body, dict):
        raise UsageError("the body is not a JSON object")
    default = SessionSettings()
    language = body.get("language", default.language)
    if not isinstance(language, str):
        raise UsageError("language is not a string")
    sample_rate_hz = body.get("sample_rate", default.sample_rate_hz)
    if isinstance(sample_rate_hz, bool) or not isinstance(sample_rate_hz, int):
        raise UsageError("sample_rate is not a whole number")
    try:
        codec = Codec(body.get("codec", default.codec))
    except ValueError as exc:
        known = ", ".join(codec.value for codec in Codec)
        raise UsageError(f"unknown codec; one of {known}") from exc
    return SessionSettings(language, sample_rate_hz, codec)


def encode_session(session: Session) -> Body:
    """The answer to ``POST /api/listen``; it holds the URL with its key."""
    return {
        "session_id": session.session_id,
        "websocket_url": session.websocket_url.reveal(),
        "language": session.language,
        "stt_service": session.stt_service,
    }


def decode_session(body: object) -> Session:
    """The session in the answer to ``POST /api/listen``.

    Raises:
        ProtocolError: There is no session in it, or its URL is not a WebSocket's.
    """
    fields = _fields(body)
    session_id = _identifier(fields)
    url = fields.get("websocket_url")
    if not session_id or not isinstance(url, str) or not url.startswith(("ws://", "wss://")):
        raise ProtocolError("the service's answer has no session_id and websocket_url")
    return Session(
        session_id,
        SecretUrl(url),
        string(fields.get("language")) or "multi",
        string(fields.get("stt_service")) or None,
    )


def encode_summary(summary: SessionSummary) -> Body:
    """One row of the answer to ``GET /api/listen``."""
    created_at = summary.created_at
    return {
        "session_id": summary.session_id,
        "created_at": created_at.isoformat() if created_at else None,
        "language": summary.language,
        "duration_ms": _milliseconds(summary.duration_s),
        "title": summary.title,
    }


def encode_summaries(summaries: Iterable[SessionSummary]) -> list[Body]:
    """The answer to ``GET /api/listen``."""
    return [encode_summary(summary) for summary in summaries]


def decode_summaries(body: object) -> tuple[SessionSummary, ...]:
    """The sessions in the answer to ``GET /api/listen``; rows whose name is missing, or none
    that could be shown or asked for, are left out.

    Raises:
        ProtocolError: There is no list in it.
    """
    if isinstance(body, dict):
        body = next((body[key] for key in _LIST_KEYS if isinstance(body.get(key), list)), body)
    if not isinstance(body, list):
        raise ProtocolError("the service's answer is not a list of sessions")
    return tuple(_summary(row) for row in body if isinstance(row, dict) and _identifier(row))


def encode_record(record: SessionRecord) -> Body:
    """The answer to ``GET /api/listen/{id}``."""
    return encode_summary(record.summary) | {
        "transcripts": [_sentence_body(sentence) for sentence in record.sentences]
    }


def decode_record(body: object) -> SessionRecord:
    """The session in the answer to ``GET /api/listen/{id}``.

    Sentences without times get none that are invented: they start and end where the last one
    ended, and are marked approximate.

    Raises:
        ProtocolError: There is no session in it.
    """
    fields = _fields(body)
    if not _identifier(fields):
        raise ProtocolError("the service's answer has no session_id")
    lists = (fields[key] for key in _SENTENCE_KEYS if isinstance(fields.get(key), list))
    return SessionRecord(_summary(fields), _sentences(next(lists, [])))


def encode_error(message: str) -> Body:
    """The body of every refusal."""
    return {"error": message}


def decode_error(body: object) -> str:
    """What a refusal says, or an empty string."""
    if not isinstance(body, dict):
        return ""
    said = body.get("error") or body.get("message") or body.get("detail")
    if isinstance(said, dict):
        said = said.get("message")
    return string(said)


def _sentence_body(sentence: Sentence) -> Body:
    body: Body = {
        "index": sentence.index,
        "text": sentence.text,
        "start": sentence.start_s,
        "end": sentence.end_s,
        "approximate": sentence.approximate,
        "confidence": sentence.confidence,
        "language": sentence.language,
    }
    return {name: value for name, value in body.items() if value is not None}


def _sentences(rows: Sequence[object]) -> tuple[Sentence, ...]:
    sentences: list[Sentence] = []
    for row in rows:
        fields: Body = row if isinstance(row, dict) else {"text": row}
        text = string(fields.get("text"))
        if not text.strip():
            continue
        before_s = sentences[-1].end_s if sentences else 0.0
        start_s, end_s = number(fields.get("start")), number(fields.get("end"))
        sentences.append(
            Sentence(
                index=len(sentences),
                text=text,
                start_s=before_s if start_s is None else start_s,
                end_s=max(start_s or before_s, before_s if end_s is None else end_s),
                approximate=start_s is None or end_s is None or fields.get("approximate") is True,
                confidence=fraction(fields.get("confidence")),
                language=string(fields.get("language")) or None,
            )
        )
    return tuple(sentences)


def _summary(fields: Body) -> SessionSummary:
    return SessionSummary(
        session_id=_identifier(fields),
        created_at=_moment(fields.get("created_at") or fields.get("started_at")),
        language=string(fields.get("language")) or None,
        duration_s=_duration_s(fields),
        title=string(fields.get("title")) or string(fields.get("name")),
    )


def _duration_s(fields: Body) -> float | None:
    milliseconds = number(fields.get("duration_ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return number(fields.get("duration_seconds") or fields.get("duration"))


def _moment(value: object) -> datetime | None:
    """A point in time: ISO 8601 (UTC where no zone is given), or seconds since 1970."""
    epoch_s = number(value)
    try:
        if epoch_s is not None:
            return datetime.fromtimestamp(epoch_s, UTC)
        moment = datetime.fromisoformat(string(value))
        # Moments are compared and shown in the local zone; one that has none of its own and one
        # at the edge of the calendar would fail there instead of here.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _fields(body: object) -> Body:
    if not isinstance(body, dict):
        raise ProtocolError("the service's answer is not a JSON object")
    return body


def _identifier(fields: Body) -> str:
    """The session's name, or an empty string where there is none that can be one."""
    value = fields.get("session_id") or fields.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        # As a number of so many digits at most: str() of a longer one may raise.
        value = str(value) if abs(value) < 10**_IDENTIFIER_CHARS else ""
    name = string(value)
    return name if len(name) <= _IDENTIFIER_CHARS and name.isprintable() else ""


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
