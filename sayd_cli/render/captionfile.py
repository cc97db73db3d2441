"""The caption as a file that others read while it changes: OBS, a status bar, ``watch cat``.

Owns when and how the file is replaced. A thread writes, so that a slow disk holds up nothing
else. What the caption says is ``caption``'s.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
import threading
from pathlib import Path
from time import monotonic
from typing import Self

from sayd_cli.errors import UsageError
from sayd_cli.model.report import Notice, Report
from sayd_cli.render.caption import CAPTION_COLUMNS, CAPTION_LINES, HOLD_S, Caption
from sayd_cli.render.sinks import Sink

_EVERY_S = 0.1
"""Between two replacements: no reader sees more, and each is work for the disk."""

_TRIES = 5
"""Before a failure is said: on Windows a file cannot be replaced while somebody reads it."""

_PATIENCE_S = 2.0
"""How long leaving waits for a disk that takes nothing."""

_log = logging.getLogger(__name__)


class CaptionFile:
    """A sink that keeps the latest caption in a file: UTF-8, its rows separated by line feeds,
    without one at the end, which programs would show as an empty row.

    The file is there, and empty, from entering the context on; it is empty again when nothing was
    said for some seconds, and after the run. It is replaced as a whole at every change, ten times
    a second at most, so a reader never finds half a caption; the last change is never left out.
    Where the path is a symbolic link, what it points to is replaced. A file that cannot be
    written any more is said once, and ends no transcription.

    Args:
        path: The file; what is in it goes.
        told: Who is told when the file cannot be written; from ``take``.
        lines: Rows to show; 1 or more.
        columns: The width of a row, in cells; 2 or more.
        hold_s: Seconds without new text after which it is emptied.
        every_s: Seconds between two replacements, at least.

    Raises:
        UsageError: On entering: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        told: Sink,
        lines: int = CAPTION_LINES,
        columns: int = CAPTION_COLUMNS,
        hold_s: float = HOLD_S,
        every_s: float = _EVERY_S,
    ) -> None:
        self._path = path
        self._told = told
        self._hold_s = hold_s
        self._every_s = every_s
        self._target = path
        self._thread = threading.Thread(target=self._keep_up, name="caption-file", daemon=True)
        self._changed = threading.Condition()
        # All below is shared with the thread, under the condition.
        self._caption = Caption(lines, columns)
        self._clear_at_s: float | None = None
        self._leaving = False
        self._failure: OSError | None = None
        self._said = False

    def __enter__(self) -> Self:
        try:
            self._target = Path(os.path.realpath(self._path))
            self._check()
            self._replace("")
        except (OSError, ValueError) as exc:  # The latter: a name with a null character.
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise UsageError(
                f"cannot write the caption to {self._path}: {why}", "name another --caption-file"
            ) from exc
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._changed:
            self._leaving = True
            self._changed.notify()
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive() or self._failure is not None:
            # It was said, or would come after the last word.
            _log.warning("the caption file is not emptied")

    def take(self, report: Report) -> None:
        """Take one report; returns at once."""
        with self._changed:
            if self._caption.take(report):
                self._clear_at_s = monotonic() + self._hold_s
                self._changed.notify()
            failure = None if self._said else self._failure
            self._said = self._said or failure is not None
        if failure is not None:
            self._told.take(
                Notice(f"the caption cannot be written to {self._path}: {failure.strerror}")
            )

    def _keep_up(self) -> None:
        written = ""
        while True:
            text, leaving = self._next(written)
            if text != written:
                failure = self._try(text)
                written = text
                with self._changed:
                    self._failure = failure
            if leaving:
                break
            with self._changed:
                self._changed.wait_for(lambda: self._leaving, self._every_s)
        failure = self._try("") if written else None
        with self._changed:
            self._failure = self._failure or failure

    def _next(self, written: str) -> tuple[str, bool]:
        """Wait for what is to be written next; with whether it is the last."""
        with self._changed:
            while True:
                left_s = None if self._clear_at_s is None else self._clear_at_s - monotonic()
                if left_s is not None and left_s <= 0:
                    self._caption.clear()
                    self._clear_at_s = left_s = None
                text = "\n".join(row.text for row in self._caption.rows)
                if text != written or self._leaving:
                    return text, self._leaving
                self._changed.wait(left_s)

    def _try(self, text: str) -> OSError | None:
        """Replace the file; why not, where it cannot be."""
        failure = None
        for _ in range(_TRIES):
            try:
                self._replace(text)
            except OSError as exc:
                failure = exc
            else:
                return None
            with self._changed:
                if self._changed.wait_for(lambda: self._leaving, self._every_s):
                    break
        return failure

    def _check(self) -> None:
        """Refuse what replacing would do more to than write to it."""
        try:
            mode = self._target.stat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "it is a folder")
        if not stat.S_ISREG(mode):
            raise OSError(None, "it is not a file")
        if not os.access(self._target, os.W_OK):
            raise PermissionError(None, "it is read-only")

    def _replace(self, text: str) -> None:
        # Next to it: only within one file system does a name change hands in one step. Its own
        # name may be as long as names can be, so it is not part of this one.
        beside = self._target.with_name(f".sayd-caption-{secrets.token_hex(8)}.tmp")
        try:
            with beside.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
                file.write(text)
            beside.replace(self._target)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
