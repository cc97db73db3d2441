"""Results down a pipe: what an encoder makes of each report, written at once."""

from __future__ import annotations

from typing import TextIO

from sayd_cli.model.report import Report
from sayd_cli.render.terminal import write
from sayd_cli.transcript.formats import Format, encoder


class PlainWriter:
    """A sink that writes each result as it comes, and flushes it.

    Args:
        stream: Where to; never closed here.
        format_: As what.
        timestamps: Show times, in formats that can do without.
        interim: Write interim text too, in formats that can tell it from final text.
        title: What the user calls it, for formats that have a heading.
    """

    def __init__(
        self,
        stream: TextIO,
        format_: Format,
        *,
        timestamps: bool = False,
        interim: bool = False,
        title: str = "",
    ) -> None:
        self._stream = stream
        self._encoder = encoder(format_, timestamps=timestamps, interim=interim, title=title)

    def take(self, report: Report) -> None:
        """Write what the report adds.

        Raises:
            BrokenPipeError: The reader has gone.
        """
        if text := self._encoder.report(report):
            write(self._stream, text)
