"""Rows of the history as values: which columns to ask for, and what they make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SUMMARY_COLUMNS = """session_id, created_us, language, duration_s, title,
    (SELECT text FROM sentences WHERE sentences.session_id = sessions.session_id
     ORDER BY position LIMIT 1)"""
"""Of ``sessions``."""

SENTENCE_COLUMNS = """position, text, start_s, end_s, approximate, confidence,
    sentences.language, unconfirmed"""
"""Of ``sentences``."""

SummaryRow = tuple[str, int, str, float | None, str, str | None]
SentenceRow = tuple[int, str, float, float, int, float | None, str | None, int]

_TITLE_CHARS = 60


def summary_of(row: SummaryRow) -> SessionSummary:
    """A session; it is called by its first words where it has no title."""
    session_id, created_us, language, duration_s, title, first_text = row
    return SessionSummary(
        session_id=session_id,
        created_at=EPOCH + timedelta(microseconds=created_us),
        language=language,
        duration_s=duration_s,
        title=title or _first_words(first_text or ""),
    )


def sentence_of(row: SentenceRow) -> Sentence:
    """A sentence."""
    index, text, start_s, end_s, approximate, confidence, language, unconfirmed = row
    return Sentence(
        index=index,
        text=text,
        start_s=start_s,
        end_s=end_s,
        approximate=bool(approximate),
        confidence=confidence,
        language=language,
        unconfirmed=bool(unconfirmed),
    )


def _first_words(text: str) -> str:
    """The beginning of a text, cut between words where it has spaces (Chinese has none)."""
    line = " ".join(text.split())
    if len(line) <= _TITLE_CHARS:
        return line
    cut = line[: _TITLE_CHARS - 1]
    return (cut.rpartition(" ")[0] or cut) + "…"
