from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import pty
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import BinaryIO

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sayd_cli.capture.pipe import PipeSource
from sayd_cli.errors import InputError
from sayd_cli.listening.ports import Source
from sayd_cli.model.audio import Frame
from tests.audio.damage import OUT_OVER_IN_BYTES, damaged


class Pipe:
    """A pipe with both its ends in this process."""

    def __init__(self) -> None:
        read_fd, self.write_fd = os.pipe()
        self.stream: BinaryIO = os.fdopen(read_fd, "rb")
        self._open = True

    def write(self, data: bytes) -> None:
        os.write(self.write_fd, data)

    def close_writer(self) -> None:
        if self._open:
            os.close(self.write_fd)
        self._open = False


@contextmanager
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    try:
        yield made
    finally:
        made.close_writer()
        # Nobody may read from a descriptor whose number the next test is given.
        for thread in threading.enumerate():
            if thread.name == "pipe-read":
                thread.join(20)
        made.stream.close()


@asynccontextmanager
async def piped(*pieces: bytes, rate_hz: int = 16000) -> AsyncIterator[PipeSource]:
    """A source behind a pipe into which the pieces are written one by one, as it takes them."""
    with pipe() as made:
        async with PipeSource(made.stream, rate_hz) as source:

            def write() -> None:
                # All of it fits into the pipe and the look-ahead, or is read, or is refused.
                with contextlib.suppress(BrokenPipeError):
                    for piece in pieces:
                        for at in range(0, len(piece), 4096):
                            made.write(piece[at : at + 4096])
                made.close_writer()

            writing = asyncio.create_task(asyncio.to_thread(write))
            try:
                yield source
            finally:
                await writing


async def heard(*pieces: bytes, rate_hz: int = 16000) -> NDArray[np.int16]:
    async with piped(*pieces, rate_hz=rate_hz) as source:
        return joined([frame async for frame in source.frames()])


async def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        await heard(data)
    assert caught.value.exit_status == 5
    assert caught.value.remedy
    return caught.value


def joined(frames: list[Frame]) -> NDArray[np.int16]:
    lengths = [frame.length_samples for frame in frames]
    assert [frame.start_sample for frame in frames] == [0, *itertools.accumulate(lengths)][:-1]
    assert all(lengths)
    return np.frombuffer(b"".join(frame.pcm for frame in frames), "<i2")


def noise(length: int) -> NDArray[np.int16]:
    return np.random.default_rng(length).integers(-32768, 32767, length).astype("<i2")


def encoded(
    samples: NDArray[np.int16] | NDArray[np.float64], rate_hz: int, kind: str, subtype: str | None
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


async def test_raw_samples_are_taken_as_they_are() -> None:
    samples = noise(50_001)
    assert np.array_equal(await heard(samples.tobytes()), samples)


async def test_half_a_sample_at_the_end_is_dropped() -> None:
    samples = noise(3000)
    assert np.array_equal(await heard(samples.tobytes() + b"x"), samples)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 3000), max_size=12))
def test_any_cutting_gives_the_same_samples(cuts: list[int]) -> None:
    data = noise(9000).tobytes()
    edges = [0, *(edge for edge in itertools.accumulate(cuts) if edge < len(data)), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert asyncio.run(heard(*pieces)).tobytes() == data


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(16000, 1), (16000, 2), (44100, 2), (8000, 1)])
async def test_any_wav_is_heard(subtype: str, rate_hz: int, channels: int) -> None:
    times = np.arange(rate_hz * 2) / rate_hz
    samples = np.repeat(0.4 * np.sin(2800 * times)[:, np.newaxis], channels, axis=1)
    out = await heard(encoded(samples, rate_hz, "WAV", subtype))
    wanted = 0.4 * np.sin(2800 * np.arange(32000) / 16000)
    assert abs(len(out) - len(wanted)) <= 1
    assert np.corrcoef(out, wanted[: len(out)])[0, 1] > 0.999


async def test_a_wav_of_16_bits_at_the_rate_is_exact_and_what_follows_it_is_not_audio() -> None:
    samples = noise(40_000)
    data = encoded(samples, 16000, "WAV", "PCM_16")
    assert np.array_equal(await heard(data + b"LIST" + struct.pack("<I", 4) + b"note"), samples)


async def test_a_wav_without_a_length_lasts_until_the_end() -> None:
    samples = noise(40_000)
    data = bytearray(encoded(samples, 16000, "WAV", "PCM_16"))
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert np.array_equal(await heard(bytes(data)), samples)


async def test_audio_is_given_as_it_arrives() -> None:
    with pipe() as made:
        source: Source = PipeSource(made.stream, 16000)
        assert not source.live
        async with source, asyncio.timeout(20):
            frames = source.frames()
            for _ in range(5):
                made.write(noise(1600).tobytes())
                frame = await anext(frames)
                assert isinstance(frame, Frame)
                assert frame.length_samples == 1600
            made.close_writer()
            assert [frame async for frame in frames] == []


async def test_stop_ends_at_once_though_the_writer_says_nothing() -> None:
    with pipe() as made:
        async with PipeSource(made.stream, 16000) as source, asyncio.timeout(20):
            made.write(noise(1600).tobytes())
            frames = []
            async for frame in source.frames():
                frames.append(frame)
                source.stop()
            assert len(joined(frames)) == 1600
        made.close_writer()


async def test_what_was_read_is_still_given_after_stop() -> None:
    samples = noise(20 * 16000)
    with tempfile.TemporaryFile() as file:
        file.write(samples.tobytes())
        file.seek(0)
        async with PipeSource(file, 16000) as source, asyncio.timeout(60):
            for thread in threading.enumerate():
                if thread.name == "pipe-read":  # all of it is read when this has ended
                    await asyncio.to_thread(thread.join, 20)
                    assert not thread.is_alive()
            source.stop()
            frames = [frame async for frame in source.frames()]
    assert np.array_equal(joined(frames), samples)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
async def test_a_frame_is_at_most_half_a_second(rate_hz: int) -> None:
    low = encoded(noise(160_000), 1000, "WAV", "PCM_U8")
    raw = noise(160_000).tobytes()
    for data, seconds in ((low, 160), (raw, 160_000 / rate_hz)):
        async with piped(data, rate_hz=rate_hz) as source:
            frames = [frame async for frame in source.frames()]
        assert abs(len(joined(frames)) - seconds * rate_hz) <= 1
        assert max(frame.length_samples for frame in frames) <= rate_hz // 2


def test_a_read_that_blocks_does_not_hold_up_the_end_of_the_program() -> None:
    script = """
import asyncio, sys
from sayd_cli.capture.pipe import PipeSource
async def main():
    async with PipeSource(sys.stdin.buffer, 16000) as source:
        asyncio.get_running_loop().call_later(0.1, source.stop)
        return [frame async for frame in source.frames()]
assert asyncio.run(main()) == []
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=20) == 0


async def test_a_writer_who_is_too_fast_waits() -> None:
    with pipe() as made:
        os.set_blocking(made.write_fd, False)
        block, written = bytes(32_000), 0
        async with PipeSource(made.stream, 16000) as source:
            calm_since = time.monotonic()
            while time.monotonic() - calm_since < 1 and written < 300 * len(block):
                try:
                    written += os.write(made.write_fd, block)
                    calm_since = time.monotonic()
                except BlockingIOError:
                    await asyncio.sleep(0.01)
            assert 30 <= written / len(block) < 40  # the look-ahead and the pipe itself
            made.close_writer()
            frames = [frame async for frame in source.frames()]
        assert len(joined(frames)) * 2 == written


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
async def test_another_format_is_to_be_passed_by_name(kind: str) -> None:
    error = await refused(encoded(noise(16000), 16000, kind, None))
    assert f"standard input is {kind}" in error.message
    assert "by name" in error.remedy


async def test_an_mp3_with_a_tag() -> None:
    assert "is MP3" in (await refused(b"ID3\x04" + bytes(4000))).message


async def test_samples_that_begin_like_an_mp3_are_samples() -> None:
    samples = noise(3000)
    samples[0] = struct.unpack("<h", b"\xff\xfb")[0]
    samples[1] = struct.unpack("<h", b"\x90\x44")[0]
    assert np.array_equal(await heard(samples.tobytes()), samples)


@pytest.mark.parametrize(
    "text", ["hello\n", "It was the best of times, \n" * 200, "语音转写。" * 400]
)
async def test_text_is_not_audio(text: str) -> None:
    assert "is text" in (await refused(text.encode())).message


async def test_silence_is_audio() -> None:
    assert not (await heard(bytes(32000))).any()


async def test_nothing_is_not_audio() -> None:
    assert "is empty" in (await refused(b"")).message


@pytest.mark.parametrize("data", [b"RIFF", b"RIFF\x00\x00\x00\x00AVI " + bytes(99)])
async def test_a_bad_wav(data: bytes) -> None:
    assert "WAV" in (await refused(data)).message


@pytest.mark.parametrize("rate_hz", [1, 0x7FFFFFFF])
async def test_a_wav_with_a_rate_that_no_recording_has(rate_hz: int) -> None:
    data = bytearray(encoded(noise(20_000), 16000, "WAV", "PCM_16"))
    data[24:28] = struct.pack("<I", rate_hz)
    error = await refused(bytes(data))
    assert f"sample rate of {rate_hz:,} Hz" in error.message


async def test_a_wav_with_channels_that_no_recording_has() -> None:
    data = bytearray(encoded(noise(20_000), 16000, "WAV", "PCM_16"))
    data[22:24] = struct.pack("<H", 30_000)
    assert "30,000 channels" in (await refused(bytes(data))).message


@settings(deadline=None, max_examples=150)
@given(damaged())
def test_a_damaged_wav_is_audio_or_an_error(data: bytes) -> None:
    async def hear() -> list[Frame]:
        async with asyncio.timeout(20), piped(data) as source:
            return [frame async for frame in source.frames()]

    try:
        frames = asyncio.run(hear())
    except InputError:
        return
    assert len(joined(frames)) <= OUT_OVER_IN_BYTES * len(data) / 2 + 1
    assert all(frame.length_samples <= 8000 for frame in frames)


async def test_a_wav_without_samples() -> None:
    data = encoded(np.zeros(0), 16000, "WAV", "PCM_16")
    assert "holds no audio" in (await refused(data)).message


async def test_a_terminal_is_not_a_source() -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "rb", buffering=0) as terminal, pytest.raises(InputError) as caught:
            await PipeSource(terminal, 16000).__aenter__()
    finally:
        os.close(ours)
    assert "it is a terminal" in caught.value.message


async def test_no_standard_input_at_all() -> None:
    with pytest.raises(InputError, match="no standard input"):
        await PipeSource(None, 16000).__aenter__()
