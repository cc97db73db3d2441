"""The text format: a sentence a line, for people and for ``grep``."""

from __future__ import annotations

from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Heard, Report
from sayd_cli.model.transcript import Sentence


def clock(seconds: float) -> str:
    """A time as ``HH:MM:SS.t``, rounded to tenths of a second; hours as many as it takes."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"


def timestamp(sentence: Sentence) -> str:
    """Where a sentence begins, as ``[00:00:01.2]``; ``[~00:00:01.2]`` when that was derived."""
    return f"[{'~' if sentence.approximate else ''}{clock(sentence.start_s)}]"


def wording(sentence: Sentence) -> str:
    """The text of a sentence, marked where the service never confirmed it."""
    return f"{sentence.text} [unconfirmed]" if sentence.unconfirmed else sentence.text


class TextEncoder:
    """Reports and records as lines of text.

    Args:
        timestamps: Begin each line with where its sentence begins.
    """

    def __init__(self, *, timestamps: bool) -> None:
        self._timestamps = timestamps

    def report(self, report: Report) -> str:
        """What is to be written for a report: a line for each sentence, else nothing."""
        return self._line(report.sentence) if isinstance(report, Heard) else ""

    def record(self, record: SessionRecord) -> str:
        """A whole past session."""
        return "".join(self._line(sentence) for sentence in record.sentences)

    def _line(self, sentence: Sentence) -> str:
        prefix = f"{timestamp(sentence)} " if self._timestamps else ""
        return f"{prefix}{wording(sentence)}\n"
