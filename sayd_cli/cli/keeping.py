"""Keeping what is heard in the history, as it is heard."""

from __future__ import annotations

import logging
from typing import Self

from sayd_cli.errors import StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.report import Ended, EndReason, Heard, Notice, Progress, Report, Started
from sayd_cli.model.session import SessionSettings
from sayd_cli.render.sinks import Sink

_log = logging.getLogger(__name__)


class HistoryKeeper:
    """A sink that keeps a run in the history: each sentence is on the disk before it is shown.

    A history that cannot be written is said once, and ends no transcription. A context manager:
    leaving it finishes a session that never came to its end.

    Args:
        store: The history, already open.
        settings: What was asked of the session.
        title: What the user calls it.
        told: Who is told when the history fails.
    """

    def __init__(
        self,
        store: SessionStore,
        settings: SessionSettings,
        title: str,
        told: Sink,
    ) -> None:
        self._store = store
        self._settings = settings
        self._title = title
        self._told = told
        self._session_id: str | None = None
        self._required = False
        self._captured_s = 0.0

    def resume(self, session_id: str | None) -> None:
        """Go on with a session that was interrupted; to be called first, if at all.

        What is recovered is recovered into the history: from now on ``take`` raises StorageError
        when it cannot be written, so that the audio is kept.

        Args:
            session_id: Its name in the history; None where it has none, and gets a new one.
        """
        self._session_id = session_id
        self._required = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._session_id is None:
            return
        try:
            self._store.finish(self._session_id, self._captured_s)
        except StorageError as exc:
            # The run has failed already, and with more to say than this.
            _log.warning("the session is not finished in the history: %s", exc.message)

    def take(self, report: Report) -> None:
        """Keep one report."""
        try:
            self._keep(report)
        except StorageError as exc:
            if self._required:
                raise
            self._session_id = None
            self._told.take(Notice(f"not kept in the history: {exc.message}"))

    def _keep(self, report: Report) -> None:
        if isinstance(report, Started) and self._session_id is None:
            self._store.create(
                report.session_id,
                settings=self._settings,
                created_at=report.started_at,
                backend=report.backend,
                title=self._title,
            )
            self._session_id = report.session_id
        elif self._session_id is None:
            return
        elif isinstance(report, Heard):
            self._store.add_sentence(self._session_id, report.sentence)
        elif isinstance(report, Progress):
            self._captured_s = report.captured_s
        elif isinstance(report, Ended):
            confirmed = report.reason is not EndReason.ERROR
            self._store.finish(self._session_id, report.duration_s, confirmed=confirmed)
            self._session_id = None
