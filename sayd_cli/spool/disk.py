"""A spool on disk: what it took survives the death of the process.

Owns one folder of segments and what happens when the disk fails: the audio goes to memory, the
disk is tried again with every new segment, and what memory holds moves to it once it works.
Refuses to know whose audio it is; that is the label's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Self

from sayd_cli.errors import StorageError
from sayd_cli.model.audio import SAMPLE_BYTES, Frame
from sayd_cli.spool import segments
from sayd_cli.spool.memory import MEMORY_BYTES, SEGMENT_S, MemorySpool
from sayd_cli.spool.segments import FileSegment, MemorySegment, Segment
from sayd_cli.spool.syncing import Syncer

BUDGET_BYTES = 2**30
"""9 hours at 16 kHz that nobody confirmed. It is for one spool; two listenings have two."""

_SYNC_LIMIT_S = 5.0
"""How long ``close`` waits for a disk that is slow."""


class DiskSpool(MemorySpool):
    """Captured audio in a folder.

    Calling order: enter the context (the folder is made, or continued where it ended), any of the
    other methods, ``discard`` when nothing of it is needed any more, leave the context. One
    process at a time; who opens a folder sees to that.

    The budgets hold within a segment.

    Args:
        folder: Where its files are; readable by their owner only.
        sample_rate_hz: Samples a second, of every frame.
        budget_bytes: The most audio on disk.
        memory_bytes: The most audio in memory, while the disk fails.
        segment_s: Seconds of audio a file.

    Raises:
        StorageError: On entering: the folder cannot be made or read.
    """

    def __init__(
        self,
        folder: Path,
        sample_rate_hz: int,
        budget_bytes: int = BUDGET_BYTES,
        memory_bytes: int = MEMORY_BYTES,
        *,
        segment_s: float = SEGMENT_S,
    ) -> None:
        # A segment must suit the smaller bound.
        super().__init__(sample_rate_hz, min(memory_bytes, budget_bytes), segment_s=segment_s)
        self._memory_bytes = memory_bytes
        self.folder = folder
        self._budget_bytes = budget_bytes
        self._syncer = Syncer(folder)
        self._failing = False
        """Some audio is in memory, because the disk failed."""
        self._resting = False
        """The disk failed, and is not tried again before the next segment."""
        self._moving = False
        """The disk works again, and takes what is in memory."""
        self._lost_samples = 0
        self._sync_failed = False

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = segments.find(self.folder, self.sample_rate_hz)
        except OSError as exc:
            raise StorageError(
                f"cannot keep audio in {self.folder}: {exc.strerror}",
                "make room or give access there, or name another folder with SAYD_HOME",
            ) from exc
        if found:
            self._segments = list(found)
            self._start_sample = found[0].start_sample
            self._end_sample = found[-1].end_sample
        return self

    def append(self, frame: Frame) -> None:
        """Keep captured audio; it survives the death of this process once this returns.

        Never fails: where the disk does, the audio is kept in memory, and ``notices`` says so.

        Args:
            frame: At ``end_sample`` or after it; then the samples between are a gap. Samples
                before ``end_sample`` are kept already, and ignored.
        """
        super().append(frame)
        if self._moving:
            self._move_one()

    def read(self, position: int, limit_samples: int) -> Frame | None:
        """The next audio at ``position`` or after it; None when there is none yet.

        Audio that was kept and cannot be read is a gap, and ``notices`` says so.

        Args:
            position: Before ``start_sample`` is as good as there.
            limit_samples: The most to give, at least 1; it may be less, and never spans a gap.
        """
        frame = super().read(position, limit_samples)
        if self._lost_samples:
            self._notices.append(
                f"{self._seconds(self._lost_samples)} of audio that were kept in {self.folder} "
                "can no longer be read"
            )
            self._lost_samples = 0
        return frame

    def notices(self) -> list[str]:
        """What went wrong since this was last asked, each a line for the user."""
        failure = self._syncer.failure()
        if failure is not None and not self._sync_failed:
            self._sync_failed = True
            self._notices.append(f"captured audio may not have reached the disk: {failure}")
        return super().notices()

    def close(self) -> None:
        """Take no more. What memory holds goes to the disk if it works by now, and everything is
        brought to the disk itself; that takes 5 s at most. Any number of times."""
        super().close()
        while self._failing and self._move_one():
            pass
        self._syncer.close(_SYNC_LIMIT_S)
        waiting_samples = sum(
            max(0, segment.end_sample - max(segment.start_sample, self._start_sample))
            for segment in self._segments
            if isinstance(segment, MemorySegment)
        )
        if waiting_samples:
            self._notices.append(
                f"{self._seconds(waiting_samples)} of audio that were not yet confirmed could not "
                "be written to the disk"
            )

    def discard(self) -> None:
        """Remove all of it, and the folder unless others keep something there.

        Raises:
            StorageError: Some audio could not be removed.
        """
        self._syncer.close(_SYNC_LIMIT_S)
        for segment in self._segments:
            self._remove(segment)
        super().discard()
        self._failing = self._moving = False
        try:
            segments.remove_all(self.folder)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise StorageError(
                f"cannot remove the audio in {self.folder}: {exc.strerror}",
                "nothing in it is needed any more; remove the folder yourself",
            ) from exc

    def _begin(self, position: int) -> Segment:
        if self._resting:
            return super()._begin(position)
        try:
            segment = FileSegment.create(self.folder, self.sample_rate_hz, position)
        except OSError as exc:
            self._fail(str(exc.strerror))
            return super()._begin(position)
        files = [each for each in self._segments if isinstance(each, FileSegment)]
        if self._make_room(files, self._budget_bytes) and not self._failing:
            self._tell_dropped()
        self._moving = self._failing
        self._segments.append(segment)
        self._current = segment
        return segment

    def _keep(self, segment: Segment, pcm: memoryview) -> None:
        try:
            segment.append(pcm)
            unlinked = isinstance(segment, FileSegment) and segment.unlinked
        except OSError as exc:
            self._fail(str(exc.strerror))
            self._finish()
            if segment.length_samples == 0:
                self._segments.remove(segment)
                self._remove(segment)
            return
        if unlinked:
            self._rescue(segment)

    def _finish(self) -> None:
        if isinstance(self._current, FileSegment):
            fd = self._current.detach()
            if fd is not None:
                self._syncer.take(fd)
        elif self._current is not None:
            self._resting = False
        self._current = None

    def _read(self, segment: Segment, position: int, limit_samples: int) -> bytes:
        try:
            pcm = segment.read(position, limit_samples)
        except OSError:
            pcm = b""
        if not pcm and isinstance(segment, FileSegment):
            if segment is self._current:
                self._finish()
            self._lost_samples += segment.end_sample - position
            segment.length_samples = position - segment.start_sample
        return pcm

    def _remove(self, segment: Segment) -> bool:
        if isinstance(segment, FileSegment):
            try:
                fd = segment.detach()
                if fd is not None:
                    os.close(fd)
                segment.path.unlink(missing_ok=True)
            except OSError:
                return False
        return True

    def _fail(self, why: str) -> None:
        if not self._failing:
            minutes = self._memory_bytes / SAMPLE_BYTES / self.sample_rate_hz / 60
            self._notices.append(
                f"captured audio cannot be written to the disk ({why}): it is kept in memory, "
                f"the last {minutes:.3g} minutes of it"
            )
        self._failing = self._resting = True
        self._moving = False

    def _rescue(self, segment: Segment) -> None:
        """The current file was deleted, and lives only as long as it is open."""
        self._fail("its file was deleted")
        copy = MemorySegment(segment.start_sample)
        with contextlib.suppress(OSError):
            copy.append(memoryview(segment.read(segment.start_sample, segment.length_samples)))
        self._remove(segment)
        self._segments[-1] = copy
        self._current = copy if copy.end_sample == segment.end_sample else None
        self._lost_samples += segment.end_sample - copy.end_sample

    def _move_one(self) -> bool:
        """Move the oldest segment in memory to the disk; a few at a time, for writing takes time.

        False when there is none, or the disk fails still.
        """
        held = (n for n, each in enumerate(self._segments) if isinstance(each, MemorySegment))
        index = next(held, None)
        if index is None:
            self._failing = self._moving = False
            self._notices.append("captured audio is written to the disk again")
            return False
        segment = self._segments[index]
        pcm = segment.read(segment.start_sample, segment.length_samples)
        try:
            file = FileSegment.create(self.folder, self.sample_rate_hz, segment.start_sample)
        except OSError:
            self._moving = False
            return False
        try:
            file.append(memoryview(pcm))
        except OSError:
            self._moving = False
            self._remove(file)
            return False
        fd = file.detach()
        if fd is not None:
            self._syncer.take(fd)
        self._segments[index] = file
        return True
