"""Keeping what is heard in the history, as it is heard."""

from __future__ import annotations

from sayd_cli.errors import StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.report import Ended, Heard, Notice, Report, Started
from sayd_cli.model.session import SessionSettings
from sayd_cli.render.sinks import Sink


class HistoryKeeper:
    """A sink that keeps a run in the history: each sentence is on the disk before it is shown.

    A history that cannot be written is said once, and ends no transcription.

    Args:
        store: The history, already open.
        settings: What was asked of the session.
        title: What the user calls it.
        told: Who is told when the history fails.
    """

    def __init__(
        self, store: SessionStore, settings: SessionSettings, title: str, told: Sink
    ) -> None:
        self._store = store
        self._settings = settings
        self._title = title
        self._told = told
        self._session_id: str | None = None

    def take(self, report: Report) -> None:
        """Keep one report."""
        try:
            self._keep(report)
        except StorageError as exc:
            self._session_id = None
            self._told.take(Notice(f"not kept in the history: {exc.message}"))

    def _keep(self, report: Report) -> None:
        if isinstance(report, Started):
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
        elif isinstance(report, Ended):
            self._store.finish(self._session_id, report.duration_s)
