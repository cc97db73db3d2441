"""A recording: what was sent, as a WAV file that is whole at any instant.

Owns the file and its header. Every write is handed to the operating system at once, audio first
and the sizes in the header after it: whoever looks in between, or after ``kill -9``, finds a file
that ends a write earlier. Refuses to know where the audio comes from.
Layout: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from sayd_cli.errors import StorageError, UsageError
from sayd_cli.model.audio import SAMPLE_BYTES

_PCM, _CHANNELS = 1, 1
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FMT_BYTES = 16
_BEFORE_RIFF_SIZE = 8
"""What the size of a RIFF file does not count: its name and the size itself."""
_LIMIT_BYTES = (0xFFFFFFFF - (_HEADER.size - _BEFORE_RIFF_SIZE)) // SAMPLE_BYTES * SAMPLE_BYTES
"""All the audio that a RIFF file can count: 4 GiB, 37 hours at 16 kHz."""


class WavRecording:
    """PCM16 mono, written as it comes.

    Calling order: enter the context (the file is made), ``write`` any number of times, leave the
    context. An old file is emptied by the first write, or on leaving: a run that fails before it
    hears anything does not cost the recording of the one before it.

    Args:
        path: Where to; readable by its owner only, unless it exists already.
        sample_rate_hz: Of what will be written.
        limit_bytes: The most audio to take; all that the format can count.

    Raises:
        UsageError: On entering: the file cannot be written. One that exists is left as it was.
    """

    def __init__(self, path: Path, sample_rate_hz: int, *, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._path = path
        self._sample_rate_hz = sample_rate_hz
        self._limit_bytes = limit_bytes
        self._audio_bytes = 0
        self._begun = False
        self._fd: int | None = None

    def __enter__(self) -> Self:
        try:
            fd = _open(self._path)
        except OSError as exc:
            raise self._refused(exc) from exc
        try:
            if os.fstat(fd).st_size == 0:
                self._begin(fd)
        except OSError as exc:
            os.close(fd)
            raise self._refused(exc) from exc
        self._fd = fd
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._fd is not None:
            with contextlib.suppress(OSError):  # Nothing was to be kept.
                self._begin(self._fd)
        self.close()

    def write(self, pcm: bytes) -> None:
        """Append samples.

        Args:
            pcm: PCM16 little-endian mono; an even number of bytes.

        Raises:
            StorageError: They cannot be kept, or not all of them; what was written before is
                whole. The recording is closed, and every further write raises this too.
        """
        if self._fd is None:
            raise StorageError(f"the recording {self._path} is closed")
        fitting = pcm[: self._limit_bytes - self._audio_bytes]
        try:
            self._begin(self._fd)
            _write_at(self._fd, _HEADER.size + self._audio_bytes, fitting)
            self._write_header(self._fd, self._audio_bytes + len(fitting))
        except OSError as exc:
            self.close()
            raise self._stopped(str(exc.strerror)) from exc
        self._audio_bytes += len(fitting)
        if len(fitting) < len(pcm):
            self.close()
            raise self._stopped("a WAV file holds no more")

    def close(self) -> None:
        """Give the file back; whatever was written is in it. Any number of times."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        if self._begun:
            # What a full disk took of the last write, and no header tells of.
            with contextlib.suppress(OSError):
                os.ftruncate(fd, _HEADER.size + self._audio_bytes)
        os.close(fd)

    def _begin(self, fd: int) -> None:
        if self._begun:
            return
        # Before the old content goes: at no instant is there a file without a header.
        self._write_header(fd, 0)
        os.ftruncate(fd, _HEADER.size)
        self._begun = True

    def _write_header(self, fd: int, audio_bytes: int) -> None:
        block_bytes = _CHANNELS * SAMPLE_BYTES
        header = _HEADER.pack(
            b"RIFF",
            _HEADER.size - _BEFORE_RIFF_SIZE + audio_bytes,
            b"WAVE",
            b"fmt ",
            _FMT_BYTES,
            _PCM,
            _CHANNELS,
            self._sample_rate_hz,
            self._sample_rate_hz * block_bytes,
            block_bytes,
            SAMPLE_BYTES * 8,
            b"data",
            audio_bytes,
        )
        _write_at(fd, 0, header)

    def _refused(self, exc: OSError) -> UsageError:
        return UsageError(f"cannot record to {self._path}: {exc.strerror}", "name another file")

    def _stopped(self, why: str) -> StorageError:
        return StorageError(
            f"recording to {self._path} has stopped: {why}", "what came before is in it"
        )


def _open(path: Path) -> int:
    """Open without emptying it, and never wait for the reader of a named pipe."""
    flags = os.O_RDWR | os.O_CREAT
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    fd = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a file")
    return fd


def _write_at(fd: int, position_bytes: int, data: bytes) -> None:
    # Not ``os.pwrite``, which Windows lacks; nobody else has the descriptor.
    os.lseek(fd, position_bytes, os.SEEK_SET)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
