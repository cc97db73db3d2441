from __future__ import annotations

import asyncio
import itertools
import os
import struct
import tempfile
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from numpy.typing import NDArray

from sayd_cli.capture.file import FileSource
from sayd_cli.errors import InputError
from sayd_cli.listening.ports import Source
from sayd_cli.model.audio import Frame
from tests.audio.damage import damaged


def tones(rate_hz: int, seconds: float = 2.3) -> NDArray[np.float64]:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    samples: NDArray[np.float64] = 0.3 * np.sin(1400 * times) + 0.2 * np.sin(9000 * times)
    return samples


async def collect(source: Source, frames: list[Frame]) -> None:
    async with source:
        async for frame in source.frames():
            assert isinstance(frame, Frame)
            frames.append(frame)


async def frames_of(source: Source) -> list[Frame]:
    frames: list[Frame] = []
    await collect(source, frames)
    return frames


def joined(frames: list[Frame]) -> NDArray[np.int16]:
    lengths = [frame.length_samples for frame in frames]
    assert [frame.start_sample for frame in frames] == [0, *itertools.accumulate(lengths)][:-1]
    assert all(lengths)
    return np.frombuffer(b"".join(frame.pcm for frame in frames), "<i2")


async def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        await frames_of(FileSource(path, 16000))
    assert caught.value.exit_status == 5
    assert caught.value.remedy
    assert "\n" not in caught.value.message + caught.value.remedy
    return caught.value


@pytest.mark.parametrize("rate_hz", [8000, 16000])
async def test_a_file_at_the_rate_is_taken_as_it_is(tmp_path: Path, rate_hz: int) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32767, 3 * rate_hz + 7).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, rate_hz)
    source: Source = FileSource(tmp_path / "a.wav", rate_hz)
    assert not source.live
    frames = await frames_of(source)
    assert np.array_equal(joined(frames), samples)
    assert {frame.sample_rate_hz for frame in frames} == {rate_hz}
    assert max(frame.length_samples for frame in frames) <= rate_hz // 2
    assert source.notices() == []


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8000, 44100, 48000])
async def test_any_kind_of_file_is_heard(
    tmp_path: Path, suffix: str, channels: int, rate_hz: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.repeat(tones(rate_hz)[:, np.newaxis], channels, axis=1), rate_hz)
    heard = joined(await frames_of(FileSource(path, 16000)))
    wanted = tones(16000)
    assert abs(len(heard) - len(wanted)) <= 1
    length = min(len(heard), len(wanted))
    assert np.corrcoef(heard[:length], wanted[:length])[0, 1] > 0.999


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
async def test_reading_by_blocks_is_as_reading_at_once(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tones(16000), 16000)
    at_once, _ = soundfile.read(path, dtype="float32")
    heard = joined(await frames_of(FileSource(path, 16000))) / 32768
    assert len(heard) == len(at_once)
    assert np.abs(heard - at_once).max() < 1 / 32768


async def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.array([[1000, 3000]] * 500, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", stereo, 16000)
    heard = joined(await frames_of(FileSource(tmp_path / "a.wav", 16000)))
    assert heard.tolist() == [2000] * 500


async def test_stop_ends_it_with_the_frame_that_was_taken(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(60 * 16000, dtype=np.int16), 16000)
    source = FileSource(tmp_path / "a.wav", 16000)
    frames = []
    async with source:
        async for frame in source.frames():
            frames.append(frame)
            source.stop()
    assert len(frames) == 1


async def test_what_was_read_ahead_is_not_given_after_stop(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tones(16000, 0.9), 16000)
    async with FileSource(tmp_path / "a.wav", 16000) as source:
        for thread in threading.enumerate():
            if thread.name == "file-read":  # all of it is read when this has ended
                await asyncio.to_thread(thread.join, 20)
                assert not thread.is_alive()
        source.stop()
        assert [frame async for frame in source.frames()] == []


async def test_a_long_file_is_never_held_whole(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 48000, 2) as file:
        for _ in range(120):
            file.write(np.zeros((48000, 2), dtype=np.int16))
    tracemalloc.start()
    try:
        length = 0
        before_bytes, _ = tracemalloc.get_traced_memory()
        async with FileSource(tmp_path / "a.wav", 16000) as source:
            async for frame in source.frames():
                length += frame.length_samples
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == 120 * 16000
    assert (
        peak_bytes - before_bytes < 8_000_000
    )  # a second of it is 0.2 MB, all of it 46 MB as floats


def with_header(path: Path, *, channels: int, rate_hz: int, data_bytes: int) -> Path:
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, 0, 2 * channels, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", data_bytes) + bytes(data_bytes)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return path


@pytest.mark.parametrize("rate_hz", [1, 999, 768_001, 0x7FFFFFFF])
async def test_a_rate_that_no_recording_has(tmp_path: Path, rate_hz: int) -> None:
    path = with_header(tmp_path / "a.wav", channels=1, rate_hz=rate_hz, data_bytes=160_000)
    error = await refused(path)
    assert f"a.wav claims a sample rate of {rate_hz:,} Hz" in error.message
    assert "1,000 to 768,000 Hz" in error.remedy


async def test_channels_that_no_recording_has(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a.wav", channels=65, rate_hz=16000, data_bytes=65 * 200)
    assert "65 channels" in (await refused(path)).message


async def test_what_a_header_says_takes_up_no_memory(tmp_path: Path) -> None:
    path = with_header(tmp_path / "a.wav", channels=64, rate_hz=768_000, data_bytes=128 * 9600)
    await frames_of(FileSource(path, 16000))  # imports take up memory too
    tracemalloc.start()
    try:
        before_bytes, _ = tracemalloc.get_traced_memory()
        frames = await frames_of(FileSource(path, 16000))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert abs(len(joined(frames)) - 200) <= 1
    assert peak_bytes - before_bytes < 16_000_000  # half a second of it is 98 MB as floats


@settings(deadline=None, max_examples=150)
@given(damaged())
def test_a_damaged_wav_is_audio_or_an_error(data: bytes) -> None:
    async def hear(path: Path) -> list[Frame]:
        async with asyncio.timeout(20):
            return await frames_of(FileSource(path, 16000))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        path.write_bytes(data)
        try:
            frames = asyncio.run(hear(path))
        except InputError:
            return
    # Damage can make it a compressed format: at worst 160 samples in 33 bytes, at 1 kHz.
    assert len(joined(frames)) * 2 <= 200 * len(data) + 32_000
    assert all(frame.length_samples <= 8000 for frame in frames)


async def test_a_missing_file(tmp_path: Path) -> None:
    assert "does not exist" in (await refused(tmp_path / "none.wav")).message


async def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory" in (await refused(tmp_path)).message


async def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert "is empty" in (await refused(tmp_path / "a.wav")).message


async def test_text_called_wav(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("It was the best of times,\n" * 50)
    assert "is not audio in a known format" in (await refused(tmp_path / "a.wav")).message


async def test_raw_audio_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(3200))
    assert "sayd listen -" in (await refused(tmp_path / "a.raw")).remedy


async def test_a_file_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    assert "holds no audio" in (await refused(tmp_path / "a.wav")).message


async def test_a_name_that_cannot_be_one() -> None:
    assert "cannot be read" in (await refused(Path("a\0.wav"))).message


async def test_a_pipe_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    error = await refused(tmp_path / "pipe")
    assert "is not a regular file" in error.message
    assert "sayd listen -" in error.remedy


async def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tones(16000), 16000)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read anything: let the system say no

        def denied(*args: Any, **kwargs: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)
    assert "may not be read" in (await refused(path)).message


async def test_what_comes_before_the_damage_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tones(16000, 10), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames: list[Frame] = []
    with pytest.raises(InputError) as caught:
        await collect(FileSource(path, 16000), frames)
    assert len(joined(frames)) > 2 * 16000
    assert "is damaged after" in caught.value.message
    assert np.corrcoef(joined(frames), tones(16000, 10)[: len(joined(frames))])[0, 1] > 0.999


async def test_an_mp3_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, tones(16000, 10), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source = FileSource(path, 16000)
    assert len(joined(await frames_of(source))) > 2 * 16000
    (notice,) = source.notices()
    assert "breaks off" in notice
    assert "of the 10.0 s" in notice


def without_length(mp3: bytes) -> bytes:
    """Drop the first frame: it holds no sound, only the length of the rest."""
    assert b"Xing" in mp3[:200] or b"Info" in mp3[:200]
    second = mp3.index(mp3[:2], 100)
    return mp3[second:]


async def test_an_mp3_that_does_not_say_how_long_it_is_is_heard_to_its_end(tmp_path: Path) -> None:
    # Loud first, in many bits: from that libsndfile guesses that the rest is short.
    loud = np.random.default_rng(2).normal(0, 0.2, 48000)
    samples = np.concatenate([loud, tones(48000, 9)])
    path = tmp_path / "a.mp3"
    with soundfile.SoundFile(
        path, "w", 48000, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.2
    ) as file:
        file.write(samples)
    path.write_bytes(without_length(path.read_bytes()))
    assert soundfile.info(path).duration < 9
    heard = joined(await frames_of(FileSource(path, 16000)))
    assert len(heard) > 9.9 * 16000
