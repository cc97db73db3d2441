"""Segments: consecutive samples, about ten seconds of them, in a file or in memory.

Owns the names of the files, their modes, and every call to the file system that touches audio. A
file holds nothing but PCM16 and is named by its sample rate and the position of its first sample
(``16000-000000001600.pcm``), so that names and lengths tell which audio is there, whatever
happened to whoever wrote it. Refuses to know what is kept for how long.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from sayd_cli.model.audio import SAMPLE_BYTES, SAMPLE_RATES_HZ

_NAME = re.compile(r"(\d{4,6})-(\d{12,18})\.pcm")
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class MemorySegment:
    """Samples in memory.

    Args:
        start_sample: Position of its first sample.
    """

    def __init__(self, start_sample: int) -> None:
        self.start_sample = start_sample
        self._pcm = bytearray()

    @property
    def length_samples(self) -> int:
        """How many samples it holds."""
        return len(self._pcm) // SAMPLE_BYTES

    @property
    def end_sample(self) -> int:
        """Position of the first sample after it."""
        return self.start_sample + self.length_samples

    def append(self, pcm: memoryview) -> None:
        """Take samples."""
        self._pcm += pcm

    def read(self, position: int, limit_samples: int) -> bytes:
        """Samples from ``position`` on, which must lie in it."""
        first = (position - self.start_sample) * SAMPLE_BYTES
        return bytes(memoryview(self._pcm)[first : first + limit_samples * SAMPLE_BYTES])


class FileSegment:
    """Samples in a file.

    Either made by ``create``, and then it takes samples until ``detach``; or found by ``find``.

    Args:
        path: The file.
        start_sample: Position of the first sample that counts; those before it in the file are
            another segment's too.
        length_samples: How many samples count.
        skipped_samples: How many samples come before them in the file.
    """

    __slots__ = ("_fd", "_skipped_samples", "length_samples", "path", "start_sample")

    def __init__(
        self, path: Path, start_sample: int, length_samples: int, skipped_samples: int = 0
    ) -> None:
        self.path = path
        self.start_sample = start_sample
        self.length_samples = length_samples
        self._skipped_samples = skipped_samples
        self._fd: int | None = None

    @classmethod
    def create(cls, folder: Path, sample_rate_hz: int, start_sample: int) -> FileSegment:
        """A new, empty file, readable by its owner only.

        Raises:
            OSError: It cannot be made.
        """
        path = folder / f"{sample_rate_hz}-{start_sample:012d}.pcm"
        segment = cls(path, start_sample, 0)
        # A file of this name holds no sample that counts: nothing is kept from here on.
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | _FLAGS
        segment._fd = os.open(path, flags, 0o600)
        return segment

    @property
    def end_sample(self) -> int:
        """Position of the first sample after it."""
        return self.start_sample + self.length_samples

    @property
    def unlinked(self) -> bool:
        """It still takes samples, but nobody would find them: its file was deleted."""
        return self._fd is not None and os.fstat(self._fd).st_nlink == 0

    def append(self, pcm: memoryview) -> None:
        """Write samples; whoever kills this process after it returns does not lose them.

        Raises:
            OSError: Not all could be written. ``length_samples`` counts those that were, and no
                more may be appended.
        """
        assert self._fd is not None
        written_bytes = 0
        try:
            while written_bytes < len(pcm):
                written_bytes += os.write(self._fd, pcm[written_bytes:])
        finally:
            self.length_samples += written_bytes // SAMPLE_BYTES

    def read(self, position: int, limit_samples: int) -> bytes:
        """Samples from ``position`` on, which must lie in it; fewer when the file was cut.

        Raises:
            OSError: They cannot be read.
        """
        samples = min(limit_samples, self.end_sample - position)
        first = (position - self.start_sample + self._skipped_samples) * SAMPLE_BYTES
        if self._fd is not None:
            pcm = _read_at(self._fd, first, samples * SAMPLE_BYTES)
        else:
            fd = os.open(self.path, os.O_RDONLY | _FLAGS)
            try:
                pcm = _read_at(fd, first, samples * SAMPLE_BYTES)
            finally:
                os.close(fd)
        return pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES]

    def detach(self) -> int | None:
        """Take no more samples; gives the descriptor, if it was open, which must be closed."""
        fd, self._fd = self._fd, None
        return fd


Segment = FileSegment | MemorySegment


def find(folder: Path, sample_rate_hz: int) -> list[FileSegment]:
    """The segments in a folder at this rate, in order.

    What overlaps an earlier segment does not count; nor does half a sample that a torn write left
    at the end of a file.

    Raises:
        OSError: The folder cannot be read.
    """
    found: list[FileSegment] = []
    end_sample = 0
    for start_sample, length_samples, path in sorted(
        (start_sample, length_samples, path)
        for rate_hz, start_sample, length_samples, path in _files(folder)
        if rate_hz == sample_rate_hz
    ):
        skipped_samples = max(0, end_sample - start_sample)
        if length_samples > skipped_samples:
            found.append(
                FileSegment(
                    path,
                    start_sample + skipped_samples,
                    length_samples - skipped_samples,
                    skipped_samples,
                )
            )
            end_sample = found[-1].end_sample
    return found


def find_rate_hz(folder: Path) -> int | None:
    """The sample rate of most of the audio in a folder; None when there is no audio.

    Raises:
        OSError: The folder cannot be read.
    """
    samples = dict.fromkeys(SAMPLE_RATES_HZ, 0)
    for rate_hz, _, length_samples, _ in _files(folder):
        if rate_hz in samples:
            samples[rate_hz] += length_samples
    most_hz = max(samples, key=lambda rate_hz: samples[rate_hz])
    return most_hz if samples[most_hz] else None


def remove_all(folder: Path) -> None:
    """Remove every file of audio in a folder, whatever its rate or length.

    Raises:
        OSError: The folder cannot be read, or a file cannot be removed.
    """
    for _, _, _, path in list(_files(folder)):
        path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[int, int, int, Path]]:
    """Rate, first sample, number of samples, path."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            if name is None:
                continue
            try:
                size_bytes = entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            yield int(name[1]), int(name[2]), size_bytes // SAMPLE_BYTES, folder / entry.name


def _read_at(fd: int, position_bytes: int, length_bytes: int) -> bytes:
    # Not ``os.pread``, which Windows lacks; writing appends wherever this leaves the position.
    os.lseek(fd, position_bytes, os.SEEK_SET)
    return os.read(fd, length_bytes)
