"""A spool in memory: for who wants no trace on disk, and for the time when the disk fails.

Owns the order of the segments, what of them is still needed, and the bound on memory. Refuses to
know who reads and why something is released.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from types import TracebackType
from typing import Self

from sayd_cli.model.audio import SAMPLE_BYTES, Frame
from sayd_cli.spool.segments import MemorySegment, Segment

MEMORY_BYTES = 64 * 2**20
"""35 minutes at 16 kHz."""

SEGMENT_S = 10.0
"""The length of a segment: what a power failure may take, and how often a disk that failed is
tried again. 8 hours are 2,880 of them."""

_SEGMENTS = 8
"""A bound is at least so many segments, or they are made shorter."""

_REMOVED_AT_ONCE = 8
"""Segments that one ``release`` removes at most; deleting a file takes 0.6 ms."""

_end_sample = attrgetter("end_sample")


class MemorySpool:
    """Captured audio in memory, bounded: when it is full, the oldest goes.

    A context manager. Every method may be called from one thread only.

    Args:
        sample_rate_hz: Samples a second, of every frame.
        memory_bytes: The most audio that is kept in memory.
        segment_s: Seconds of audio that are dropped or released at once.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        memory_bytes: int = MEMORY_BYTES,
        *,
        segment_s: float = SEGMENT_S,
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._memory_bytes = memory_bytes
        self._segment_samples = max(
            1, min(round(segment_s * sample_rate_hz), memory_bytes // (_SEGMENTS * SAMPLE_BYTES))
        )
        self._segments: list[Segment] = []
        """In order and without overlap. The last is never released: it tells the end."""
        self._current: Segment | None = None
        """The last of them, while it takes more."""
        self._start_sample = 0
        self._end_sample = 0
        self._dropped_samples = 0
        """Since there was room."""
        self._notices: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def start_sample(self) -> int:
        """Position of the first sample that is kept, or would be. Moves forward by ``release``,
        and by itself when there is no room for more: then the oldest audio goes."""
        return self._start_sample

    @property
    def end_sample(self) -> int:
        """Position after the last sample that was captured."""
        return self._end_sample

    def append(self, frame: Frame) -> None:
        """Keep captured audio. Never fails.

        Args:
            frame: At ``end_sample`` or after it; then the samples between are a gap. Samples
                before ``end_sample`` are kept already, and ignored.
        """
        first = max(frame.start_sample, self._end_sample)
        end_sample = frame.end_sample
        if first > self._end_sample:
            self._finish()
        while first < end_sample:
            segment = self._current or self._begin(first)
            room = self._segment_samples - segment.length_samples
            taken = slice(first - frame.start_sample, first - frame.start_sample + room)
            self._keep(segment, _samples(frame, taken))
            first = segment.end_sample
            self._end_sample = first
            if segment.length_samples >= self._segment_samples:
                self._finish()

    def read(self, position: int, limit_samples: int) -> Frame | None:
        """The next audio at ``position`` or after it; None when there is none yet.

        Args:
            position: Before ``start_sample`` is as good as there.
            limit_samples: The most to give, at least 1; it may be less, and never spans a gap.
        """
        position = max(position, self._start_sample)
        for index in range(
            bisect_right(self._segments, position, key=_end_sample), len(self._segments)
        ):
            segment = self._segments[index]
            first = max(position, segment.start_sample)
            pcm = self._read(segment, first, limit_samples) if first < segment.end_sample else b""
            if pcm:
                return Frame(pcm, first, self.sample_rate_hz)
        return None

    def release(self, until_sample: int) -> None:
        """What is before ``until_sample`` is not needed any more; some of it may stay a while."""
        self._start_sample = max(self._start_sample, min(until_sample, self._end_sample))
        for _ in range(_REMOVED_AT_ONCE):
            if len(self._segments) < 2 or self._segments[0].end_sample > self._start_sample:
                break
            if not self._remove(self._segments[0]):
                break
            del self._segments[0]

    def notices(self) -> list[str]:
        """What went wrong since this was last asked, each a line for the user."""
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        """Take no more. What is kept can still be read. Any number of times."""
        self._finish()
        self._tell_dropped()

    def discard(self) -> None:
        """Forget everything: it is not needed any more."""
        self._current = None
        self._segments.clear()
        self._start_sample = self._end_sample

    def _begin(self, position: int) -> Segment:
        """A new segment, as the current one."""
        held = [each for each in self._segments if isinstance(each, MemorySegment)]
        if self._make_room(held, self._memory_bytes):
            self._tell_dropped()
        segment = MemorySegment(position)
        self._segments.append(segment)
        self._current = segment
        return segment

    def _keep(self, segment: Segment, pcm: memoryview) -> None:
        """Append to the current segment."""
        segment.append(pcm)

    def _finish(self) -> None:
        """The current segment takes no more."""
        self._current = None

    def _read(self, segment: Segment, position: int, limit_samples: int) -> bytes:
        """Samples of a segment; none when they are lost."""
        return segment.read(position, limit_samples)

    def _remove(self, segment: Segment) -> bool:
        """Give back what a segment holds; False when that fails for now."""
        return True

    def _make_room(self, segments: Sequence[Segment], limit_bytes: int) -> bool:
        """Drop the first of these until one more fits below the limit.

        True when there is plenty of room: not any room, lest a slow service makes a notice every
        few seconds.
        """
        limit_samples = limit_bytes // SAMPLE_BYTES
        used_samples = self._segment_samples + sum(each.length_samples for each in segments)
        plenty = used_samples <= limit_samples * 3 // 4
        for segment in segments:
            if used_samples <= limit_samples:
                break
            used_samples -= segment.length_samples
            self._drop(segment)
        return plenty

    def _drop(self, segment: Segment) -> None:
        oldest = segment is self._segments[0]
        self._segments.remove(segment)
        self._remove(segment)
        lost_samples = segment.end_sample - max(segment.start_sample, self._start_sample)
        if oldest:
            self._start_sample = max(self._start_sample, segment.end_sample)
        if lost_samples <= 0:
            return
        if self._dropped_samples == 0:
            self._notices.append(
                f"the spool is full: the oldest {self._seconds(lost_samples)} of audio without "
                "confirmed words are no longer kept, and more while this lasts; what the service "
                "has not heard of it is lost"
            )
        self._dropped_samples += lost_samples

    def _tell_dropped(self) -> None:
        if self._dropped_samples:
            self._notices.append(
                f"in all {self._seconds(self._dropped_samples)} of audio without confirmed words "
                "were not kept while the spool was full"
            )
        self._dropped_samples = 0

    def _seconds(self, samples: int) -> str:
        return f"{samples / self.sample_rate_hz:.3g} s"


def _samples(frame: Frame, samples: slice) -> memoryview:
    return memoryview(frame.pcm)[samples.start * SAMPLE_BYTES : samples.stop * SAMPLE_BYTES]
