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


class Encoder(Protocol):
    """Turns what happened into what is to be written, line ends included."""

    def report(self, report: Report) -> str:
        """What a report adds to the output; empty for nothing."""
        ...

    def record(self, record: SessionRecord) -> str:
        """A whole past session."""
        ...


def encoder(format_: Format, *, timestamps: bool = False, interim: bool = False) -> Encoder:
    """The encoder of a format.

    Args:
        format_: Which.
        timestamps: Show times, in formats that can do without.
        interim: Write interim text too, in formats that can tell it from final text.
    """
    match format_:
        case Format.TEXT:
            return TextEncoder(timestamps=timestamps)
        case Format.JSONL:
            return JsonlEncoder(interim=interim)
