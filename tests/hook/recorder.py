"""What a hook tells, kept; and sentences for it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from sayd_cli.model.audio import Codec
from sayd_cli.model.report import Heard, Notice, Report, Started
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence

STARTED = Started(
    session_id="s-1",
    backend=BackendName.LOCAL,
    language="en",
    sample_rate_hz=16000,
    codec=Codec.PCM16,
    started_at=datetime(2026, 1, 2, tzinfo=UTC),
)


class Told:
    """A sink that keeps notices, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []

    def take(self, report: Report) -> None:
        assert isinstance(report, Notice)
        with self._lock:
            self._lines.append(report.text)

    @property
    def lines(self) -> list[str]:
        with self._lock:
            return list(self._lines)


def heard(text: str, index: int = 0, *, language: str | None = None, lost: bool = False) -> Heard:
    return Heard(
        Sentence(
            index,
            text,
            start_s=index + 0.25,
            end_s=index + 1.0,
            language=language,
            unconfirmed=lost,
        )
    )


def running(pid: int) -> bool:
    """Whether a process lives; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
