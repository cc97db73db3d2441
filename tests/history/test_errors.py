from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sayd_cli.errors import StorageError
from sayd_cli.history.schema import MIGRATIONS
from sayd_cli.history.store import SessionStore
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def create(store: SessionStore, session_id: str) -> None:
    store.create(session_id, settings=SessionSettings(), created_at=NOON, backend=BackendName.CLOUD)


def refused(path: Path) -> StorageError:
    with pytest.raises(StorageError) as caught, SessionStore(path, busy_timeout_s=0.05):
        pass
    assert caught.value.__cause__ is not None
    assert caught.value.remedy
    assert "\n" not in caught.value.message
    return caught.value


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be used" in refused(tmp_path / "file" / "history.sqlite3").message


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").mkdir()
    assert "cannot be used" in refused(tmp_path / "history.sqlite3").message


@pytest.fixture
def read_only_home() -> Iterator[Path]:
    """A folder that may be read and not written, with a history in it; for the superuser, who may
    write anywhere, this process is somebody else's meanwhile.
    """
    if sys.platform == "win32":
        pytest.skip("Windows has no such modes")
    # Not below tmp_path: that is the superuser's alone.
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with SessionStore(home / "kept" / "history.sqlite3") as store:
            create(store, "one")
        superuser = os.geteuid() == 0
        for path in (home / "kept" / "history.sqlite3", home / "kept", home):
            if superuser:
                os.chown(path, _NOBODY, _NOBODY)
            path.chmod(0o400 if path.is_file() else 0o500)
        if superuser:
            os.seteuid(_NOBODY)
        try:
            yield home
        finally:
            if superuser:
                os.seteuid(0)
            for path in (home, home / "kept"):
                path.chmod(0o700)


_NOBODY = 65534


def test_a_home_that_cannot_be_written(read_only_home: Path) -> None:
    error = refused(read_only_home / "history.sqlite3")
    assert "Permission denied" in error.message
    assert "SAYD_HOME" in error.remedy
    assert "Permission denied" in refused(read_only_home / "new" / "history.sqlite3").message


def test_a_home_that_cannot_be_written_any_more(read_only_home: Path) -> None:
    assert "cannot be used" in refused(read_only_home / "kept" / "history.sqlite3").message


def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    path.write_text("Dear diary, " * 1000)
    assert "not a database" in refused(path).message
    assert path.read_text().startswith("Dear diary")


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with SessionStore(path) as store:
        for number in range(200):
            create(store, f"session-{number}")
    pages = bytearray(path.read_bytes())
    pages[4096 + 8 :] = b"\xa5" * (len(pages) - 4096 - 8)
    path.write_bytes(pages)
    with SessionStore(path) as store, pytest.raises(StorageError, match="damaged"):
        store.list()


def test_a_database_of_a_newer_sayd(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with SessionStore(path) as store:
        create(store, "one")
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(StorageError, match="newer") as caught, SessionStore(path):
        pass
    assert "upgrade" in caught.value.remedy


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with SessionStore(path, busy_timeout_s=60) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ("COMMIT",))
        release.start()
        create(store, "one")
        release.join()
        other.close()
        assert store.get("one") is not None


def test_a_locked_database_is_not_waited_for_without_end(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with SessionStore(path, busy_timeout_s=0.05) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked"):
            create(store, "one")
        other.execute("COMMIT")
        other.close()
        create(store, "one")


def test_a_full_disk(tmp_path: Path) -> None:
    with SessionStore(tmp_path / "history.sqlite3") as store:
        create(store, "one")
        assert store._database is not None
        store._database.execute("PRAGMA max_page_count = 8")
        with pytest.raises(StorageError, match="full"):
            store.add_sentence("one", Sentence(0, "word " * 10_000, 0.0, 1.0))
        assert store.get("one") is not None


def test_a_sentence_of_no_session() -> None:
    with SessionStore(None) as store, pytest.raises(StorageError):
        store.add_sentence("none", Sentence(0, "word", 0.0, 1.0))


def test_a_number_that_is_too_big() -> None:
    with SessionStore(None) as store:
        create(store, "one")
        with pytest.raises(StorageError):
            store.add_sentence("one", Sentence(2**70, "word", 0.0, 1.0))
        with pytest.raises(StorageError):
            store.list(offset=2**70)


def test_a_store_that_is_not_open() -> None:
    store = SessionStore(None)
    with pytest.raises(StorageError):
        store.list()


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sayd_cli.history.store import SessionStore
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.stdin.read()
with SessionStore(path, busy_timeout_s=60) as store:
    store.create(name, settings=SessionSettings(), created_at=datetime.now(UTC),
                 backend=BackendName.LOCAL)
    for index in range(count):
        store.add_sentence(name, Sentence(index, f"{name} {index}", index, index + 1))
"""


def test_several_processes_make_and_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.sqlite3"
    names = ("first", "second", "third")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, "40"], stdin=subprocess.PIPE
        )
        for name in names
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with SessionStore(path) as store:
        for name in names:
            record = store.get(name)
            assert record is not None
            assert [kept.text for kept in record.sentences] == [f"{name} {n}" for n in range(40)]


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.sqlite3"
    with SessionStore(path) as store:
        create(store, "one")
    broken = (*MIGRATIONS, ("CREATE TABLE later (id INTEGER)", "CREATE NONSENSE"))
    monkeypatch.setattr("sayd_cli.history.schema.MIGRATIONS", broken)
    with pytest.raises(StorageError), SessionStore(path):
        pass
    monkeypatch.undo()
    with SessionStore(path) as store:
        assert store.get("one") is not None


def test_an_older_file_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.sqlite3"
    with SessionStore(path) as store:
        create(store, "one")
    later = (*MIGRATIONS, ("CREATE TABLE later (id INTEGER)",))
    monkeypatch.setattr("sayd_cli.history.schema.MIGRATIONS", later)
    with SessionStore(path) as store:
        assert store.get("one") is not None
    database = sqlite3.connect(path)
    version = database.execute("PRAGMA user_version").fetchone()
    tables = database.execute("SELECT count(*) FROM later").fetchone()
    database.close()
    assert version == (len(later),)
    assert tables == (0,)
