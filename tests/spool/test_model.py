from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sayd_cli.spool.disk import DiskSpool
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.spool.segments import FileSegment
from tests.spool.audio import RATE_HZ, counting, frame

if sys.platform == "win32":
    pytest.skip("limits on the size of files are POSIX's", allow_module_level=True)

from tests.spool.limits import file_bytes_at_most

SEGMENT_SAMPLES = 80
SEGMENT_S = SEGMENT_SAMPLES / RATE_HZ


def kept(spool: MemorySpool) -> set[int]:
    """Every position that can be read; reads in pieces, and checks each sample."""
    position, found = spool.start_sample, set[int]()
    while (got := spool.read(position, 37)) is not None:
        assert got.start_sample >= position
        assert 0 < got.length_samples <= 37
        assert got.pcm == counting(got.length_samples, got.start_sample)
        found.update(range(got.start_sample, got.end_sample))
        position = got.end_sample
    return found


def die(spool: DiskSpool) -> None:
    """As the process would: only its descriptors are closed."""
    spool._syncer.close(5)
    if isinstance(spool._current, FileSegment):
        fd = spool._current.detach()
        assert fd is not None
        os.close(fd)


class DiskSpoolMachine(RuleBasedStateMachine):
    """A spool with room enough, against the set of positions that were captured."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp()) / "spool"
        self.captured = set[int]()
        self.released = 0
        self.end = 0
        self.only_in_memory = False
        self.spool = self.opened()

    def opened(self) -> DiskSpool:
        return DiskSpool(self.folder, RATE_HZ, segment_s=SEGMENT_S).__enter__()

    def teardown(self) -> None:
        self.spool.discard()
        assert not self.folder.exists()
        shutil.rmtree(self.folder.parent)

    def append(self, gap: int, samples: int) -> None:
        start = self.end + gap
        self.spool.append(frame(start, samples))
        self.captured.update(range(start, start + samples))
        if samples:
            self.end = start + samples

    @rule(gap=st.sampled_from([0, 0, 0, 1, 1000]), samples=st.integers(0, 250))
    def append_to_a_disk_that_works(self, gap: int, samples: int) -> None:
        self.append(gap, samples)

    @rule(
        gap=st.sampled_from([0, 0, 5]),
        samples=st.integers(1, 250),
        limit_bytes=st.integers(0, SEGMENT_SAMPLES * 2),
    )
    def append_to_a_full_disk(self, gap: int, samples: int, limit_bytes: int) -> None:
        self.only_in_memory = True
        with file_bytes_at_most(limit_bytes):
            self.append(gap, samples)

    @rule(overlap=st.integers(1, 300), samples=st.integers(0, 250))
    def append_what_is_kept_already(self, overlap: int, samples: int) -> None:
        start = max(0, self.end - overlap)
        self.spool.append(frame(start, samples))
        self.captured.update(range(self.end, start + samples))
        self.end = max(self.end, start + samples)

    @rule(back=st.integers(-100, 500))
    def release(self, back: int) -> None:
        self.spool.release(self.end - back)
        self.released = max(self.released, min(self.end, self.end - back))
        assert self.spool.start_sample == self.released

    @rule()
    def close_and_reopen(self) -> None:
        self.spool.close()
        assert not any("could not be written" in each for each in self.spool.notices())
        self.spool = self.opened()
        self.only_in_memory = False
        self.spool.release(self.released)
        # One that is reopened begins with what it has; a gap before it is not to be known any more.
        self.released = max(self.released, self.spool.start_sample)

    @rule(torn=st.booleans())
    def die_and_reopen(self, torn: bool) -> None:
        before = kept(self.spool)
        die(self.spool)
        if torn:
            for path in self.folder.iterdir():
                if path.stat().st_size % 2 == 0:
                    with path.open("ab") as file:
                        file.write(b"x")
        self.spool = self.opened()
        self.spool.release(self.released)
        after = kept(self.spool)
        assert after <= before
        if not self.only_in_memory:
            assert after == before
        self.only_in_memory = False
        # What was released before it died is gone too, though its position may come again.
        self.captured = after
        self.end = self.spool.end_sample
        self.released = self.spool.start_sample

    @invariant()
    def it_has_what_was_captured(self) -> None:
        assert self.spool.end_sample == self.end
        wanted = {position for position in self.captured if position >= self.released}
        assert kept(self.spool) == wanted

    @invariant()
    def files_are_short(self) -> None:
        sizes = [path.stat().st_size for path in self.folder.iterdir()]
        assert all(size <= SEGMENT_SAMPLES * 2 + 1 for size in sizes)


TestDiskSpool = DiskSpoolMachine.TestCase
TestDiskSpool.settings = settings(deadline=None, max_examples=40, stateful_step_count=20)


class BoundedMachine(RuleBasedStateMachine):
    """Both spools with little room: what is dropped is the oldest, and only that."""

    BUDGET_BYTES = 8 * SEGMENT_SAMPLES * 2

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp()) / "spool"
        disk = DiskSpool(self.folder, RATE_HZ, self.BUDGET_BYTES, segment_s=SEGMENT_S)
        memory = MemorySpool(RATE_HZ, self.BUDGET_BYTES, segment_s=SEGMENT_S)
        self.spools = [disk.__enter__(), memory]
        self.captured = set[int]()
        self.released = 0
        self.end = 0

    def teardown(self) -> None:
        for spool in self.spools:
            spool.discard()
        shutil.rmtree(self.folder.parent)

    @rule(gap=st.sampled_from([0, 0, 0, 1, 1000]), samples=st.integers(1, 1000))
    def append(self, gap: int, samples: int) -> None:
        start = self.end + gap
        for spool in self.spools:
            spool.append(frame(start, samples))
        self.captured.update(range(start, start + samples))
        self.end = start + samples

    @rule(back=st.integers(0, 1000))
    def release(self, back: int) -> None:
        self.released = max(self.released, self.end - back)
        for spool in self.spools:
            spool.release(self.end - back)

    @invariant()
    def the_oldest_goes(self) -> None:
        for spool in self.spools:
            found = kept(spool)
            assert found == {each for each in self.captured if each >= spool.start_sample}
            # Room is made for a whole segment, and in whole segments.
            newest = sorted(self.captured)[-(self.BUDGET_BYTES // 2 - 2 * SEGMENT_SAMPLES) :]
            assert found >= {each for each in newest if each >= self.released}
            assert len(found) * 2 <= self.BUDGET_BYTES
        if self.folder.exists():
            total_bytes = sum(path.stat().st_size for path in self.folder.iterdir())
            assert total_bytes <= self.BUDGET_BYTES


TestBounded = BoundedMachine.TestCase
TestBounded.settings = settings(deadline=None, max_examples=40, stateful_step_count=20)
