"""What a spool is the audio of: enough to finish the listening after its process died.

Owns the form of it on disk. Refuses to know where the file is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sayd_cli.errors import UsageError
from sayd_cli.model.audio import Codec
from sayd_cli.model.session import BackendName, SessionSettings


@dataclass(frozen=True, slots=True)
class SpoolLabel:
    """What is known of a listening.

    Attributes:
        started_at: When its first sample was captured; with a time zone.
        settings: What its session was asked to be.
        backend: Where its words come from.
        title: What the user calls it; may be empty.
        session_id: Its name in the history, once it has one.
    """

    started_at: datetime
    settings: SessionSettings
    backend: BackendName
    title: str = ""
    session_id: str | None = None


def encode(label: SpoolLabel) -> bytes:
    """A label as JSON."""
    fields = {
        "started_at": label.started_at.astimezone(UTC).isoformat(),
        "language": label.settings.language,
        "sample_rate_hz": label.settings.sample_rate_hz,
        "codec": label.settings.codec.value,
        "backend": label.backend.value,
        "title": label.title,
        "session_id": label.session_id,
    }
    return json.dumps(fields).encode()


def decode(data: bytes) -> SpoolLabel | None:
    """The label in ``data``; None when it is damaged."""
    try:
        fields = json.loads(data)
        label = SpoolLabel(
            started_at=datetime.fromisoformat(fields["started_at"]),
            settings=SessionSettings(
                fields["language"], fields["sample_rate_hz"], Codec(fields["codec"])
            ),
            backend=BackendName(fields["backend"]),
            title=fields["title"],
            session_id=fields["session_id"],
        )
    except (ValueError, LookupError, TypeError, RecursionError, UsageError):
        return None
    whole = (
        label.started_at.tzinfo is not None
        and type(label.settings.sample_rate_hz) is int
        and isinstance(label.title, str)
        and isinstance(label.session_id, str | None)
    )
    return label if whole else None
