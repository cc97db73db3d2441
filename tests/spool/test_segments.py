from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.spool import segments
from sayd_cli.spool.segments import FileSegment
from tests.spool.audio import RATE_HZ, counting


def put(folder: Path, start_sample: int, samples: int, rate_hz: int = RATE_HZ) -> Path:
    path = folder / f"{rate_hz}-{start_sample:012d}.pcm"
    path.write_bytes(counting(samples, start_sample))
    return path


def spans(folder: Path) -> list[tuple[int, int]]:
    return [(each.start_sample, each.end_sample) for each in segments.find(folder, RATE_HZ)]


def test_names_and_lengths_tell_runs_and_gaps(tmp_path: Path) -> None:
    segment = FileSegment.create(tmp_path, RATE_HZ, 1600)
    segment.append(memoryview(counting(100, 1600)))
    fd = segment.detach()
    assert fd is not None
    os.close(fd)
    assert [path.name for path in tmp_path.iterdir()] == ["16000-000000001600.pcm"]
    put(tmp_path, 1700, 50)
    put(tmp_path, 2000, 10)
    put(tmp_path, 5_000_000_000_000, 10)
    assert spans(tmp_path) == [
        (1600, 1700),
        (1700, 1750),
        (2000, 2010),
        (5_000_000_000_000, 5_000_000_000_010),
    ]


def test_half_a_sample_does_not_count(tmp_path: Path) -> None:
    for start, torn in ((0, b"x"), (500, b"")):
        path = tmp_path / f"16000-{start:012d}.pcm"
        path.write_bytes(counting(100, start)[: 100 if start else 200] + torn)
    (tmp_path / "16000-000000000900.pcm").write_bytes(b"")
    (tmp_path / "16000-000000000901.pcm").write_bytes(b"x")
    assert spans(tmp_path) == [(0, 100), (500, 550)]
    assert segments.find(tmp_path, RATE_HZ)[0].read(90, 100) == counting(10, 90)


def test_other_files_do_not_count(tmp_path: Path) -> None:
    for name in ("label.json", "16000-5.pcm", "16000-000000000000.pcm.bak", "x-000000000000.pcm"):
        (tmp_path / name).write_bytes(b"xx")
    assert spans(tmp_path) == []
    assert segments.find_rate_hz(tmp_path) is None
    put(tmp_path, 0, 100, 8000)
    assert spans(tmp_path) == []
    assert segments.find_rate_hz(tmp_path) == 8000
    put(tmp_path, 0, 101)
    assert segments.find_rate_hz(tmp_path) == 16000


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), max_size=12))
def test_what_overlaps_is_read_once(files: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        there = set[int]()
        for start, samples in dict(files).items():
            put(folder, start, samples)
            there.update(range(start, start + samples))
        found = list[int]()
        for segment in segments.find(folder, RATE_HZ):
            assert segment.read(segment.start_sample, 10_000) == counting(
                segment.length_samples, segment.start_sample
            )
            found.extend(range(segment.start_sample, segment.end_sample))
        assert found == sorted(there)


def test_a_file_cannot_be_made_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileSegment.create(tmp_path / "gone", RATE_HZ, 0)
