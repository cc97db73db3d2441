"""The Markdown format: notes with a heading, and a paragraph for what was said in one breath.

A sentence is a line, and lines of a paragraph belong together, so that what has been written is
whole at any instant. Nothing that was said becomes mark-up: CommonMark
(https://spec.commonmark.org/0.31.2/) and what GitHub adds to it.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from sayd_cli.model.audio import GapReason
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Gap, Heard, Report, Started
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import clock

_PAUSE_S = 2.0
"""Silence from which on a new paragraph begins."""

_UNTITLED = "Transcript"

_ANYWHERE = re.compile(r"[\\`*_\[\]<>&|~$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""Emphasis, code, links, HTML, entities, tables, formulas; addresses, made links unasked."""

_AT_BEGINNING = re.compile(r"(?:(?P<number>[0-9]+)(?=[.)])|(?=[#+\-=:]))")
"""Numbered lists; headings, lists, and lines below headings and tables."""

_GAPS = {
    GapReason.DEVICE: "the microphone was away",
    GapReason.PAUSE: "paused",
    GapReason.STORAGE: "there was no room to keep it",
}


class MarkdownEncoder:
    """Reports and records as Markdown.

    Args:
        timestamps: Begin each paragraph with where its first sentence begins.
        title: The heading; that of a past session stands in where it is empty.
        zone: In which to tell when the session began; None for the one of this machine.
    """

    def __init__(
        self, *, timestamps: bool = False, title: str = "", zone: tzinfo | None = None
    ) -> None:
        self._timestamps = timestamps
        self._title = title
        self._zone = zone
        self._headed = False
        self._end_s: float | None = None
        """Where the paragraph that is open ends so far; None without one."""

    def report(self, report: Report) -> str:
        """The heading at first; a line for a sentence; a note for a gap; else nothing."""
        match report:
            case Started():
                return self._heading(report.started_at)
            case Heard():
                return self._heading(None) + self._sentence(report.sentence)
            case Gap():
                return self._heading(None) + self._gap(report)
            case _:
                return ""

    def record(self, record: SessionRecord) -> str:
        """A whole past session; what was written before does not count."""
        fresh = MarkdownEncoder(
            timestamps=self._timestamps,
            title=self._title or record.summary.title,
            zone=self._zone,
        )
        heading = fresh._heading(record.summary.created_at)
        return heading + "".join(map(fresh._sentence, record.sentences))

    def _heading(self, began: datetime | None) -> str:
        if self._headed:
            return ""
        self._headed = True
        heading = f"# {escape(self._title) or _UNTITLED}\n"
        if began is None:
            return heading
        return f"{heading}\n*{began.astimezone(self._zone):%Y-%m-%d %H:%M (UTC%z)}*\n"

    def _sentence(self, sentence: Sentence) -> str:
        text = escape(sentence.text)
        if not text:
            return ""
        if sentence.unconfirmed:
            text = f"{text} *\\[unconfirmed\\]*"
        goes_on = self._end_s is not None and sentence.start_s - self._end_s < _PAUSE_S
        self._end_s = sentence.end_s
        if goes_on:
            return f"{text}\n"
        if self._timestamps:
            text = f"`{'~' if sentence.approximate else ''}{clock(sentence.start_s)}` {text}"
        return f"\n{text}\n"

    def _gap(self, gap: Gap) -> str:
        self._end_s = None
        times = f"{clock(gap.start_s)} to {clock(gap.end_s)}"
        return f"\n---\n\n*Not heard: {times}, {_GAPS[gap.reason]}.*\n"


def escape(text: str) -> str:
    """The text on one line, so that Markdown shows it as it is."""
    text = " ".join(sanitize(text).split())
    text = _ANYWHERE.sub(r"\\\g<0>", text)
    return _AT_BEGINNING.sub(_beginning, text, count=1) if _AT_BEGINNING.match(text) else text


def _beginning(match: re.Match[str]) -> str:
    return f"{match['number'] or ''}\\"
