"""A past session into files, and how far that has come."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sayd_cli.errors import StorageError
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.outputs import format_of, write_record
from sayd_cli.render.terminal import can_move_cursor, size
from sayd_cli.transcript.formats import Encoder, encoder

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_DEVICES = (("dev",), ("proc",))
"""Where what looks like a file may be an open descriptor."""

_PATIENCE_S = 0.5
"""What takes no longer than this needs no progress."""


class Exporter:
    """Makes text of past sessions, and files of it. On a terminal it shows how far it has come,
    on stderr, once that takes a while. A context manager: leaving it takes the display away.

    Args:
        passes: How many times a whole session will be written.
    """

    def __init__(self, passes: int) -> None:
        self._passes = passes
        self._begin_s = 0.0
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._done = 0

    def __enter__(self) -> Self:
        self._begin_s = time.monotonic()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def text(self, encoder: Encoder, record: SessionRecord) -> str:
        """The session as the encoder has it."""
        return encoder.record(SessionRecord(record.summary, _Told(record.sentences, self)))

    def file(self, path: Path, record: SessionRecord, *, timestamps: bool = False) -> None:
        """Write the session to a file, in the format that its suffix says: all of it or nothing;
        what was there before stays until then. A pipe or a device is written to as it is.

        Raises:
            UsageError: The suffix means no format.
            StorageError: It cannot be written.
        """
        if not _is_ordinary(path):
            write_record(path, record, timestamps=timestamps)
            return
        text = self.text(encoder(format_of(path), timestamps=timestamps), record)
        try:
            _replace(path.resolve(), text.encode("utf-8", "replace"))
        except OSError as exc:
            raise StorageError(
                f"cannot write {path}: {exc.strerror}", "make room, or name another file"
            ) from exc

    def step(self, sentences: int) -> None:
        """One sentence more is done, of so many in the session."""
        self._done += 1
        if self._progress is None:
            if time.monotonic() - self._begin_s < _PATIENCE_S or not can_move_cursor(sys.stderr):
                return
            self._progress = _progress()
            self._task = self._progress.add_task("writing", total=sentences * self._passes)
            self._progress.start()
        if self._task is not None:
            self._progress.update(self._task, completed=self._done)


class _Told(tuple[Sentence, ...]):
    """Sentences that say when an encoder has come to the next: it walks through them once."""

    _exporter: Exporter

    def __new__(cls, sentences: Sequence[Sentence], exporter: Exporter) -> Self:
        told = super().__new__(cls, sentences)
        told._exporter = exporter
        return told

    def __iter__(self) -> Iterator[Sentence]:
        for sentence in super().__iter__():
            self._exporter.step(len(self))
            yield sentence


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    console = Console(file=sys.stderr, width=size(sys.stderr).columns)
    columns = ("writing", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _is_ordinary(path: Path) -> bool:
    """Whether it is, or will be, a file that can be put in the place of another."""
    return not path.exists() or (path.is_file() and path.absolute().parts[1:2] not in _DEVICES)


def _replace(path: Path, data: bytes) -> None:
    """Write a file beside it, then put that in its place."""
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    except PermissionError:
        # The folder is not ours to make files in; the file may be.
        path.write_bytes(data)
        return
    new = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        new.chmod(_mode(path))
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _mode(path: Path) -> int:
    """The mode of the file that is there; else what the user's mask leaves of the usual."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
