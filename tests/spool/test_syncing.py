from __future__ import annotations

import os
import threading
from pathlib import Path

from sayd_cli.spool.syncing import Syncer


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def opened(tmp_path: Path, files: int) -> list[int]:
    return [
        os.open(tmp_path / str(number), os.O_WRONLY | os.O_CREAT, 0o600) for number in range(files)
    ]


def test_every_file_is_synced_and_closed(tmp_path: Path) -> None:
    synced = list[int]()
    syncer = Syncer(tmp_path, synced.append)
    descriptors = opened(tmp_path, 5)
    for fd in descriptors:
        syncer.take(fd)
    syncer.close(20)
    assert synced == descriptors
    assert not any(map(is_open, descriptors))
    assert syncer.failure() is None


def test_a_file_that_is_deleted_already_needs_no_disk(tmp_path: Path) -> None:
    synced = list[int]()
    syncer = Syncer(tmp_path, synced.append)
    (fd,) = opened(tmp_path, 1)
    (tmp_path / "0").unlink()
    syncer.take(fd)
    syncer.close(20)
    assert synced == []
    assert not is_open(fd)


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    works = threading.Event()

    def hang(fd: int) -> None:
        works.wait(60)

    syncer = Syncer(tmp_path, hang)
    descriptors = opened(tmp_path, 30)
    for fd in descriptors:
        syncer.take(fd)
    # What does not fit in the queue is closed, not kept.
    assert 8 <= sum(map(is_open, descriptors)) <= 9
    thread = syncer._thread
    assert thread is not None
    syncer.close(0.01)
    assert thread.is_alive()
    works.set()
    thread.join(20)
    assert not thread.is_alive()
    assert not any(map(is_open, descriptors))
