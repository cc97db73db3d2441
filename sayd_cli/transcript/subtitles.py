"""The subtitle formats SRT and WebVTT: cues, appended as sentences come.

What has been written is a whole file at any instant. pysubs2 does the writing; this module feeds
it one cue at a time, and owns what it leaves open: numbers that go on, what is mark-up in each
format, and times of 100 hours and more. SRT has no specification; WebVTT's is
https://www.w3.org/TR/webvtt1/. Interim text, gaps and outages have no place in either format.
"""

from __future__ import annotations

import html
import io
import re

from pysubs2 import SSAEvent, SSAFile
from pysubs2.formats.subrip import SubripFormat
from pysubs2.formats.webvtt import WebVTTFormat

from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Heard, Report, Started
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.cues import Cue, cues
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import wording

_HOUR_MS = 3_600_000
_VTT_HEADER = "WEBVTT\n\n"

_BACKSLASH = "\ufdd0"
"""Stands for a backslash on its way through pysubs2, to which a backslash begins mark-up. No text
has it: sanitize takes it out, as it is no character."""

_TAG_LIKE = re.compile(r"<(?=[A-Za-z/!?])")
_NO_BRACES = str.maketrans("{}", "()")


class _Srt(SubripFormat):
    """pysubs2's, without its end of time at 100 hours."""

    @staticmethod
    def ms_to_timestamp(ms: int) -> str:
        hours, rest_ms = divmod(ms, _HOUR_MS)
        return f"{hours:02d}{SubripFormat.ms_to_timestamp(rest_ms)[2:]}"


class _Vtt(WebVTTFormat):
    """pysubs2's, without its end of time at 100 hours."""

    @staticmethod
    def ms_to_timestamp(ms: int) -> str:
        hours, rest_ms = divmod(ms, _HOUR_MS)
        return f"{hours:02d}{WebVTTFormat.ms_to_timestamp(rest_ms)[2:]}"


class SrtEncoder:
    """Reports and records as SRT."""

    def __init__(self) -> None:
        self._number = 0
        self._end_ms = 0

    def report(self, report: Report) -> str:
        """The cues of a sentence; else nothing."""
        return self._sentence(report.sentence) if isinstance(report, Heard) else ""

    def record(self, record: SessionRecord) -> str:
        """A whole past session; what was written before does not count."""
        fresh = SrtEncoder()
        return "".join(map(fresh._sentence, record.sentences))

    def _sentence(self, sentence: Sentence) -> str:
        text = _without_srt_mark_up(sanitize(wording(sentence)))
        written = []
        for cue in cues(sentence, text, not_before_ms=self._end_ms):
            self._number += 1
            self._end_ms = cue.end_ms
            written.append(_written(_Srt, self._number, cue, "\n".join(cue.lines)))
        return "".join(written)


class VttEncoder:
    """Reports and records as WebVTT. What is not confirmed has the class ``unconfirmed``."""

    def __init__(self) -> None:
        self._header = _VTT_HEADER
        self._number = 0
        self._end_ms = 0

    def report(self, report: Report) -> str:
        """The header as it begins; the cues of a sentence; else nothing."""
        if not isinstance(report, Started | Heard):
            return ""
        header, self._header = self._header, ""
        return header + (self._sentence(report.sentence) if isinstance(report, Heard) else "")

    def record(self, record: SessionRecord) -> str:
        """A whole past session; what was written before does not count."""
        fresh = VttEncoder()
        return _VTT_HEADER + "".join(map(fresh._sentence, record.sentences))

    def _sentence(self, sentence: Sentence) -> str:
        text = sanitize(wording(sentence))
        written = []
        for cue in cues(sentence, text, not_before_ms=self._end_ms):
            self._number += 1
            self._end_ms = cue.end_ms
            shown = html.escape("\n".join(cue.lines), quote=False)
            if sentence.unconfirmed:
                shown = f"<c.unconfirmed>{shown}</c>"
            written.append(_written(_Vtt, self._number, cue, shown))
        return "".join(written)


def _written(format_: type[SubripFormat], number: int, cue: Cue, text: str) -> str:
    """One cue, with its number and a blank line after it."""
    subtitles = SSAFile()
    text = text.replace("\\", _BACKSLASH)
    subtitles.append(SSAEvent(start=cue.start_ms, end=cue.end_ms, text=text))
    file = io.StringIO()
    # "Tags" are what is between braces; they are text here.
    format_.to_file(subtitles, file, "", apply_styles=False, keep_ssa_tags=True)
    _, _, block = file.getvalue().removeprefix(_VTT_HEADER).partition("\n")
    return f"{number}\n{block}".replace(_BACKSLASH, "\\")


def _without_srt_mark_up(text: str) -> str:
    """The text as players show it literally: SRT has mark-up, and no way to escape it.

    An arrow would be a time, ``<i>`` a tag, and what is in braces, to many, a position or a style.
    """
    text = _TAG_LIKE.sub("‹", text).replace("-->", "→")  # noqa: RUF001
    return text.translate(_NO_BRACES)
