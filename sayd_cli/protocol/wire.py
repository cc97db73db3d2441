"""The stream's messages: JSON text and binary audio, to values and back.

Owns the wire form of every message, and how much of a foreign one is forgiven. Written strictly,
read liberally: what the Listen API's public page, its SDK (``sayd-ai`` 0.2.0) and its sister Talk
API show in different shapes is accepted in each. Knows nothing of the order of messages; that is
``client`` and ``server``.
"""

from __future__ import annotations

import json
from typing import Any

from sayd_cli.errors import ProtocolError
from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Fault,
    Final,
    Keepalive,
    Partial,
    Ready,
    ServerMessage,
    Unknown,
)
from sayd_cli.protocol.fields import count, fraction, number, string

_QUOTED_CHARS = 80


def encode_client(message: ClientMessage) -> bytes | str:
    """One client message as it goes into the WebSocket: bytes are binary, str is text."""
    match message:
        case Audio(payload):
            return payload
        case End():
            return _text({"type": "end"})
        case Keepalive():
            return _text({"type": "keepalive"})


def decode_client(data: bytes | str) -> ClientMessage:
    """One message from a client.

    Raises:
        ProtocolError: Text that is not one of the client's messages. A server must know what it
            is told: a misspelt ``end`` that is ignored would be a stream that never ends.
    """
    if isinstance(data, bytes):
        return Audio(data)
    match _object(data).get("type"):
        case "end":
            return End()
        case "keepalive":
            return Keepalive()
        case other:
            raise ProtocolError(f"unknown message type {_quoted(other)}")


def encode_server(message: ServerMessage) -> str:
    """One server message as text."""
    match message:
        case Ready(resume_s, received):
            return _text({"type": "ready", "resume_s": resume_s, "received_samples": received})
        case Partial(text, start_s, end_s):
            return _text({"type": "partial", "text": text, "start": start_s, "end": end_s})
        case Final(text, start_s, end_s, index, confidence, language):
            return _text(
                {
                    "type": "sentence",
                    "text": text,
                    "is_final": True,
                    "index": index,
                    "start": start_s,
                    "end": end_s,
                    "confidence": confidence,
                    "language": language,
                }
            )
        case Complete(duration_ms, text, sentences):
            return _text(
                {
                    "type": "complete",
                    "duration_ms": duration_ms,
                    "text": text,
                    "sentences": sentences,
                }
            )
        case Fault(reason, code):
            # Both spellings are known from clients of the service; each finds its own.
            return _text({"type": "error", "message": reason, "error": reason, "code": code})
        case Unknown(kind):
            return _text({"type": kind})


def decode_server(data: bytes | str) -> tuple[ServerMessage, ...]:
    """The messages in one WebSocket message of a server; ``segments`` may make it several.

    Raises:
        ProtocolError: Text that is not a JSON object. Any object is understood, if only as
            ``Unknown``.
    """
    if isinstance(data, bytes):
        return (Unknown("binary"),)
    fields = _object(data)
    match fields.get("type"):
        case "ready":
            received = count(fields.get("received_samples"))
            return (Ready(number(fields.get("resume_s")), received),)
        case "partial":
            heard = _parts(fields)
            text = " ".join(part for part in (string(f.get("text")) for f in heard) if part)
            return (Partial(text, number(heard[0].get("start")), number(heard[-1].get("end"))),)
        case "sentence":
            return tuple(_final(part) for part in _parts(fields))
        case "complete":
            duration_ms, sentences = (
                count(fields.get("duration_ms")),
                count(fields.get("sentences")),
            )
            return (Complete(duration_ms, string(fields.get("text")) or None, sentences),)
        case "error":
            return (_fault(fields),)
        case other:
            return (Unknown(other if isinstance(other, str) else ""),)


def _parts(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The object itself, or its ``segments`` where it has them: both shapes are in use."""
    segments = fields.get("segments")
    if isinstance(segments, list):
        parts = [segment for segment in segments if isinstance(segment, dict)]
        if parts:
            return parts
    return [fields]


def _final(fields: dict[str, Any]) -> Final:
    return Final(
        text=string(fields.get("text")),
        start_s=number(fields.get("start")),
        end_s=number(fields.get("end")),
        index=count(fields.get("index")),
        confidence=fraction(fields.get("confidence")),
        language=string(fields.get("language")) or None,
    )


def _fault(fields: dict[str, Any]) -> Fault:
    reason = fields.get("message") or fields.get("error")
    code = fields.get("code")
    if isinstance(reason, dict):
        code = reason.get("code", code)
        reason = reason.get("message")
    shown = None if code is None or isinstance(code, dict | list) else str(code)
    return Fault(string(reason) or "the service gave no reason", shown)


def _text(fields: dict[str, Any]) -> str:
    known = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def _object(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"a message that is not JSON: {_quoted(data)}") from exc
    if not isinstance(value, dict):
        raise ProtocolError(f"a message that is not a JSON object: {_quoted(data)}")
    return value


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return ascii(text if len(text) <= _QUOTED_CHARS else text[:_QUOTED_CHARS] + "…")
