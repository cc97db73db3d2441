from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import StorageError
from sayd_cli.model.audio import Codec
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.spool.label import SpoolLabel, decode, encode
from sayd_cli.spool.shelf import LabelledSpool, Shelf
from tests.spool.audio import counting, frame

STARTED_AT = datetime(2026, 7, 18, 10, 15, 0, 123456, tzinfo=UTC)
LABEL = SpoolLabel(STARTED_AT, SessionSettings("en"), BackendName.CLOUD, "stand-up")

labels = st.builds(
    SpoolLabel,
    started_at=st.datetimes(timezones=st.just(UTC)),
    settings=st.builds(
        SessionSettings,
        language=st.sampled_from(["multi", "auto", "en", "zh-TW"]),
        sample_rate_hz=st.sampled_from([8000, 16000]),
        codec=st.sampled_from(Codec),
    ),
    backend=st.sampled_from(BackendName),
    title=st.text(st.characters()),
    session_id=st.none() | st.text(),
)


def shelf_in(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "state" / "spool")


def leave(shelf: Shelf, label: SpoolLabel = LABEL, samples: int = 1600) -> str:
    """A listening that ended without a clean end."""
    with shelf.begin(label) as kept:
        kept.spool.append(frame(0, samples))
        return kept.spool_id


@given(labels)
def test_a_label_comes_back(label: SpoolLabel) -> None:
    assert decode(encode(label)) == label


@given(labels, st.data())
def test_a_damaged_label_is_none_or_a_label(label: SpoolLabel, data: st.DataObject) -> None:
    whole = encode(label)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert decode(whole[:cut]) is None
    fields = json.loads(whole)
    wrong = data.draw(
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
    )
    fields[data.draw(st.sampled_from(sorted(fields)))] = wrong
    found = decode(json.dumps(fields).encode())
    assert found is None or decode(encode(found)) == found
    assert decode(data.draw(st.binary())) is None


def test_a_listening_that_ended_cleanly_leaves_nothing(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with shelf.begin(LABEL) as kept:
        kept.spool.append(frame(0, 1600))
        kept.relabel(replace(LABEL, session_id="s1"))
        kept.discard()
        assert not kept.folder.exists()
    assert [path for path in shelf.directory.iterdir() if path.name != ".lock"] == []
    assert shelf.interrupted() == []


def test_everything_is_its_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        leave(shelf_in(tmp_path))
    finally:
        os.umask(before)
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").rglob("*")
    } | {tmp_path / "state": stat.S_IMODE((tmp_path / "state").stat().st_mode)}
    assert len(modes) == 7
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_nothing_is_made_before_it_begins(tmp_path: Path) -> None:
    assert shelf_in(tmp_path).interrupted() == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_interrupted_is_found_oldest_first_and_continued(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    later = replace(LABEL, started_at=STARTED_AT + timedelta(seconds=1), title="later")
    elsewhere = replace(
        LABEL,
        started_at=(STARTED_AT - timedelta(hours=1)).astimezone(timezone(timedelta(hours=9))),
        title="earlier, said in another time zone",
        settings=SessionSettings(sample_rate_hz=8000),
    )
    ids = [leave(shelf, label) for label in (later, LABEL)]
    with shelf.begin(elsewhere) as kept:
        kept.spool.append(replace(frame(0, 800), sample_rate_hz=8000))
        kept.relabel(replace(elsewhere, session_id="s9"))
        ids.append(kept.spool_id)
    found = shelf.interrupted()
    assert [each.spool_id for each in found] == ids[::-1] == sorted(ids)
    assert [each.audio_s for each in found] == [0.1, 0.1, 0.1]
    assert found[0].label == replace(elsewhere, session_id="s9")
    assert [each.label for each in found[1:]] == [LABEL, later]
    with found[1].open() as kept:
        assert (kept.spool_id, kept.label, kept.folder) == (ids[1], LABEL, found[1].folder)
        assert (kept.spool.start_sample, kept.spool.end_sample) == (0, 1600)
        kept.spool.append(frame(1600, 800))
        got = kept.spool.read(0, 10_000)
        assert got is not None
        assert got.pcm == counting(1600)
    assert [each.audio_s for each in shelf.interrupted()] == [0.1, 0.15, 0.1]


def test_a_spool_that_somebody_has_is_not_interrupted(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    leave(shelf)
    (found,) = shelf.interrupted()
    with found.open():
        assert Shelf(shelf.directory).interrupted() == []
        with pytest.raises(StorageError, match="in use by another process"):
            found.open()
    with found.open() as kept:
        kept.discard()
    with pytest.raises(StorageError, match="is gone"):
        found.open()


def test_a_free_folder_without_audio_is_removed(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with shelf.begin(LABEL) as empty, shelf.begin(LABEL) as busy:
        (empty.folder / "16000-000000000000.pcm").write_bytes(b"x")
        empty.close()
        assert shelf.interrupted() == []
        assert not empty.folder.exists()
        assert busy.folder.exists()


def test_what_others_keep_on_the_shelf_is_left_alone(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with shelf.begin(LABEL) as kept:
        (kept.folder / "notes.txt").write_text("mine")
        kept.spool.append(frame(0, 10))
        kept.discard()
    assert [path.name for path in kept.folder.iterdir()] == ["notes.txt"]
    for name in ("photos", "20269999T999999.000000Z-00000000"):
        (shelf.directory / name).mkdir()
    assert shelf.interrupted() == []
    assert (shelf.directory / "photos").exists()
    with pytest.raises(StorageError, match="is gone"):
        shelf.open("photos")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"started_at": 3}', b"\xff\xfe", None])
def test_without_its_label_a_spool_is_still_found(tmp_path: Path, damage: bytes | None) -> None:
    shelf = shelf_in(tmp_path)
    with shelf.begin(LABEL) as kept:
        spool_id = kept.spool_id
        path = kept.folder / "label.json"
        (kept.folder / "8000-000000000000.pcm").write_bytes(counting(800))
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    (found,) = shelf.interrupted()
    assert found.spool_id == spool_id
    assert found.audio_s == 0.1
    assert found.label == SpoolLabel(
        STARTED_AT, SessionSettings(sample_rate_hz=8000), BackendName.LOCAL, ""
    )
    with found.open() as again:
        got = again.spool.read(0, 800)
        assert got is not None
        assert (got.pcm, got.sample_rate_hz) == (counting(800), 8000)
        again.relabel(LABEL)
    assert decode(path.read_bytes()) == LABEL


def test_a_label_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with shelf.begin(LABEL) as kept:
        kept.spool.append(frame(0, 10))
        (kept.folder / "label.json.new").mkdir()
        with pytest.raises(StorageError, match="cannot keep audio in"):
            kept.relabel(replace(LABEL, title="new"))
        assert kept.label == LABEL
    (found,) = shelf.interrupted()
    assert found.label == LABEL


def test_a_folder_that_vanishes_is_fine(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    leave(shelf)
    (found,) = shelf.interrupted()
    with shelf.begin(LABEL) as kept:
        kept.spool.append(frame(0, 1600))
        shutil.rmtree(shelf.directory)
        kept.spool.append(frame(1600, 1600))
        with pytest.raises(StorageError):
            kept.relabel(LABEL)
        kept.discard()
    assert shelf.interrupted() == []
    with pytest.raises(StorageError):
        found.open()


def test_a_shelf_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file" / "spool", tmp_path / ("a" * 300), Path("/proc/spool")):
        with pytest.raises(StorageError) as caught:
            Shelf(directory).begin(LABEL)
        assert "\n" not in caught.value.message + caught.value.remedy
        assert caught.value.remedy


def test_many_that_begin_at_the_same_instant_get_folders_of_their_own(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    kept: list[LabelledSpool] = []
    threads = [
        threading.Thread(target=lambda: kept.append(Shelf(shelf.directory).begin(LABEL)))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.spool_id for each in kept}) == 12
    assert shelf.interrupted() == []
    for each in kept:
        each.discard()
    assert [path.name for path in shelf.directory.iterdir()] == [".lock"]


BEGIN_AND_END = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from sayd_cli.model.audio import Frame
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.shelf import Shelf

shelf = Shelf(Path(sys.argv[1]))
label = SpoolLabel(datetime.now(UTC), SessionSettings(), BackendName.LOCAL)
for _ in range(60):
    with shelf.begin(label) as kept:
        assert shelf.interrupted() == []
        kept.spool.append(Frame(b"xx", 0, 16000))
        assert kept.spool.notices() == []
        assert (kept.folder / "label.json").exists()
        kept.discard()
"""


def test_those_who_begin_and_those_who_look_never_meet(tmp_path: Path) -> None:
    # Nobody's folder is ever free with audio in it, and none is removed while it is being made.
    shelf = shelf_in(tmp_path)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN_AND_END, str(shelf.directory)], stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for child in children:
        _, complaint = child.communicate(timeout=100)
        assert child.returncode == 0, complaint.decode()
    assert [path.name for path in shelf.directory.iterdir()] == [".lock"]


HOLD = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from sayd_cli.model.audio import Frame
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.shelf import Shelf

label = SpoolLabel(datetime.now(UTC), SessionSettings(), BackendName.LOCAL, "held")
kept = Shelf(Path(sys.argv[1])).begin(label)
kept.spool.append(Frame(b"xx" * 1600, 0, 16000))
print(kept.spool_id, flush=True)
sys.stdin.read()
"""


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(shelf.directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        spool_id = child.stdout.readline().decode().strip()
        assert shelf.interrupted() == []
        with pytest.raises(StorageError, match="in use by another process"):
            shelf.open(spool_id)
        child.send_signal(signal.SIGKILL)
        child.wait(20)
    (found,) = shelf.interrupted()
    assert (found.spool_id, found.label.title, found.audio_s) == (spool_id, "held", 0.1)
