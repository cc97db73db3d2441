"""Where a run keeps its audio until it is confirmed, and what becomes of it at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sayd_cli.errors import StorageError
from sayd_cli.listening.ports import Spool
from sayd_cli.model.report import Notice, Report, Started
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.render.sinks import Sink
from sayd_cli.settings.environment import Environment
from sayd_cli.settings.paths import spool_directory
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.spool.shelf import LabelledSpool, Shelf

_log = logging.getLogger(__name__)

_WORTH_KEEPING_S = 0.2
"""Less audio than this holds no whole word."""


class KeptAudio:
    """The audio of one run. A sink: it learns the session's name from the reports.

    Args:
        spool: Where it is.
        labelled: The same with its folder; None when it is in memory only.
        resumed: It is of a run that was interrupted.
    """

    def __init__(
        self, spool: Spool, labelled: LabelledSpool | None = None, *, resumed: bool = False
    ) -> None:
        self.spool = spool
        self._labelled = labelled
        self._resumed = resumed

    @property
    def on_disk(self) -> bool:
        """What is left of it can be recovered."""
        return self._labelled is not None

    def take(self, report: Report) -> None:
        """Note under which name the history has the run."""
        labelled = self._labelled
        if labelled is None or not isinstance(report, Started) or labelled.label.session_id:
            return
        label = labelled.label
        try:
            labelled.relabel(
                SpoolLabel(
                    report.started_at,
                    label.settings,
                    label.backend,
                    label.title,
                    report.session_id,
                )
            )
        except StorageError as exc:
            # Recovered, it would be a session of its own: nothing is lost.
            _log.warning("the audio is not labelled: %s", exc.message)

    def abandon(self) -> None:
        """Nobody reads the results any more. Of a new run, that is enough; what is resumed was to
        get into the history, and stays.
        """
        if not self._resumed:
            self.settle(0.0)

    def settle(self, unconfirmed_s: float) -> str:
        """The run is over: remove what is not needed any more.

        Args:
            unconfirmed_s: Seconds of audio without confirmed words; 0 when nothing is wanted back.

        Returns:
            What the user should know; empty for nothing.
        """
        if self._labelled is None:
            return ""
        if unconfirmed_s >= _WORTH_KEEPING_S:
            shown = f"{unconfirmed_s:.{0 if unconfirmed_s >= 1 else 1}f} s"
            return f"{shown} of audio are kept: `sayd recover` finishes them"
        try:
            self._labelled.discard()
        except StorageError as exc:
            return exc.message
        self._labelled = None
        return ""


@contextmanager
def keep_audio(
    environment: Environment,
    settings: SessionSettings,
    backend: BackendName,
    title: str,
    told: Sink,
) -> Iterator[KeptAudio]:
    """A new place on disk for the audio of a run; in memory where there is none on disk."""
    label = SpoolLabel(datetime.now(UTC), settings, backend, title)
    shelf = Shelf(spool_directory(environment))
    try:
        waiting = len(shelf.interrupted())
        labelled = shelf.begin(label)
    except StorageError as exc:
        told.take(Notice(f"audio is kept in memory only: {exc.message}"))
        yield KeptAudio(MemorySpool(settings.sample_rate_hz))
        return
    if waiting:
        told.take(Notice(f"interrupted before: {waiting}; `sayd recover` finishes what is left"))
    with labelled:
        yield KeptAudio(labelled.spool, labelled)
