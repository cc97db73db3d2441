"""A past session as it is kept: what it was, and what was heard in it."""

from __future__ import annotations

from dataclasses import dataclass

from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session with its sentences, in order."""

    summary: SessionSummary
    sentences: tuple[Sentence, ...] = ()
