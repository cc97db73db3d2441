"""Keeping what is heard in the history, as it is heard."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from sayd_cli.errors import StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.report import Ended, EndReason, Heard, Notice, Progress, Report, Started
from sayd_cli.model.session import SessionSettings
from sayd_cli.render.sinks import Sink

_log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 0.1
"""How long a try waits for another process that writes. Nothing else goes on meanwhile, and what is
captured is not yet on the disk."""

_TRY_AGAIN_AFTER_S = 1.0
_TRIES_AT_THE_END = 50
"""When nothing else goes on any more: five seconds, where another process writes."""

_TOLD_AFTER_S = 3.0
"""A shorter failure is nobody's business: what it delayed is kept by then."""


class HistoryKeeper:
    """A sink that keeps a run in the history: each sentence is on the disk before it is shown.

    A history that cannot be written ends no transcription: that is said, and what it lacks is
    written when it can be. A context manager: leaving it finishes a session that never came to
    its end.

    Args:
        store: The history, already open.
        settings: What was asked of the session.
        title: What the user calls it.
        told: Who is told when the history fails.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        store: SessionStore,
        settings: SessionSettings,
        title: str,
        told: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._title = title
        self._told = told
        self._clock = clock
        self._session_id: str | None = None
        self._began: Started | None = None
        self._required = False
        self._captured_s = 0.0
        # In the order in which it came; empty as long as the history takes everything.
        self._unkept: deque[Started | Heard | Ended] = deque()
        self._failing_since_s: float | None = None
        self._tried_at_s = 0.0
        self._is_told = False

    def resume(self, session_id: str | None) -> None:
        """Go on with a session that was interrupted; to be called first, if at all.

        What is recovered is recovered into the history: from now on ``take`` raises StorageError
        when it cannot be written, so that the audio is kept.

        Args:
            session_id: Its name in the history; None where it has none, and gets a new one.
        """
        self._session_id = session_id
        self._required = True

    @property
    def has_everything(self) -> bool:
        """All that was heard is in the history, so that its audio is not needed any more."""
        return not any(isinstance(report, Heard) for report in self._unkept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._session_id is None:
            return
        try:
            self._keep_all()
            self._store.finish(self._session_id, self._captured_s)
        except StorageError as exc:
            # The run has failed already, and with more to say than this.
            _log.warning("the session is not finished in the history: %s", exc.message)

    def take(self, report: Report) -> None:
        """Keep one report, and what could not be kept before it."""
        match report:
            case Progress():
                self._captured_s = report.captured_s
            case Started() if self._session_id is None:
                self._session_id = report.session_id
                self._began = report
                self._unkept.append(report)
            case Heard() | Ended() if self._session_id is not None:
                self._unkept.append(report)
        over = isinstance(report, Ended)
        if self._unkept and (over or not self._waits()):
            self._keep_or_tell(over=over)
        if over:
            self._session_id = None

    def _waits(self) -> bool:
        return (
            self._failing_since_s is not None
            and self._clock() < self._tried_at_s + _TRY_AGAIN_AFTER_S
        )

    def _keep_or_tell(self, *, over: bool) -> None:
        for tries_left in reversed(range(_TRIES_AT_THE_END if over else 1)):
            try:
                self._keep_all()
            except StorageError as exc:
                if self._required:
                    raise
                if not tries_left:
                    self._has_failed(exc, over=over)
            else:
                if self._is_told:
                    self._told.take(Notice("the history has everything again"))
                self._failing_since_s, self._is_told = None, False
                return

    def _has_failed(self, exc: StorageError, *, over: bool) -> None:
        self._tried_at_s = self._clock()
        if self._failing_since_s is None:
            self._failing_since_s = self._tried_at_s
        lasts = self._tried_at_s - self._failing_since_s >= _TOLD_AFTER_S
        if (lasts or over) and not self._is_told:
            self._is_told = True
            self._told.take(Notice(f"not kept in the history: {exc.message}"))
        lacking = sum(isinstance(report, Heard) for report in self._unkept)
        if over and lacking:
            what = "sentence is" if lacking == 1 else "sentences are"
            self._told.take(Notice(f"{lacking} {what} not in the history"))

    def _keep_all(self) -> None:
        while self._unkept:
            self._keep(self._unkept[0])
            self._unkept.popleft()

    def _keep(self, report: Started | Heard | Ended) -> None:
        assert self._session_id is not None  # nothing is taken before a run has begun
        if isinstance(report, Started):
            self._create(report)
        elif isinstance(report, Heard):
            try:
                self._store.add_sentence(self._session_id, report.sentence)
            except StorageError:
                if self._began is None or self._store.find(self._session_id) is not None:
                    raise
                # Deleted while it goes on: what is heard from now on was not meant.
                self._create(self._began)
                self._store.add_sentence(self._session_id, report.sentence)
        else:
            confirmed = report.reason is not EndReason.ERROR
            self._store.finish(self._session_id, report.duration_s, confirmed=confirmed)

    def _create(self, began: Started) -> None:
        self._store.create(
            began.session_id,
            settings=self._settings,
            created_at=began.started_at,
            backend=began.backend,
            title=self._title,
        )
