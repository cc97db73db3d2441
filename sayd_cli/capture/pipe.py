"""Audio on standard input: WAV, or raw PCM16 mono at the session's rate.

Owns the reading, as the audio arrives and not by full blocks, and the decision what it is.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, Self

from sayd_cli.audio.conversion import to_mono
from sayd_cli.audio.resampling import Resampler
from sayd_cli.audio.wav import MAGIC, Encoding, WavFormat, WavParser, decode
from sayd_cli.capture.readahead import ReadAheadSource
from sayd_cli.errors import InputError
from sayd_cli.model.audio import SAMPLE_BYTES

# A recorder at the other end loses audio when its pipe is full: read on while the session is
# created and the engine loads. Beyond that the writer waits, as writers of files should.
_AHEAD_S = 30
_READ_BYTES = 1 << 16
# Enough to see two MP3 frames; 64 ms of raw audio.
_HEAD_BYTES = 2048

_BY_NAME = "save it, and pass the file by name: sayd listen FILE"
_MAGICS = {
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"ID3": "MP3",
    b"FORM": "AIFF",
    b"RIFX": "big-endian WAV",
    b"RF64": "RF64",
    b"\x1aE\xdf\xa3": "Matroska or WebM",
}


class PipeSource(ReadAheadSource):
    """A source that arrives down a pipe; it is not live, for it may come faster than it sounds.

    Args:
        stream: Binary standard input, such as ``sys.stdin.buffer``; it must not have been read.
            None when there is none.
        sample_rate_hz: The rate of the frames, and of raw PCM16.

    Raises:
        InputError: On entering, it is a terminal; on iterating, it is empty or not audio.
    """

    def __init__(self, stream: BinaryIO | None, sample_rate_hz: int) -> None:
        super().__init__(sample_rate_hz, _AHEAD_S)
        self._stream = stream

    async def __aenter__(self) -> Self:
        how = "pipe some in: sayd listen - < FILE.wav"
        if self._stream is None or self._stream.closed:
            raise InputError("there is no standard input", how)
        if self._stream.isatty():
            raise InputError("no audio on standard input: it is a terminal", how)
        self._read_ahead(self._blocks(self._stream.fileno()), "pipe-read")
        return self

    def _blocks(self, fd: int) -> Iterator[bytes]:
        """What arrives, as PCM16 at the wanted rate."""
        reads = _reads(fd)
        head = b""
        while len(head) < _HEAD_BYTES and (data := next(reads, b"")):
            head += data
        if not head:
            raise InputError("standard input is empty", "check the command that writes to it")
        if head.startswith(MAGIC):
            yield from self._wav(head, reads)
        else:
            _refuse_what_is_not_raw(head)
            yield from _whole_samples(head, reads)

    def _wav(self, head: bytes, reads: Iterator[bytes]) -> Iterator[bytes]:
        parser = WavParser()
        converter: _WavConverter | None = None
        data = head
        while data:
            audio = parser.feed(data)
            if audio and parser.format is not None:
                converter = converter or _WavConverter(parser.format, self._sample_rate_hz)
                yield converter.push(audio)
            else:
                yield b""
            if parser.ended:
                break
            data = next(reads, b"")
        parser.finish()
        if converter is None:
            raise InputError("the WAV data holds no audio", "check the command that writes it")
        yield converter.flush()


class _WavConverter:
    """From a WAV's samples to PCM16 at a session's rate; nothing to do where it is that."""

    def __init__(self, wav_format: WavFormat, sample_rate_hz: int) -> None:
        self._format = wav_format
        self._is_pcm16 = wav_format.encoding is Encoding.SIGNED_16 and wav_format.channels == 1
        self._resampler = Resampler(wav_format.sample_rate_hz, sample_rate_hz)

    def push(self, audio: bytes) -> bytes:
        if self._is_pcm16:
            return self._resampler.push(audio)
        return self._resampler.push(to_mono(decode(audio, self._format)))

    def flush(self) -> bytes:
        return self._resampler.flush()


def _reads(fd: int) -> Iterator[bytes]:
    """What a read gives, as soon as it gives anything."""
    while True:
        try:
            data = os.read(fd, _READ_BYTES)
        except OSError as exc:
            raise InputError(
                f"standard input cannot be read: {exc.strerror}",
                "pipe audio into it, or name a file",
            ) from exc
        if not data:
            return
        yield data


def _whole_samples(head: bytes, reads: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes cut at samples; half a sample at the end is dropped."""
    rest = head
    while True:
        whole_bytes = len(rest) - len(rest) % SAMPLE_BYTES
        yield rest[:whole_bytes]
        data = next(reads, b"")
        if not data:
            return
        rest = rest[whole_bytes:] + data


def _refuse_what_is_not_raw(head: bytes) -> None:
    for magic, name in _MAGICS.items():
        if head.startswith(magic):
            raise InputError(f"standard input is {name}, not WAV or raw PCM16", _BY_NAME)
    if head[4:8] == b"ftyp":
        raise InputError("standard input is MP4, not WAV or raw PCM16", "convert it to WAV first")
    if _is_mp3(head):
        raise InputError("standard input is MP3, not WAV or raw PCM16", _BY_NAME)
    if _is_text(head):
        raise InputError("standard input is text, not audio", "pipe WAV or raw PCM16 into it")


def _is_mp3(head: bytes) -> bool:
    """Two MPEG layer III headers, a frame apart: one alone could be two loud samples.

    Layout: http://www.mp3-tech.org/programmer/frame_header.html
    """
    kbits = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    kbits_low = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    rates_hz = {
        0b11: (44100, 48000, 32000),
        0b10: (22050, 24000, 16000),
        0b00: (11025, 12000, 8000),
    }
    if len(head) < 4:
        return False
    (header,) = struct.unpack(">I", head[:4])
    version, bitrate, rate = header >> 19 & 3, header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or header >> 17 & 3 != 1 or version not in rates_hz:
        return False
    if bitrate in (0, 15) or rate == 3:
        return False
    full = version == 0b11
    bits_a_second = 1000 * (kbits if full else kbits_low)[bitrate - 1]
    padding = header >> 9 & 1
    length = (144 if full else 72) * bits_a_second // rates_hz[version][rate] + padding
    return head[length : length + 2] == head[:2]


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as exc:
        if exc.start < len(head) - 3:  # a character cut off at the end is no reason
            return False
        text = head[: exc.start].decode()
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
