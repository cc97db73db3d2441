"""What a run does about a history that fails: nothing that is heard may be missing later."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sayd_cli.cli.keeping import HistoryKeeper
from sayd_cli.errors import StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.audio import Codec
from sayd_cli.model.report import (
    Ended,
    EndReason,
    Heard,
    Notice,
    Phase,
    Progress,
    Report,
    Started,
)
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence

NAME = "sess-1"
SETTINGS = SessionSettings()
PROGRESS = Progress(Phase.LISTENING, 4.0, 4.0)


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def take(self, report: Report) -> None:
        assert isinstance(report, Notice)
        self.texts.append(report.text)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    with SessionStore(path, busy_timeout_s=0.01) as store:
        yield store


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program is in the middle of writing."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def started() -> Started:
    began_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Started(NAME, BackendName.LOCAL, "multi", 16000, Codec.PCM16, began_at)


def heard(number: int) -> Heard:
    return Heard(Sentence(number, f"Sentence {number}.", number, number + 0.5))


def ended() -> Ended:
    return Ended(EndReason.EOF, 9.0, 3, 6)


def lacks_something(keeper: HistoryKeeper) -> bool:
    return not keeper.has_everything


def texts(store: SessionStore) -> list[str]:
    return [sentence.text for sentence in store.sentences(NAME)]


def test_what_could_not_be_kept_is_kept_later(path: Path, store: SessionStore) -> None:
    told, clock = Told(), Clock()
    with HistoryKeeper(store, SETTINGS, "talk", told, clock=clock) as keeper:
        keeper.take(started())
        keeper.take(heard(0))
        assert not lacks_something(keeper)
        with locked(path):
            keeper.take(heard(1))
            assert lacks_something(keeper)
            clock.now_s = 1.0
            keeper.take(PROGRESS)
            assert told.texts == []
            clock.now_s = 3.0
            keeper.take(heard(2))
        assert texts(store) == ["Sentence 0."]
        assert len(told.texts) == 1
        assert told.texts[0].startswith("not kept in the history: ")
        # Nothing else goes on during a try, so it is not made with every report.
        keeper.take(heard(3))
        assert texts(store) == ["Sentence 0."]
        clock.now_s = 4.0
        keeper.take(PROGRESS)
        assert texts(store) == [f"Sentence {number}." for number in range(4)]
        assert told.texts[1:] == ["the history has everything again"]
        with locked(path):
            keeper.take(heard(4))
        keeper.take(ended())
        assert not lacks_something(keeper)
    assert texts(store) == [f"Sentence {number}." for number in range(5)]
    assert len(told.texts) == 2
    record = store.get(NAME)
    assert record is not None
    assert record.summary.duration_s == 9.0


def test_at_the_end_another_process_has_five_seconds(path: Path, store: SessionStore) -> None:
    told = Told()
    store.wait_at_most(0.1)
    with HistoryKeeper(store, SETTINGS, "talk", told) as keeper:
        keeper.take(started())
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        keeper.take(heard(0))
        released = threading.Timer(1.0, other.execute, ["ROLLBACK"])
        released.start()
        keeper.take(ended())
        released.join()
        other.close()
    assert texts(store) == ["Sentence 0."]
    assert told.texts == []


def test_a_session_that_could_not_be_begun_is_begun_later(path: Path, store: SessionStore) -> None:
    with HistoryKeeper(store, SETTINGS, "talk", Told(), clock=Clock()) as keeper:
        with locked(path):
            keeper.take(started())
            keeper.take(heard(0))
        keeper.take(ended())
    assert texts(store) == ["Sentence 0."]


def test_what_is_missing_at_the_end_is_told(path: Path, store: SessionStore) -> None:
    told = Told()
    with HistoryKeeper(store, SETTINGS, "talk", told, clock=Clock()) as keeper:
        keeper.take(started())
        keeper.take(heard(0))
        with locked(path):
            keeper.take(heard(1))
            keeper.take(ended())
    assert texts(store) == ["Sentence 0."]
    assert told.texts[1:] == ["1 sentence is not in the history"]


def test_a_run_that_breaks_off_keeps_what_it_can(path: Path, store: SessionStore) -> None:
    with HistoryKeeper(store, SETTINGS, "talk", Told(), clock=Clock()) as keeper:
        keeper.take(started())
        with locked(path):
            keeper.take(heard(0))
        # No report of an end comes.
    assert texts(store) == ["Sentence 0."]


def test_a_session_that_is_deleted_while_it_goes_on_gets_what_follows(store: SessionStore) -> None:
    told = Told()
    with HistoryKeeper(store, SETTINGS, "talk", told, clock=Clock()) as keeper:
        keeper.take(started())
        keeper.take(heard(0))
        store.delete([NAME])
        keeper.take(heard(1))
        keeper.take(ended())
    assert texts(store) == ["Sentence 1."]
    assert told.texts == []


def test_what_is_recovered_must_be_kept(path: Path, store: SessionStore) -> None:
    with HistoryKeeper(store, SETTINGS, "talk", Told(), clock=Clock()) as keeper:
        keeper.resume(None)
        keeper.take(started())
        with locked(path), pytest.raises(StorageError):
            keeper.take(heard(0))
