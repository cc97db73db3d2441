"""Several sinks as one."""

from __future__ import annotations

from typing import Protocol

from sayd_cli.model.report import Report


class Sink(Protocol):
    """Somebody who is told what happens."""

    def take(self, report: Report) -> None:
        """Take one report."""
        ...


class Tee:
    """Hands each report to every sink, in the order given.

    What one raises goes to the caller at once, and those after it do not get that report: put
    first what must not miss any.
    """

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def take(self, report: Report) -> None:
        """Pass one report on."""
        for sink in self._sinks:
            sink.take(report)
