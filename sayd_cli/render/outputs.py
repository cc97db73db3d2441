"""Results into files of the user's: ``-o FILE``, in the format that the name says.

Owns the files, and what happens where one cannot be written: the run goes on without it. Each
report is one write, of whole lines and whole cues, so that a player, ``tail -f`` or an editor
finds a whole file at any instant. A named pipe or ``/dev/stdout`` is written to as it can take it.
Refuses to know what the formats look like.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import select
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, Self

from sayd_cli.errors import StorageError, UsageError
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.report import Notice, Report, Started
from sayd_cli.render.sinks import Sink
from sayd_cli.transcript.formats import Format, encoder

_log = logging.getLogger(__name__)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".txt": Format.TEXT,
        ".jsonl": Format.JSONL,
        ".srt": Format.SRT,
        ".vtt": Format.VTT,
        ".md": Format.MD,
    }
)
"""The format that a suffix means."""

_OWN_DESCRIPTOR = re.compile(r"/dev/(?:(?P<name>stdout|stderr)|fd/(?P<number>[0-9]{1,4}))\Z")
_NUMBERS = {"stdout": 1, "stderr": 2}

_WAITING_BYTES = 1 << 20
"""What may wait for the reader of a pipe: a day of speech. Beyond, the pipe is given up."""

_PIECE_BYTES: int = getattr(select, "PIPE_BUF", 512)
"""A pipe that takes anything takes so much at once, without waiting."""

_LAST_CHANCE_S = 2.0
"""How long the reader of a pipe may take for the rest, at the end."""

_POLL_S = 0.05


def format_of(path: Path) -> Format:
    """The format in which to write to a path.

    Pipes and devices without a suffix, such as ``/dev/stdout``, get text.

    Raises:
        UsageError: Its suffix means no format.
    """
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    if not suffix and _is_channel(path):
        return Format.TEXT
    known = ", ".join(FORMATS)
    if suffix == ".json":
        raise UsageError(f"{path} would not be one JSON document", "JSON lines go to a .jsonl file")
    raise UsageError(f"the name {str(path)!r} tells no format", f"let it end in one of {known}")


def check_distinct(written: Mapping[str, Path | None], used: Mapping[str, Path | None]) -> None:
    """Refuse a file that would be written twice, or while it is read; nothing is touched.

    Args:
        written: What will be written, by what the user calls it, such as ``--record``.
        used: What must not be, in the same way.

    Raises:
        UsageError: For the first that will not do.
    """
    seen = {_identity(path): name for name, path in used.items() if path is not None}
    for name, path in written.items():
        if path is None:
            continue
        identity = _identity(path)
        if identity in seen:
            raise UsageError(f"{name} would overwrite {seen[identity]}", "name another file")
        seen[identity] = f"the file of {name}"


def standard_file(fd: int) -> Path | None:
    """The file that standard input or output is; None where it is none, but a pipe or a terminal.

    Args:
        fd: 0 or 1.
    """
    try:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return None
    return Path(f"/dev/fd/{fd}") if is_file and os.name == "posix" else None


def check_outputs(paths: Sequence[Path], *, taken: Mapping[str, Path] | None = None) -> None:
    """Refuse what cannot be written to, before anything is opened; nothing is touched.

    Args:
        paths: As the user gave them.
        taken: Other files of the run, by what the user calls them, such as ``--record``.

    Raises:
        UsageError: For the first that will not do: no format, a folder, a place that does not
            exist or may not be written, standard output's ``-``, a file named twice.
    """
    seen = {_identity(path): f"{name}" for name, path in (taken or {}).items()}
    for path in paths:
        if str(path) == "-":
            raise UsageError(
                "-o takes files; standard output gets the results anyhow",
                "choose their format there with --format",
            )
        _check_place(path)
        format_of(path)
        identity = _identity(path)
        if identity in seen:
            raise UsageError(
                f"{path} is named twice: by -o, and by {seen[identity]}", "name different files"
            )
        seen[identity] = "-o"


class OutputFile:
    """A sink that writes a run to a file as it happens.

    The file is made, or an old one emptied, when the session exists. One that fails is told of
    once, cut back to the last thing that is whole in it, and given up; the run goes on. A context
    manager: leaving it closes the file; look at ``failure`` then.

    Args:
        path: Where to; its suffix says as what. ``check_outputs`` has found it good.
        told: Who is told when it fails.
        timestamps: Show times, in formats that can do without.
        interim: Write interim text too, in formats that can tell it from final text.
        title: What the user calls it, for formats that have a heading.

    Raises:
        UsageError: On making it: the suffix means no format.
    """

    def __init__(
        self,
        path: Path,
        told: Sink,
        *,
        timestamps: bool = False,
        interim: bool = False,
        title: str = "",
    ) -> None:
        self._path = path
        self._told = told
        self._encoder = encoder(
            format_of(path), timestamps=timestamps, interim=interim, title=title
        )
        self._place: _Place | None = None
        self._is_over = False
        self._failure: StorageError | None = None

    @property
    def failure(self) -> StorageError | None:
        """Why it is not complete; None when it is."""
        return self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def take(self, report: Report) -> None:
        """Write what the report adds; raises nothing."""
        if self._is_over:
            return
        text = self._encoder.report(report)
        try:
            if self._place is None:
                if not text and not isinstance(report, Started):
                    return
                self._place = _open(self._path)
            self._place.write(_encoded(text))
        except BrokenPipeError:
            # As on standard output: it has read what it wanted.
            self._give_up(f"nobody reads {self._path} any more")
        except OSError as exc:
            self._fail(exc)

    def close(self) -> None:
        """Give the file back. Any number of times."""
        if self._place is None:
            return
        place, self._place = self._place, None
        self._is_over = True
        try:
            place.close()
        except BrokenPipeError:
            _log.info("nobody reads %s any more", self._path)
        except OSError as exc:
            # Whoever closes it looks; to tell it as well would be to say it twice in a row.
            self._failed(exc)

    def _fail(self, exc: OSError) -> None:
        self._give_up(self._failed(exc).message)

    def _failed(self, exc: OSError) -> StorageError:
        self._failure = _incomplete(self._path, exc)
        self._failure.__cause__ = exc
        return self._failure

    def _give_up(self, why: str) -> None:
        self._is_over = True
        place, self._place = self._place, None
        if place is not None:
            place.abandon()
        self._told.take(Notice(why))


def write_record(
    path: Path, record: SessionRecord, *, timestamps: bool = False, title: str = ""
) -> None:
    """Write a past session to a file, in the format that its suffix says.

    Raises:
        UsageError: The suffix means no format.
        StorageError: It cannot be written; what was there before may be gone.
    """
    text = encoder(format_of(path), timestamps=timestamps, title=title).record(record)
    try:
        place = _open(path)
        try:
            place.write(_encoded(text))
            place.close()
        except OSError:
            place.abandon()
            raise
    except OSError as exc:
        raise _incomplete(path, exc) from exc


class _Place(Protocol):
    """Somewhere that takes bytes, in order."""

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            OSError: Not all of it is written.
        """
        ...

    def close(self) -> None:
        """Give it back, after all is written."""
        ...

    def abandon(self) -> None:
        """Give it back as it is; raises nothing, and may follow ``close``."""
        ...


class _File:
    """An ordinary file, emptied at first."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._fd: int | None = os.open(path, flags, 0o666)  # a result: the umask decides
        self._whole_bytes = 0

    def write(self, data: bytes) -> None:
        assert self._fd is not None
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._whole_bytes += len(data)

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def abandon(self) -> None:
        if self._fd is None:
            return
        # What a full disk took of the last write.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._whole_bytes)
        with contextlib.suppress(OSError):
            self.close()


class _Channel:
    """A pipe, a terminal or another device. Never waits for its reader but at the end: what the
    reader has not taken, or nobody reads yet, waits here.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += data
        self._pass_on()
        if len(self._waiting) > _WAITING_BYTES:
            raise OSError(errno.EAGAIN, "its reader is too slow")

    def close(self) -> None:
        end_s = time.monotonic() + _LAST_CHANCE_S
        try:
            while self._waiting and time.monotonic() < end_s:
                self._pass_on()
                if self._waiting:
                    time.sleep(_POLL_S)
        except OSError:
            self.abandon()
            raise
        unread, nobody = bool(self._waiting), self._fd is None
        self.abandon()
        if unread:
            raise OSError(errno.EAGAIN, "nobody reads it" if nobody else "its reader is too slow")

    def abandon(self) -> None:
        self._waiting.clear()
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with contextlib.suppress(OSError):
                os.close(fd)

    def _pass_on(self) -> None:
        if self._fd is None:
            self._fd = self._open()
        while self._fd is not None and self._waiting and _takes(self._fd):
            del self._waiting[: os.write(self._fd, self._waiting[:_PIECE_BYTES])]

    def _open(self) -> int | None:
        """None while nobody has a named pipe open to read from it."""
        own = _own_descriptor(self._path)
        if own is not None:
            return os.dup(own)
        flags = os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            fd = os.open(self._path, flags)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                return None
            raise
        return fd


def _open(path: Path) -> _Place:
    return _Channel(path) if _is_channel(path) else _File(path)


def _takes(fd: int) -> bool:
    """Whether a piece can be written without waiting."""
    if not hasattr(select, "poll"):
        return True  # Windows: what is no file there is a device
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))  # a reader that has gone counts: the write says so


def _is_channel(path: Path) -> bool:
    """Whether it is no file: what cannot be emptied, or is not ours to empty."""
    if _own_descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _own_descriptor(path: Path) -> int | None:
    """The number of the open descriptor of ours that a path names."""
    match = _OWN_DESCRIPTOR.match(str(path))
    if match is None:
        return None
    return int(match["number"]) if match["number"] else _NUMBERS[match["name"]]


def _check_place(path: Path) -> None:
    own = _own_descriptor(path)
    if own is not None:
        try:
            os.fstat(own)
        except OSError as exc:
            raise UsageError(
                f"cannot write to {path}: {exc.strerror}", "open it, or name a file"
            ) from exc
        return
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        folder = path.parent
        if not folder.is_dir():
            raise UsageError(
                f"cannot write {path}: there is no folder {folder}", "make it first"
            ) from None
        if not _may(folder, os.W_OK | os.X_OK):
            raise UsageError(
                f"cannot write {path}: the folder {folder} is read-only to you",
                "name another folder",
            ) from None
        return
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror}", "name another file") from exc
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a folder", "name a file in it")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise UsageError(f"{path} is no file", "name a file, or a named pipe")
    if not _may(path, os.W_OK):
        raise UsageError(f"cannot write {path}: it is read-only to you", "name another file")


def _may(path: Path, mode: int) -> bool:
    # As opening it asks: by the effective user, where the system tells users apart so.
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _identity(path: Path) -> tuple[int, int] | str:
    """Equal for two names of one file, whether it exists or not."""
    try:
        status = path.stat()
    except OSError:
        return os.path.normcase(os.path.realpath(path))
    # A file system without numbers for its files has 0.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _incomplete(path: Path, exc: OSError) -> StorageError:
    return StorageError(
        f"{path} is not complete: {exc.strerror}", "make room, or name another place"
    )
