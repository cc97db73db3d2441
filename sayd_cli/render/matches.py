"""What a search has found, a line each: which session, when, and the words with the match in bold.

Owns the layout. Refuses to know how it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, TextIO

from sayd_cli.model.match import Match
from sayd_cli.render.terminal import size, write
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import timestamp

if TYPE_CHECKING:
    from rich.text import Text

_GAP = "  "


def write_matches(stream: TextIO, matches: Sequence[Match], zone: tzinfo | None = None) -> None:
    """Write a line for each: the session's short name, when it began, where the sentence begins in
    it, and the sentence. In a pipe with tabs between, and nothing is marked.

    Args:
        stream: Where to.
        matches: What was found.
        zone: Where times of day are told; None for this machine's zone.

    Raises:
        OSError: As the stream raises it; BrokenPipeError when its reader has gone.
    """
    from rich.console import Console

    # It knows of NO_COLOR, FORCE_COLOR and TERM; emphasis is no colour.
    console = Console(file=stream, width=size(stream).columns, highlight=False)
    if not console.is_terminal:
        write(stream, "".join(_fields(match, zone) for match in matches))
        return
    with console.capture() as capture:
        for match in matches:
            # The terminal wraps: what is copied from it stays one line.
            console.print(_line(match, zone), soft_wrap=True)
    write(stream, capture.get())


def _fields(match: Match, zone: tzinfo | None) -> str:
    return "\t".join((*_heading(match, zone), sanitize(match.sentence.text))) + "\n"


def _heading(match: Match, zone: tzinfo | None) -> tuple[str, str, str]:
    began = match.session.created_at
    return (
        sanitize(match.short_id).strip(),
        "" if began is None else began.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
        timestamp(match.sentence),
    )


def _line(match: Match, zone: tzinfo | None) -> Text:
    from rich.text import Text

    line = Text("".join(f"{part}{_GAP}" for part in _heading(match, zone) if part))
    text, end = match.sentence.text, 0
    for span in match.spans:
        line.append(sanitize(text[end : span.start]))
        line.append(sanitize(text[span.start : span.end]), style="bold")
        end = span.end
    line.append(sanitize(text[end:]))
    return line
