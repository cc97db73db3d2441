"""Where the loop stands, for those who show it: one phase out of what capture and connection do."""

from __future__ import annotations

from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.ports import Sink
from sayd_cli.model.report import Phase, Progress


class Standing:
    """Collects what goes on, and reports it whenever it changes.

    Args:
        backlog: How much is captured and sent.
        sink: Who is told.
    """

    def __init__(self, backlog: Backlog, sink: Sink) -> None:
        self._backlog = backlog
        self._sink = sink
        self._service = Phase.STARTING
        self._capture = Phase.LISTENING
        self._level_dbfs: float | None = None
        self._peak_dbfs: float | None = None
        self._warning: str | None = None

    def service_is(self, phase: Phase) -> None:
        """What the connection does: STARTING, LISTENING, RECONNECTING or FINISHING."""
        self._service = phase
        self._report()

    def capture_is(self, phase: Phase) -> None:
        """What the capture does: LISTENING, PAUSED or WAITING."""
        self._capture = phase
        self._level_dbfs = self._peak_dbfs = None
        self._report()

    def heard(self, level_dbfs: float, peak_dbfs: float, warning: str | None) -> None:
        """How loud the last frame was, and what is wrong with the audio, if anything."""
        self._level_dbfs, self._peak_dbfs, self._warning = level_dbfs, peak_dbfs, warning
        self._report()

    def _report(self) -> None:
        # What the service does is the rarer news, and the more important.
        listening = self._service is Phase.LISTENING
        self._sink.take(
            Progress(
                self._capture if listening else self._service,
                self._backlog.captured_s,
                self._backlog.sent_s,
                self._level_dbfs,
                self._peak_dbfs,
                self._warning,
            )
        )
