"""The shelf: where the spools of all listenings on this machine stand, each in its own folder.

Owns the folders' names, their labels and their locks: a folder whose lock is free belongs to a
listening that died. A lock dies with its process, however that ends. Refuses to know what is done
with what was interrupted.

A second lock, the shelf's own, is held for the moment in which a folder is made, opened or
removed, so that nobody removes what another is just making.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sayd_cli.errors import StorageError
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.spool import segments
from sayd_cli.spool.disk import BUDGET_BYTES, DiskSpool
from sayd_cli.spool.label import SpoolLabel, decode, encode
from sayd_cli.spool.memory import MEMORY_BYTES
from sayd_cli.spool.syncing import sync_folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

_LABEL = "label.json"
_NEW_LABEL = "label.json.new"
_LOCK = "lock"
_SHELF_LOCK = ".lock"
_SHELF_LOCK_LIMIT_S = 5.0
"""How long to wait for the shelf's own lock; others hold it for milliseconds."""

_ID_TIME = "%Y%m%dT%H%M%S.%fZ"
_ID = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{8}")


class LabelledSpool:
    """The spool of one listening, with its label; the folder is ours until ``close``.

    A context manager: leaving it closes. What is kept stays, to be recovered, unless ``discard``
    was called before.

    Attributes:
        spool_id: The name of its folder.
        folder: Its folder.
        label: What it is the audio of.
        spool: The audio.
    """

    def __init__(
        self, shelf: Shelf, folder: Path, label: SpoolLabel, spool: DiskSpool, lock: BaseFileLock
    ) -> None:
        self.spool_id = folder.name
        self.folder = folder
        self.label = label
        self.spool = spool
        self._shelf = shelf
        self._lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def relabel(self, label: SpoolLabel) -> None:
        """Replace the label; whoever dies meanwhile leaves the old one or the new one.

        It waits for the disk: milliseconds, or hundreds of them on a busy one.

        Raises:
            StorageError: It could not be written; the old one stands.
        """
        try:
            _write_label(self.folder, label)
        except OSError as exc:
            raise _unwritable(self.folder, exc) from exc
        self.label = label

    def close(self) -> None:
        """Take no more audio, and let others have the folder. Any number of times."""
        self.spool.close()
        self._lock.release()

    def discard(self) -> None:
        """Remove all of it: nothing of it is needed any more. Closes.

        Raises:
            StorageError: Some audio could not be removed.
        """
        try:
            self.spool.discard()
            # When this fails there is no audio left; ``interrupted`` removes the rest one day.
            with contextlib.suppress(StorageError), self._shelf.guarded():
                _remove_folder(self.folder, self._lock)
        finally:
            self.close()


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A listening that died, or ended with audio that was never confirmed.

    Attributes:
        spool_id: The name of its folder; later ones sort after earlier ones.
        label: What it is the audio of.
        audio_s: Seconds of audio that are kept.
        folder: Where.
    """

    spool_id: str
    label: SpoolLabel
    audio_s: float
    folder: Path
    _shelf: Shelf = field(repr=False, compare=False)

    def open(self) -> LabelledSpool:
        """Take it, and continue it where it ended.

        Raises:
            StorageError: Somebody else has it, or had it and is done, or it cannot be read.
        """
        return self._shelf.open(self.spool_id)


class Shelf:
    """The folder of all spools. Nothing is made before ``begin``.

    Args:
        directory: Where; made when missing, with its parents, readable by their owner only.
        budget_bytes: The most audio that one listening keeps on disk; two have twice that.
        memory_bytes: The most audio that one listening keeps in memory, while the disk fails.
    """

    def __init__(
        self,
        directory: Path,
        budget_bytes: int = BUDGET_BYTES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.directory = directory
        self._budget_bytes = budget_bytes
        self._memory_bytes = memory_bytes

    def begin(self, label: SpoolLabel) -> LabelledSpool:
        """A new, empty spool, whatever the clock says and whoever begins at the same instant.

        Raises:
            StorageError: It cannot be made.
        """
        try:
            for folder in reversed((self.directory, *self.directory.parents)):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise _unwritable(self.directory, exc) from exc
        with self.guarded():
            try:
                folder = self._make_folder(label.started_at)
            except OSError as exc:
                raise _unwritable(self.directory, exc) from exc
            lock = _lock(folder / _LOCK)
            try:
                _acquire(lock)
                _write_label(folder, label)
                sync_folder(self.directory)
                return self._labelled(folder, label, lock)
            except OSError as exc:
                _remove_folder(folder, lock)
                raise _unwritable(folder, exc) from exc
            except StorageError:
                _remove_folder(folder, lock)
                raise

    def interrupted(self) -> list[Interrupted]:
        """What can be recovered, oldest first. Removes folders that nobody has and that hold no
        audio; passes over those that may not be opened by this user.

        Raises:
            StorageError: The shelf cannot be read.
        """
        try:
            names = sorted(entry.name for entry in self.directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise _unreadable(self.directory, exc) from exc
        found = []
        for name in names:
            started_at = _started_at(name)
            if started_at is not None:
                with self.guarded():
                    interrupted = self._look_into(self.directory / name, started_at)
                if interrupted is not None:
                    found.append(interrupted)
        return found

    def open(self, spool_id: str) -> LabelledSpool:
        """Take a spool that nobody has, and continue it where it ended.

        Raises:
            StorageError: Somebody else has it, or had it and is done, or it cannot be read.
        """
        folder = self.directory / spool_id
        with self.guarded():
            started_at = _started_at(spool_id)
            if started_at is None or not folder.is_dir():
                raise StorageError(
                    f"the interrupted listening {spool_id} is gone",
                    "another process may have finished it: see sayd recover",
                )
            lock = _lock(folder / _LOCK)
            try:
                if not _acquire(lock):
                    raise StorageError(
                        f"the listening {spool_id} is in use by another process",
                        "wait until that one ends",
                    )
                return self._labelled(folder, _read_label(folder, started_at), lock)
            except OSError as exc:
                lock.release()
                raise _unreadable(folder, exc) from exc
            except StorageError:
                lock.release()
                raise

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Hold the shelf's own lock; for the spools on it.

        Raises:
            StorageError: It cannot be had.
        """
        lock = _lock(self.directory / _SHELF_LOCK)
        try:
            acquired = _acquire(lock, _SHELF_LOCK_LIMIT_S)
        except OSError as exc:
            raise _unwritable(self.directory, exc) from exc
        if not acquired:
            raise StorageError(
                f"another process keeps {self.directory} locked", "end it, and try again"
            )
        try:
            yield
        finally:
            lock.release()

    def _make_folder(self, started_at: datetime) -> Path:
        while True:
            time = started_at.astimezone(UTC).strftime(_ID_TIME)
            folder = self.directory / f"{time}-{secrets.token_hex(4)}"
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                return folder

    def _labelled(self, folder: Path, label: SpoolLabel, lock: BaseFileLock) -> LabelledSpool:
        spool = DiskSpool(
            folder, label.settings.sample_rate_hz, self._budget_bytes, self._memory_bytes
        )
        return LabelledSpool(self, folder, label, spool.__enter__(), lock)

    def _look_into(self, folder: Path, started_at: datetime) -> Interrupted | None:
        lock = _lock(folder / _LOCK)
        try:
            if not _acquire(lock):
                return None
            if segments.find_rate_hz(folder) is None:
                _remove_folder(folder, lock)
                return None
            label = _read_label(folder, started_at)
            rate_hz = label.settings.sample_rate_hz
            samples = sum(each.length_samples for each in segments.find(folder, rate_hz))
            return Interrupted(folder.name, label, samples / rate_hz, folder, self)
        except OSError:
            return None
        finally:
            lock.release()


def _read_label(folder: Path, started_at: datetime) -> SpoolLabel:
    """The label, or what names tell, where it is damaged.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        label = decode((folder / _LABEL).read_bytes())
    except FileNotFoundError:
        label = None
    rate_hz = segments.find_rate_hz(folder)
    if label is None:
        # Local: nobody's speech goes to a service that was perhaps never asked.
        label = SpoolLabel(started_at, SessionSettings(), BackendName.LOCAL)
    if rate_hz is not None and rate_hz != label.settings.sample_rate_hz:
        label = replace(label, settings=replace(label.settings, sample_rate_hz=rate_hz))
    return label


def _started_at(spool_id: str) -> datetime | None:
    """When the listening of this name began; None when it is no name of ours."""
    name = _ID.fullmatch(spool_id)
    if name is None:
        return None
    try:
        return datetime.strptime(name[1], _ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _write_label(folder: Path, label: SpoolLabel) -> None:
    new = folder / _NEW_LABEL
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(encode(label))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / _LABEL)


def _remove_folder(folder: Path, lock: BaseFileLock) -> None:
    """Remove what this room made, and the folder unless others keep something there.

    Called with the shelf's lock held: between the release of the folder's own lock, which an open
    file on Windows needs to be deleted, and its removal, nobody can take it.
    """
    with contextlib.suppress(OSError):
        segments.remove_all(folder)
        (folder / _NEW_LABEL).unlink(missing_ok=True)
        (folder / _LABEL).unlink(missing_ok=True)
        lock.release()
        (folder / _LOCK).unlink(missing_ok=True)
        folder.rmdir()
    lock.release()


def _lock(path: Path) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(path, mode=0o600, thread_local=False)


def _acquire(lock: BaseFileLock, limit_s: float = 0.0) -> bool:
    """False when another has it.

    Raises:
        OSError: It cannot be had at all, such as on a file system without locks.
    """
    from filelock import Timeout

    try:
        lock.acquire(timeout=limit_s)
    except Timeout:
        return False
    except NotImplementedError as exc:
        raise OSError(None, "its file system has no locks") from exc
    return True


def _unwritable(path: Path, exc: OSError) -> StorageError:
    return StorageError(
        f"cannot keep audio in {path}: {exc.strerror}",
        "make room or give access there, or name another folder with SAYD_HOME",
    )


def _unreadable(path: Path, exc: OSError) -> StorageError:
    return StorageError(
        f"cannot read the audio kept in {path}: {exc.strerror}", "give access there"
    )
