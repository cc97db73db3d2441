"""What a session is asked to be, and what the service says it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sayd_cli.errors import UsageError
from sayd_cli.model.audio import SAMPLE_RATES_HZ, Codec
from sayd_cli.model.secret import SecretUrl

_LANGUAGE = re.compile(r"(auto|multi|(en|zh)(-[A-Za-z]{2,4})?)\Z")
LANGUAGES_SPOKEN_OF = "auto, multi, en, zh, or one of the last two with a region, as in en-GB"


class BackendName(StrEnum):
    """Where the words come from."""

    CLOUD = "cloud"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The three things the Listen API lets a session choose.

    Raises:
        UsageError: A value that the Listen API does not know.
    """

    language: str = "multi"
    sample_rate_hz: int = 16000
    codec: Codec = Codec.PCM16

    def __post_init__(self) -> None:
        if not _LANGUAGE.match(self.language):
            raise UsageError(f"unknown language {self.language!r}", f"use {LANGUAGES_SPOKEN_OF}")
        if self.sample_rate_hz not in SAMPLE_RATES_HZ:
            raise UsageError(
                f"a session cannot have a sample rate of {self.sample_rate_hz} Hz",
                "use 16000 (recommended) or 8000; files of other rates are converted",
            )


@dataclass(frozen=True, slots=True)
class Session:
    """A session that the service has created.

    Attributes:
        session_id: The service's name for it.
        websocket_url: Where its audio goes; carries the key, hence its type.
        language: The language the service settled on.
        stt_service: Who recognises, when the service says so.
    """

    session_id: str
    websocket_url: SecretUrl
    language: str
    stt_service: str | None = None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One row of a list of sessions.

    Attributes:
        session_id: The session's name.
        created_at: When it began, with a time zone; None where unknown.
        language: The language asked for; None where unknown.
        duration_s: Seconds of audio; None where unknown.
        title: What the user called it, or its first words; may be empty.
    """

    session_id: str
    created_at: datetime | None = None
    language: str | None = None
    duration_s: float | None = None
    title: str = ""
