"""RIFF/WAVE as it comes down a pipe: no seeking, no size to rely on, cut anywhere.

Owns the header and the sample encodings. Reads liberally: unknown chunks are skipped, a data
chunk of size 0 or of about 2 or 4 GiB (what sox, ffmpeg and arecord write when they cannot seek
back) lasts until the end of the stream, and audio that breaks off is taken as far as it goes.
Layout: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

from sayd_cli.audio.plausibility import refuse_implausible
from sayd_cli.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"RIFF"

_REMEDY = "save it as PCM WAV, or pass the file by name"
_TAG_PCM, _TAG_FLOAT, _TAG_EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
# The last 14 bytes of the sub-format of WAVE_FORMAT_EXTENSIBLE; the first two are a plain tag.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_FMT_BYTES_MIN, _FMT_BYTES_MAX = 16, 1024
# sox writes 0x7FFFF000 and the like, arecord 0x7FFFFFFF or 0x80000000, ffmpeg 0xFFFFFFFF.
_ENDLESS_BYTES = 0x7FFF0000


class Encoding(StrEnum):
    """How one sample is written; always little-endian."""

    UNSIGNED_8 = "8-bit"
    SIGNED_16 = "16-bit"
    SIGNED_24 = "24-bit"
    SIGNED_32 = "32-bit"
    FLOAT_32 = "32-bit float"
    FLOAT_64 = "64-bit float"


_ENCODINGS = {
    (_TAG_PCM, 8): Encoding.UNSIGNED_8,
    (_TAG_PCM, 16): Encoding.SIGNED_16,
    (_TAG_PCM, 24): Encoding.SIGNED_24,
    (_TAG_PCM, 32): Encoding.SIGNED_32,
    (_TAG_FLOAT, 32): Encoding.FLOAT_32,
    (_TAG_FLOAT, 64): Encoding.FLOAT_64,
}


@dataclass(frozen=True, slots=True)
class WavFormat:
    """What the header says of the samples.

    Attributes:
        encoding: How one sample is written.
        channels: Samples in a frame.
        sample_rate_hz: Frames a second.
        frame_bytes: Bytes of one sample of every channel.
    """

    encoding: Encoding
    channels: int
    sample_rate_hz: int
    frame_bytes: int


class _Want(Enum):
    """What comes next in the stream."""

    RIFF = 12
    CHUNK = 8
    FMT = 0
    SKIP = 1
    DATA = 2
    NOTHING = 3


class WavParser:
    """Takes bytes as they come; gives the format once it is known, and the audio after it.

    Calling order: ``feed`` any number of times, ``finish`` once.
    """

    def __init__(self) -> None:
        self.format: WavFormat | None = None
        self._buffer = bytearray()
        self._want = _Want.RIFF
        self._left_bytes = 0
        self._endless = False

    @property
    def ended(self) -> bool:
        """The audio is complete; what follows is of no interest."""
        return self._want is _Want.NOTHING

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, and give the audio among them: whole frames, often none.

        Raises:
            InputError: It is not a WAVE file, its samples are of a kind not known here, or its
                format is not plausible.
        """
        self._buffer += data
        audio = bytearray()
        while self._step(audio):
            pass
        return bytes(audio)

    def finish(self) -> None:
        """The stream is over. Half a frame at the end is dropped.

        Raises:
            InputError: It ended before the audio began.
        """
        if self.format is None or self._want not in (_Want.DATA, _Want.NOTHING):
            raise InputError("the WAV data ends within its header", _REMEDY)

    def _step(self, audio: bytearray) -> bool:
        """Take one thing out of the buffer; False when there is too little in it."""
        match self._want:
            case _Want.RIFF | _Want.CHUNK:
                header = self._take(self._want.value)
                if header is not None:
                    (self._riff if self._want is _Want.RIFF else self._chunk)(header)
                return header is not None
            case _Want.FMT:
                body = self._take(self._left_bytes)
                if body is not None:
                    self.format = _parse_format(body)
                    self._want = _Want.CHUNK
                return body is not None
            case _Want.SKIP:
                return self._skip()
            case _Want.DATA:
                return self._data(audio)
            case _Want.NOTHING:
                self._buffer.clear()
                return False

    def _take(self, size_bytes: int) -> bytes | None:
        if len(self._buffer) < size_bytes:
            return None
        taken = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        return taken

    def _riff(self, header: bytes) -> None:
        if header[:4] != MAGIC or header[8:] != b"WAVE":
            raise InputError("this is not a WAV stream", _REMEDY)
        self._want = _Want.CHUNK

    def _chunk(self, header: bytes) -> None:
        name, size_bytes = struct.unpack("<4sI", header)
        padded_bytes = size_bytes + size_bytes % 2
        if name == b"data":
            if self.format is None:
                raise InputError("the WAV data has no format before its audio", _REMEDY)
            self._endless = size_bytes == 0 or size_bytes >= _ENDLESS_BYTES
            self._want, self._left_bytes = _Want.DATA, size_bytes
        elif name == b"fmt " and self.format is None:
            if not _FMT_BYTES_MIN <= size_bytes <= _FMT_BYTES_MAX:
                raise InputError("the WAV header is damaged", _REMEDY)
            self._want, self._left_bytes = _Want.FMT, padded_bytes
        else:
            self._want, self._left_bytes = _Want.SKIP, padded_bytes

    def _skip(self) -> bool:
        taken_bytes = min(len(self._buffer), self._left_bytes)
        del self._buffer[:taken_bytes]
        self._left_bytes -= taken_bytes
        if self._left_bytes:
            return False
        self._want = _Want.CHUNK
        return True

    def _data(self, audio: bytearray) -> bool:
        assert self.format is not None
        if not self._endless and self._left_bytes < self.format.frame_bytes:
            self._want = _Want.NOTHING
            return True
        size_bytes = len(self._buffer)
        if not self._endless:
            size_bytes = min(size_bytes, self._left_bytes)
        size_bytes -= size_bytes % self.format.frame_bytes
        audio += self._buffer[:size_bytes]
        del self._buffer[:size_bytes]
        self._left_bytes -= size_bytes
        return size_bytes > 0


def _parse_format(body: bytes) -> WavFormat:
    tag, channels, sample_rate_hz, _, frame_bytes, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == _TAG_EXTENSIBLE and len(body) >= 40 and body[26:40] == _GUID_TAIL:
        (tag,) = struct.unpack("<H", body[24:26])
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise InputError(f"WAV audio of type {tag:#06x} with {bits} bits is not known", _REMEDY)
    refuse_implausible("the WAV header", sample_rate_hz, channels)
    if frame_bytes != channels * bits // 8:
        raise InputError("the WAV header is damaged", _REMEDY)
    return WavFormat(encoding, channels, sample_rate_hz, frame_bytes)


def decode(audio: bytes, wav_format: WavFormat) -> NDArray[Any]:
    """Samples as numbers, full scale at 1.0.

    Args:
        audio: Whole frames, as ``WavParser.feed`` gives them.
        wav_format: What they are.

    Returns:
        float32 of shape (frames, channels); float64 where they were.
    """
    import numpy as np

    samples: NDArray[Any]
    match wav_format.encoding:
        case Encoding.UNSIGNED_8:
            samples = (np.frombuffer(audio, "u1").astype(np.float32) - 128) / 128
        case Encoding.SIGNED_16:
            samples = np.frombuffer(audio, "<i2").astype(np.float32) / 32768
        case Encoding.SIGNED_24:
            samples = _signed_24(audio).astype(np.float32) / (1 << 23)
        case Encoding.SIGNED_32:
            samples = (np.frombuffer(audio, "<i4") / (1 << 31)).astype(np.float32)
        case Encoding.FLOAT_32:
            samples = np.frombuffer(audio, "<f4")
        case Encoding.FLOAT_64:
            samples = np.frombuffer(audio, "<f8")
    return samples.reshape(-1, wav_format.channels)


def _signed_24(audio: bytes) -> NDArray[np.int32]:
    import numpy as np

    # The three bytes become the upper three of four; shifting down brings the sign along.
    widened = np.zeros((len(audio) // 3, 4), dtype=np.uint8)
    widened[:, 1:] = np.frombuffer(audio, dtype=np.uint8).reshape(-1, 3)
    return widened.view("<i4").reshape(-1) >> 8
