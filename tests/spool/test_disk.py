from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayd_cli.errors import StorageError
from sayd_cli.spool.disk import DiskSpool
from sayd_cli.spool.memory import MemorySpool
from tests.spool.audio import RATE_HZ, counting, frame
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("limits on the size of files are POSIX's", allow_module_level=True)

from tests.spool.limits import file_bytes_at_most

BLOCK = 1600


def spool_in(tmp_path: Path, segment_s: float = 1.0, **bounds: int) -> DiskSpool:
    return DiskSpool(tmp_path / "spool", RATE_HZ, segment_s=segment_s, **bounds)


def capture(spool: MemorySpool, blocks: int) -> None:
    for _ in range(blocks):
        spool.append(frame(spool.end_sample, BLOCK))


def runs(spool: MemorySpool) -> list[tuple[int, int]]:
    """The runs that can be read; checks every sample of them."""
    found = list[tuple[int, int]]()
    position = 0
    while (got := spool.read(position, 100_000)) is not None:
        assert got.pcm == counting(got.length_samples, got.start_sample)
        if found and found[-1][1] == got.start_sample:
            found[-1] = (found[-1][0], got.end_sample)
        else:
            found.append((got.start_sample, got.end_sample))
        position = got.end_sample
    return found


@contextlib.contextmanager
def tiny_disk(path: Path, kib: int) -> Iterator[None]:
    """A real disk that is soon full; only root may make one."""
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(path)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_nothing_is_touched_before_it_is_entered(tmp_path: Path) -> None:
    spool_in(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_spool(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        assert (spool.start_sample, spool.end_sample) == (0, 0)
        assert spool.read(0, 100) is None
        spool.release(1000)
        assert (spool.start_sample, spool.end_sample) == (0, 0)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(StorageError, match="cannot keep audio in"), spool_in(tmp_path):
        pass


def test_release_removes_whole_segments_and_remembers_the_position(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        capture(spool, 35)
        spool.release(25_000)
        assert spool.start_sample == 25_000
        assert runs(spool) == [(25_000, 56_000)]
        assert len(list(spool.folder.iterdir())) == 3
        spool.release(10)
        assert spool.start_sample == 25_000


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        capture(spool, 35)
        (spool.folder / "8000-000000000000.pcm").write_bytes(b"x")
        spool.discard()
        assert not spool.folder.exists()
        assert spool.read(0, 10) is None
    assert list(tmp_path.iterdir()) == []


def test_a_full_spool_drops_the_oldest_and_says_so_once(tmp_path: Path) -> None:
    for spool in (
        spool_in(tmp_path, budget_bytes=8 * 32_000),
        MemorySpool(RATE_HZ, 8 * 32_000, segment_s=1.0),
    ):
        with spool:
            capture(spool, 80)
            assert spool.notices() == []
            capture(spool, 40)
            assert runs(spool) == [(spool.start_sample, spool.end_sample)]
            assert spool.start_sample == 4 * RATE_HZ
            (notice,) = spool.notices()
            assert "the spool is full: the oldest 1 s of audio without" in notice
            for _ in range(8):
                spool.release(spool.end_sample)
            capture(spool, 10)
            (notice,) = spool.notices()
            assert "in all 4 s of audio" in notice


def test_a_full_disk_is_used_again_once_there_is_room(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        capture(spool, 5)
        with file_bytes_at_most(5 * BLOCK * 2 + 501):
            capture(spool, 30)
            (notice,) = spool.notices()
            assert "cannot be written to the disk (File too large)" in notice
            assert "the last 35 minutes" in notice
            assert runs(spool) == [(0, 35 * BLOCK)]
        capture(spool, 20)
        assert spool.notices() == ["captured audio is written to the disk again"]
        assert runs(spool) == [(0, 55 * BLOCK)]
    with spool_in(tmp_path) as again:
        assert runs(again) == [(0, 55 * BLOCK)]


def test_close_brings_to_the_disk_what_was_in_memory(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        with file_bytes_at_most(7):
            capture(spool, 30)
        spool.close()
        assert len(spool.notices()) == 2
    with spool_in(tmp_path) as again:
        assert runs(again) == [(0, 30 * BLOCK)]


def test_what_never_reached_the_disk_is_told(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool, file_bytes_at_most(0):
        capture(spool, 30)
        spool.release(10 * BLOCK)
        spool.close()
        assert "2 s of audio that were not yet confirmed could not be" in spool.notices()[-1]
        assert runs(spool) == [(10 * BLOCK, 30 * BLOCK)]


def test_memory_is_bounded_while_the_disk_fails(tmp_path: Path) -> None:
    with spool_in(tmp_path, memory_bytes=8 * 32_000) as spool:
        capture(spool, 10)
        with file_bytes_at_most(0):
            capture(spool, 200)
            assert len(spool.notices()) == 2
            (on_disk, in_memory) = runs(spool)
            assert on_disk == (0, 10 * BLOCK)
            assert in_memory[1] == 210 * BLOCK
            assert 6 * RATE_HZ < in_memory[1] - in_memory[0] <= 8 * RATE_HZ


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 256):
        with spool_in(tmp_path / "disk") as spool:
            capture(spool, 120)
            assert "No space left on device" in spool.notices()[0]
            assert runs(spool) == [(0, 120 * BLOCK)]
            # Room comes from what is released.
            for _ in range(15):
                spool.release(spool.end_sample - 20 * BLOCK)
                capture(spool, 1)
            assert runs(spool) == [(114 * BLOCK, 135 * BLOCK)]
            assert spool.notices() == ["captured audio is written to the disk again"]
        with spool_in(tmp_path / "disk") as again:
            again.release(114 * BLOCK)
            assert runs(again) == [(114 * BLOCK, 135 * BLOCK)]


def test_a_disk_that_becomes_read_only(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with tiny_disk(disk, 1024), spool_in(disk) as spool:
        capture(spool, 20)

        def read_only() -> bool:
            # Refused until the last whole segment is synced and closed.
            remounted = ["mount", "-o", "remount,ro", str(disk)]
            return subprocess.run(remounted, check=False, capture_output=True).returncode == 0

        wait_until(read_only)
        capture(spool, 20)
        assert "Read-only file system" in spool.notices()[0]
        spool.release(10 * BLOCK)
        assert runs(spool) == [(10 * BLOCK, 40 * BLOCK)]
        with pytest.raises(StorageError, match="cannot remove the audio"):
            spool.discard()


def test_a_folder_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        capture(spool, 25)
        shutil.rmtree(spool.folder)
        capture(spool, 25)
        assert "its file was deleted" in spool.notices()[0]
        assert runs(spool) == [(20 * BLOCK, 50 * BLOCK)]
        (notice,) = spool.notices()
        assert "2 s of audio that were kept in" in notice
        assert "can no longer be read" in notice
        assert runs(spool) == [(20 * BLOCK, 50 * BLOCK)]
        assert spool.notices() == []
        spool.folder.mkdir()
        capture(spool, 20)
        assert spool.notices() == ["captured audio is written to the disk again"]
    with spool_in(tmp_path) as again:
        assert runs(again) == [(20 * BLOCK, 70 * BLOCK)]


def test_half_a_sample_of_a_dead_process_does_not_shift_what_follows(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        capture(spool, 10)
    (spool.folder / f"{RATE_HZ}-{10 * BLOCK:012d}.pcm").write_bytes(b"x")
    with spool_in(tmp_path) as again:
        capture(again, 10)
        assert runs(again) == [(0, 20 * BLOCK)]


def test_files_that_vanish_or_are_cut_are_gaps(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        capture(spool, 50)
        files = sorted(spool.folder.iterdir())
        files[1].unlink()
        os.truncate(files[3], 4001)
        os.truncate(files[4], 2000)
        assert runs(spool) == [(0, 16_000), (32_000, 50_000), (64_000, 65_000)]
        assert len(spool.notices()) == 3
        capture(spool, 1)
        assert runs(spool)[-1] == (80_000, 80_000 + BLOCK)
        assert spool.notices() == []


def test_a_disk_that_cannot_sync_is_told_once(tmp_path: Path) -> None:
    with spool_in(tmp_path) as spool:
        for _ in range(3):
            reader, writer = os.pipe()  # which no system can sync
            os.close(reader)
            spool._syncer.take(writer)
        spool._syncer.close(10)
        assert spool.notices() == ["captured audio may not have reached the disk: Invalid argument"]
        assert spool.notices() == []


def test_eight_hours_open_quickly(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    for number in range(2880):
        path = folder / f"16000-{number * 160_000:012d}.pcm"
        path.touch()
        os.truncate(path, 320_000)  # a hole: it takes no room
    start_s = time.perf_counter()
    with DiskSpool(folder, RATE_HZ) as spool:
        took_s = time.perf_counter() - start_s
        assert spool.end_sample == 8 * 3600 * RATE_HZ
        got = spool.read(4 * 3600 * RATE_HZ, BLOCK)
        assert got is not None
        assert got.length_samples == BLOCK
    assert took_s < 2


WRITER = """
import sys
from pathlib import Path
from tests.spool.audio import RATE_HZ, frame
from sayd_cli.spool.disk import DiskSpool

frames = [frame(n * 160, 160) for n in range(4000)]
with DiskSpool(Path(sys.argv[1]), RATE_HZ, segment_s=0.25) as spool:
    print(0, flush=True)
    for each in frames:
        spool.append(each)
        sys.stdout.write(f"{spool.end_sample}\\n")
        sys.stdout.flush()
sys.stdin.read()
"""


def test_a_killed_process_loses_nothing_that_it_appended(tmp_path: Path) -> None:
    chance = random.Random(4)
    told = []
    for number in range(20):
        folder = tmp_path / str(number)
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))  # the instant is the input of this test
            child.send_signal(signal.SIGKILL)
            lines = child.stdout.read().decode().split("\n")
        told.append(int(lines[-2]) if len(lines) > 1 else 0)
        with DiskSpool(folder, RATE_HZ, segment_s=0.25) as spool:
            assert told[-1] <= spool.end_sample <= told[-1] + 160
            assert runs(spool) == ([(0, spool.end_sample)] if spool.end_sample else [])
    assert len(set(told)) > 5
