"""The live view of a terminal: final sentences scroll up and stay; what goes on now is below.

Owns when the screen is redrawn: at once for text that stays, else ten times a second at most,
however much is reported. A thread draws, so that a terminal that takes nothing (Ctrl-S, a slow
line) holds up neither the microphone nor the service. Refuses to know what the rows say and how
they get onto the screen.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from time import monotonic
from types import TracebackType
from typing import TextIO, TypeGuard

from sayd_cli.model.report import Heard, Notice, Report
from sayd_cli.model.session import BackendName
from sayd_cli.render.canvas import Canvas
from sayd_cli.render.terminal import can_move_cursor, size, write
from sayd_cli.render.view import View
from sayd_cli.transcript.sanitize import sanitize
from sayd_cli.transcript.text import TextEncoder

_REDRAW_EVERY_S = 0.1
_REST_S = 0.02
"""Between two drawings whatever comes: a burst of sentences becomes a few writes."""
_RESIZED_WITHIN_S = 0.25
"""The longest that a resize goes unnoticed while nothing is reported."""
_HIDDEN_S = 0.5
"""After each time that tmux made the screen narrower. While the edge of a pane is dragged, it
tells so every 250 ms; rows drawn between would each time move others into its history.
"""
_SUSPENDED_WITHIN_S = 1.0
_WAITING = 1000
"""Sentences and notices that may wait for the terminal; then ``take`` waits: none is dropped."""

_log = logging.getLogger(__name__)


class LiveView:
    """A sink that shows a run on a terminal, from entering its context to leaving it.

    Leaving it takes away what is not final and gives the cursor back, whatever happened. On a
    stream that is no terminal, or one that cannot move its cursor, only the lines that stay are
    written, as they come. When the terminal goes away, the rest is not shown.

    Args:
        stream: The terminal; standard output, or standard error beside a pipe.
        backend: Where the words come from, for the status line.
        timestamps: Begin each sentence with its time.
        show_finals: Show the final sentences; without, only notices stay.
        keys: Keys work: tell of them in the status line.
        paced: The audio comes at a pace of its own: tell how far the service is behind it.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        backend: BackendName,
        timestamps: bool = False,
        show_finals: bool = True,
        keys: bool = False,
        paced: bool = True,
    ) -> None:
        self._stream = stream
        self._timestamps = timestamps
        self._show_finals = show_finals
        self._canvas = Canvas(stream, timestamps=timestamps)
        self._moves = can_move_cursor(stream) and not self._canvas.is_outdated
        self._thread = threading.Thread(target=self._draw, name="live-view", daemon=True)
        self._changed = threading.Condition()
        # All below is shared with the thread, under the condition.
        self._view = View(backend, keys=keys, paced=paced)
        self._waiting: deque[Heard | Notice] = deque()
        self._stale = True
        self._urgent = False
        self._leaving = False
        self._suspended = False
        self._off_screen = False
        self._disturbed = False
        self._gone = False
        self._failure: Exception | None = None

    def __enter__(self) -> LiveView:
        if self._moves:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._moves:
            return
        with self._changed:
            self._leaving = True
            self._changed.notify_all()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def take(self, report: Report) -> None:
        """Take one report; returns at once unless a thousand lines wait for the terminal.

        Raises:
            OSError: Only where lines are written as they come; BrokenPipeError for a pipe whose
                reader has gone.
        """
        if not self._moves:
            if self._stays(report):
                self._write_plainly(report)
            return
        with self._changed:
            if self._stays(report):
                self._changed.wait_for(lambda: len(self._waiting) < _WAITING or self._gone)
                if not self._gone:
                    self._waiting.append(report)
            phase = self._view.phase
            self._view.take(report)
            urgent = self._stays(report) or phase is not self._view.phase
            if (urgent and not self._urgent) or not self._stale:
                self._changed.notify_all()
            self._stale = True
            self._urgent = self._urgent or urgent

    def suspend(self) -> None:
        """Leave the screen to others until ``resume``: what is not final goes, and the cursor is
        given back. Lines that stay are still written, as a job in the background does.

        Returns when that is done, or after a second on a terminal that takes nothing.
        """
        if not self._moves:
            return
        with self._changed:
            self._suspended, self._off_screen = True, False
            self._stale = self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._off_screen or self._gone, _SUSPENDED_WITHIN_S)

    def resume(self) -> None:
        """Draw again, below whatever is on the screen now; also without ``suspend``, after others
        have used the screen.
        """
        with self._changed:
            self._suspended, self._disturbed = False, True
            self._stale = self._urgent = True
            self._changed.notify_all()

    def _stays(self, report: Report) -> TypeGuard[Heard | Notice]:
        return isinstance(report, Notice) or (isinstance(report, Heard) and self._show_finals)

    def _write_plainly(self, report: Heard | Notice) -> None:
        if isinstance(report, Heard):
            write(self._stream, TextEncoder(timestamps=self._timestamps).report(report))
        else:
            write(self._stream, f"{sanitize(report.text)}\n")

    def _draw(self) -> None:
        """The thread: draw whenever there is something new, until told to leave."""
        try:
            try:
                self._draw_until_leaving()
            finally:
                self._canvas.leave([], size(self._stream))
        except OSError as exc:
            _log.warning("the terminal has gone, the rest is not shown: %s", exc)
        except Exception as exc:  # noqa: BLE001 (the thread's boundary; raised again on leaving)
            self._failure = exc
        finally:
            with self._changed:
                self._gone = True
                self._changed.notify_all()

    def _draw_until_leaving(self) -> None:
        drawn_at, drawn_size = -_REDRAW_EVERY_S, size(self._stream)
        hidden_until, hidden = 0.0, False
        leaving = False
        while not leaving:
            with self._changed:
                while not (self._stale or self._leaving):
                    self._changed.wait(timeout=_RESIZED_WITHIN_S)
                    appears = hidden and monotonic() >= hidden_until
                    self._stale = self._stale or appears or size(self._stream) != drawn_size
                self._changed.wait_for(
                    lambda: self._urgent or self._leaving,
                    timeout=max(drawn_at + _REDRAW_EVERY_S - monotonic(), 0),
                )
                leaving = self._leaving
                before, drawn_size = drawn_size, size(self._stream)
                if drawn_size.columns < before.columns and self._canvas.is_anchored:
                    hidden_until = monotonic() + _HIDDEN_S
                hidden = monotonic() < hidden_until
                staying = tuple(self._waiting)
                self._waiting.clear()
                suspended = self._suspended
                rows = [] if hidden else self._canvas.rows(self._view, drawn_size)
                if self._disturbed:
                    self._canvas.renew()
                self._stale = self._urgent = self._disturbed = False
                self._changed.notify_all()
            if leaving or suspended:
                self._canvas.leave(staying, drawn_size)
            else:
                self._canvas.draw(staying, rows, drawn_size)
            drawn_at = monotonic()
            with self._changed:
                self._off_screen = suspended
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._leaving, timeout=_REST_S)
