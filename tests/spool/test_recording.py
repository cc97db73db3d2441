from __future__ import annotations

import io
import os
import random
import signal
import stat
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import StorageError, UsageError
from sayd_cli.spool.recording import WavRecording

if sys.platform == "win32":
    pytest.skip("modes, named pipes and limits are POSIX's", allow_module_level=True)

import resource

RATE_HZ = 16000
HEADER_BYTES = 44


def counting(samples: int, first: int = 0) -> bytes:
    """PCM16 in which every sample differs from its neighbours."""
    return b"".join(((first + n) * 7919 % 65536).to_bytes(2, "little") for n in range(samples))


def read(path: Path) -> bytes:
    """The samples, as two libraries find them."""
    samples, rate_hz = soundfile.read(path, dtype="int16")
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth()) == (1, 2)
        assert reader.getframerate() == rate_hz == RATE_HZ
        pcm: bytes = reader.readframes(reader.getnframes())
    assert bytes(samples) == pcm
    return pcm


def test_it_is_whole_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    written = b""
    with WavRecording(path, RATE_HZ) as recording:
        assert read(path) == b""
        for samples in (1600, 1, 0, 1600, 777):
            pcm = counting(samples, len(written))
            recording.write(pcm)
            written += pcm
            assert read(path) == written
    assert read(path) == written
    assert path.stat().st_size == HEADER_BYTES + len(written)


@given(st.integers(0, 4000), st.integers(0, 4000), st.integers(0, 1600))
def test_audio_that_the_header_does_not_yet_tell_of_does_no_harm(
    kept: int, more: int, seed: int
) -> None:
    whole = io.BytesIO()
    with wave.open(whole, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE_HZ)
        writer.writeframes(counting(kept))
    between = whole.getvalue() + counting(more, seed)
    samples, _ = soundfile.read(io.BytesIO(between), dtype="int16")
    assert samples.tobytes() == counting(kept)


def test_only_its_owner_can_read_a_new_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with WavRecording(tmp_path / "a.wav", RATE_HZ):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == 0o600


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * 100_000)
    with WavRecording(path, RATE_HZ) as recording:
        recording.write(counting(10))
    assert read(path) == counting(10)
    assert path.stat().st_size == HEADER_BYTES + 20


def test_an_old_file_outlives_a_run_that_fails_before_it_hears_anything(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavRecording(path, RATE_HZ) as recording:
        recording.write(counting(10))
    failing = WavRecording(path, RATE_HZ)
    with pytest.raises(OSError, match="no microphone"), failing:
        raise OSError("no microphone")
    assert read(path) == counting(10)


def test_a_run_that_hears_nothing_leaves_a_file_with_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * 100_000)
    with WavRecording(path, RATE_HZ):
        assert path.stat().st_size == 100_000
    assert read(path) == b""
    assert path.stat().st_size == HEADER_BYTES


def test_nothing_is_touched_before_it_is_entered(tmp_path: Path) -> None:
    WavRecording(tmp_path / "a.wav", RATE_HZ)
    assert list(tmp_path.iterdir()) == []


def unwritable(tmp_path: Path) -> list[tuple[Path, str]]:
    os.mkfifo(tmp_path / "fifo")
    return [
        (tmp_path, "Is a directory"),
        (tmp_path / "missing" / "a.wav", "No such file"),
        (Path("/dev/full"), "not a file"),
        (tmp_path / "fifo", "not a file"),
        (tmp_path / ("a" * 300), "too long"),
    ]


def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    for path, why in unwritable(tmp_path):
        with pytest.raises(UsageError, match=why) as caught, WavRecording(path, RATE_HZ):
            pass
        assert caught.value.exit_status == 2
        assert str(path) in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_may_not_be_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    path.chmod(0o400)
    with pytest.raises(UsageError, match="Permission denied"), WavRecording(path, RATE_HZ):
        pass
    assert path.read_bytes() == b"old"


def test_a_full_disk_stops_it_and_leaves_what_came_before(tmp_path: Path) -> None:
    # A limit on the size of files ends a write in its middle, as a full disk does.
    path = tmp_path / "a.wav"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    recording = WavRecording(path, RATE_HZ)
    with recording:
        recording.write(counting(1600))
        resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER_BYTES + 3200 + 501, before[1]))
        try:
            with pytest.raises(StorageError, match=r"a\.wav has stopped: File too large"):
                recording.write(counting(1600, 1600))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with pytest.raises(StorageError):
            recording.write(counting(1))
    assert read(path) == counting(1600)
    assert path.stat().st_size == HEADER_BYTES + 3200


def test_at_the_limit_of_the_format_it_stops_with_a_full_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavRecording(path, RATE_HZ, limit_bytes=1000) as recording:
        recording.write(counting(400))
        with pytest.raises(StorageError, match="holds no more"):
            recording.write(counting(400, 400))
        with pytest.raises(StorageError):
            recording.write(b"")
    assert read(path) == counting(500)


def test_sizes_reach_the_limit_of_the_format(tmp_path: Path) -> None:
    # A file with a hole: 4 GiB that take no room.
    path = tmp_path / "a.wav"
    most = 0xFFFFFFFF - 36 - 1
    with WavRecording(path, RATE_HZ) as recording:
        recording._audio_bytes = most - 4
        with pytest.raises(StorageError, match="holds no more"):
            recording.write(counting(3))
    assert path.stat().st_size == HEADER_BYTES + most
    with wave.open(str(path)) as reader:
        assert reader.getnframes() == most // 2
    assert soundfile.info(path).frames == most // 2


WRITER = """
import sys
from pathlib import Path
from sayd_cli.spool.recording import WavRecording

with WavRecording(Path(sys.argv[1]), 16000) as recording:
    print(flush=True)
    first = 0
    while True:
        recording.write(
            b"".join(((first + n) * 7919 % 65536).to_bytes(2, "little") for n in range(160))
        )
        first += 160
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    chance = random.Random(3)
    lengths = []
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))  # the instant is the input of this test
            process.send_signal(signal.SIGKILL)
        pcm = read(path)
        assert len(pcm) % 320 == 0
        assert pcm == counting(len(pcm) // 2)
        lengths.append(len(pcm))
    assert len(set(lengths)) > 5
