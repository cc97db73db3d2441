"""The formats a transcript can be written in, and the one place where a format is added."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Report
from sayd_cli.transcript.jsonl import JsonlEncoder
from sayd_cli.transcript.text import TextEncoder


class Format(StrEnum):
    """The names of the formats, as ``--format`` takes them."""

    TEXT = "text"
    JSONL = "jsonl"
    SRT = "srt"
    VTT = "vtt"
    MD = "md"


class Encoder(Protocol):
    """Turns what happened into what is to be written, line ends included."""

    def report(self, report: Report) -> str:
        """What a report adds to the output; empty for nothing."""
        ...

    def record(self, record: SessionRecord) -> str:
        """A whole past session."""
        ...


def encoder(
    format_: Format, *, timestamps: bool = False, interim: bool = False, title: str = ""
) -> Encoder:
    """A new encoder of a format, for one run or one past session.

    Args:
        format_: Which.
        timestamps: Show times, in formats that can do without.
        interim: Write interim text too, in formats that can tell it from final text.
        title: What the user calls it, for formats that have a heading.
    """
    match format_:
        case Format.TEXT:
            return TextEncoder(timestamps=timestamps)
        case Format.JSONL:
            return JsonlEncoder(interim=interim)
        case Format.SRT:
            from sayd_cli.transcript.subtitles import SrtEncoder

            return SrtEncoder()
        case Format.VTT:
            from sayd_cli.transcript.subtitles import VttEncoder

            return VttEncoder()
        case Format.MD:
            from sayd_cli.transcript.markdown import MarkdownEncoder

            return MarkdownEncoder(timestamps=timestamps, title=title)
