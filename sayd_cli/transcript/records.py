"""Past sessions as others tell of them, made safe to show."""

from __future__ import annotations

from dataclasses import replace

from sayd_cli.model.record import SessionRecord
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.sanitize import sanitize


def safe_record(record: SessionRecord) -> SessionRecord:
    """The record without what could steer a terminal, in any of its texts."""
    summary = record.summary
    return SessionRecord(
        replace(
            summary,
            session_id=sanitize(summary.session_id),
            language=sanitize(summary.language or "") or None,
            title=sanitize(summary.title),
        ),
        tuple(_safe_sentence(sentence) for sentence in record.sentences),
    )


def _safe_sentence(sentence: Sentence) -> Sentence:
    return replace(
        sentence,
        text=sanitize(sentence.text),
        language=sanitize(sentence.language or "") or None,
    )
