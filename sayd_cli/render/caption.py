"""The caption: what was just said, as rows that roll up and as sentences.

Pure. Owns how much is kept and what follows on what. Refuses to know of clocks, files and
viewers: who shows a caption also says when it has been there long enough (``clear``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sayd_cli.model.report import Ended, Heard, Interim, Report
from sayd_cli.render.wrapping import clusters, separator, wrap

CAPTION_LINES = 2
CAPTION_COLUMNS = 42
"""In cells: 42 letters, or 21 Chinese characters, as subtitles have them."""

HOLD_S = 6.0
"""How long a caption stays when nothing more is said."""

_KEPT_CHARACTERS = 1500
"""Of one text, and of all sentences; more than any screen of captions shows."""


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """One row: what is final in it, then what may still change. Together they are its text."""

    final: str
    interim: str

    @property
    def text(self) -> str:
        """The whole row."""
        return self.final + self.interim


@dataclass(frozen=True, slots=True)
class CaptionSentence:
    """A final sentence of the caption.

    Attributes:
        index: Its number in the run, from 0.
        text: What was said, after the space that separates it from what is before it, if any.
    """

    index: int
    text: str


class Caption:
    """The caption of one run, made of its reports.

    Args:
        lines: Rows to keep; 1 or more.
        columns: The width of a row, in cells; 2 or more.
    """

    def __init__(self, lines: int = CAPTION_LINES, columns: int = CAPTION_COLUMNS) -> None:
        self._lines = lines
        self._columns = columns
        self._sentences: deque[CaptionSentence] = deque()
        self._heard = 0
        self._full: deque[str] = deque(maxlen=lines)
        self._open = ""
        self._interim = ""
        self._cleared_interim = ""

    @property
    def sentences(self) -> tuple[CaptionSentence, ...]:
        """The latest final sentences, oldest first; their texts follow on each other."""
        return tuple(self._sentences)

    @property
    def interim(self) -> str:
        """What comes after the sentences and may still change, after its separating space."""
        return separator(self._open, self._interim) + self._interim

    @property
    def rows(self) -> tuple[CaptionRow, ...]:
        """The last rows, oldest first. None is empty; final text keeps its place in them."""
        text = self._open + self.interim
        cut = len(self._open)
        rows = [CaptionRow(row, "") for row in self._full]
        for part in wrap(text, self._columns):
            final, interim = text[part.start : cut], text[max(part.start, cut) : part.stop]
            rows.append(CaptionRow(final[: part.stop - part.start], interim))
        return tuple(rows[-self._lines :])

    def take(self, report: Report) -> bool:
        """Take one report; True when the caption is another one now."""
        match report:
            case Heard():
                self._hear(_newest(report.sentence.text))
                return True
            case Interim():
                return self._expect(_newest(report.text))
            case Ended():
                return self._expect("")
            case _:
                return False

    def clear(self) -> bool:
        """Empty the caption; True when it was not. What is said next begins a row."""
        if not (self._sentences or self._interim):
            return False
        self._sentences.clear()
        self._full.clear()
        self._open = ""
        # A service may say the same again and again: that does not bring it back.
        self._cleared_interim, self._interim = self._interim, ""
        return True

    def _hear(self, sentence: str) -> None:
        text = separator(self._open, sentence) + sentence
        self._sentences.append(CaptionSentence(self._heard, text))
        self._heard += 1
        while sum(len(kept.text) for kept in self._sentences) > _KEPT_CHARACTERS + 1:
            self._sentences.popleft()
        flow = self._open + text
        *full, last = wrap(flow, self._columns) or [slice(0)]
        self._full.extend(flow[row] for row in full)
        self._open = flow[last]
        self._interim = self._cleared_interim = ""

    def _expect(self, interim: str) -> bool:
        if interim == self._interim or (interim and interim == self._cleared_interim):
            return False
        self._interim, self._cleared_interim = interim, ""
        return True


def _newest(text: str) -> str:
    """The text; of one that is too long to be shown, its end. A service may send a megabyte."""
    text = text.strip()
    if len(text) <= _KEPT_CHARACTERS:
        return text
    newest = text[-_KEPT_CHARACTERS:]
    return newest[len(next(clusters(newest))) :].lstrip()
