from __future__ import annotations

import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import NotFoundError
from sayd_cli.history.store import SessionStore, StoredSession
from sayd_cli.model.audio import Codec
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    with SessionStore(path) as store:
        yield store


def create(store: SessionStore, session_id: str, minute: int = 0, **kept: str) -> None:
    store.create(
        session_id,
        settings=SessionSettings("en"),
        created_at=NOON + timedelta(minutes=minute),
        backend=BackendName.LOCAL,
        **kept,
    )


def sentence(index: int, text: str = "It was the best of times.") -> Sentence:
    return Sentence(index, text, index + 0.25, index + 0.75)


def test_a_session_comes_back_as_it_was(store: SessionStore, path: Path) -> None:
    create(store, "one", title="Tale")
    sentences = (
        Sentence(0, "It was the best of times,", 0.1, 1.9, confidence=0.5, language="en"),
        Sentence(1, "最坏的时代", 2.0, 3.5, approximate=True, unconfirmed=True),
    )
    for heard in reversed(sentences):
        store.add_sentence("one", heard)
    store.finish("one", 3.6)

    with SessionStore(path) as again:
        record = again.get("one")
    assert record is not None
    assert record.sentences == sentences
    assert record.summary.created_at == NOON
    assert record.summary.language == "en"
    assert record.summary.duration_s == 3.6
    assert record.summary.title == "Tale"


def test_the_newest_comes_first_and_pages_follow_each_other(store: SessionStore) -> None:
    # The clock was set back after the first.
    for name, minute in (("a", 3), ("b", 1), ("c", 2), ("d", 2)):
        create(store, name, minute)
    assert [row.session_id for row in store.list()] == ["d", "c", "b", "a"]
    assert [row.session_id for row in store.list(limit=2)] == ["d", "c"]
    assert [row.session_id for row in store.list(limit=2, offset=2)] == ["b", "a"]
    assert store.list(offset=4) == []


def test_a_sentence_said_twice_is_kept_once(store: SessionStore) -> None:
    create(store, "one")
    store.add_sentence("one", sentence(0, "first"))
    store.add_sentence("one", sentence(0, "second"))
    record = store.get("one")
    assert record is not None
    assert [kept.text for kept in record.sentences] == ["first"]


def test_an_unconfirmed_sentence_gives_way_to_what_comes(store: SessionStore) -> None:
    create(store, "one")
    create(store, "two")
    guess = Sentence(0, "It was the", 0.1, 0.9, approximate=True, unconfirmed=True)
    better = Sentence(0, "It was the best", 0.1, 1.2, unconfirmed=True)
    known = Sentence(0, "It was the best of times.", 0.2, 1.9, confidence=0.5, language="en")
    store.add_sentence("two", guess)
    for heard, kept in ((guess, guess), (better, better), (known, known), (guess, known)):
        store.add_sentence("one", heard)
        assert store.sentences("one") == (kept,)
    assert store.sentences("two") == (guess,)
    assert store.sentences("none") == ()


def test_what_is_left_unconfirmed_goes_once_all_is_confirmed(store: SessionStore) -> None:
    for name in ("one", "two"):
        create(store, name)
        store.add_sentence(name, sentence(0))
        store.add_sentence(name, Sentence(1, "it was", 1.0, 1.5, unconfirmed=True))
    store.finish("one", 3.0)
    assert len(store.sentences("one")) == 2
    store.finish("one", 3.5, confirmed=True)
    assert store.sentences("one") == (sentence(0),)
    assert len(store.sentences("two")) == 2
    assert [row.duration_s for row in store.list()] == [None, 3.5]


def test_creating_again_keeps_all_and_names_the_nameless(store: SessionStore) -> None:
    create(store, "one", owner="somebody")
    store.add_sentence("one", sentence(0))
    create(store, "one", minute=5, title="Tale")
    create(store, "one", title="another")
    record = store.get("one", owner="somebody")
    assert record is not None
    assert record.summary.title == "Tale"
    assert record.summary.created_at == NOON
    assert len(record.sentences) == 1


def test_a_session_without_a_title_is_called_by_its_first_words(store: SessionStore) -> None:
    create(store, "silent")
    create(store, "long")
    store.add_sentence("long", sentence(1, "later"))
    store.add_sentence(
        "long", sentence(0, "It was\n the best of times, it was the worst of times, it")
    )
    create(store, "chinese")
    store.add_sentence("chinese", sentence(0, "这" * 100))
    titles = {row.session_id: row.title for row in store.list()}
    assert titles["silent"] == ""
    assert titles["long"] == "It was the best of times, it was the worst of times, it"
    assert titles["chinese"] == "这" * 59 + "…"

    create(store, "longer")
    store.add_sentence("longer", sentence(0, "word " * 30))
    title = {row.session_id: row.title for row in store.list()}["longer"]
    assert title == "word " * 10 + "word…"


def test_an_owner_sees_only_what_is_theirs(store: SessionStore) -> None:
    create(store, "mine", owner="me")
    create(store, "yours", owner="you")
    assert [row.session_id for row in store.list(owner="me")] == ["mine"]
    assert store.get("yours", owner="me") is None
    assert store.get("mine", owner="me") is not None
    assert store.get("mine", owner="") is None
    assert len(store.list()) == 2


def test_what_a_server_needs_to_open_a_stream(store: SessionStore) -> None:
    settings = SessionSettings("zh-CN", 8000, Codec.OPUS)
    store.create("one", settings=settings, created_at=NOON, backend=BackendName.LOCAL, owner="me")
    assert store.find("one") == StoredSession(settings, "me", heard=False)
    store.add_sentence("one", sentence(0))
    assert store.find("one") == StoredSession(settings, "me", heard=True)
    create(store, "silent")
    store.finish("silent", 0.0)
    silent = store.find("silent")
    assert silent is not None
    assert silent.heard
    assert store.find("none") is None


class TestResolve:
    def test_last_is_the_one_begun_last_even_after_the_clock_was_set_back(
        self, store: SessionStore
    ) -> None:
        create(store, "old", minute=2)
        create(store, "new", minute=1)
        create(store, "old", minute=3)
        assert store.resolve("last") == "new"

    def test_a_name_or_its_unique_beginning(self, store: SessionStore) -> None:
        create(store, "abcd-1")
        create(store, "abce-2")
        assert store.resolve("abcd-1") == "abcd-1"
        assert store.resolve("abcd") == "abcd-1"

    def test_a_full_name_wins_over_a_longer_one_that_it_begins(self, store: SessionStore) -> None:
        create(store, "ab")
        create(store, "abc", minute=1)
        assert store.resolve("ab") == "ab"

    def test_an_ambiguous_beginning_names_the_candidates(self, store: SessionStore) -> None:
        for number in range(7):
            create(store, f"ab{number}", minute=number)
        with pytest.raises(NotFoundError, match="ab6, ab5, ab4, ab3, ab2, …") as caught:
            store.resolve("ab")
        assert caught.value.remedy

    @pytest.mark.parametrize("reference", ["nothing", "", "%", "_", "a*", "last"])
    def test_unknown(self, store: SessionStore, reference: str) -> None:
        if reference != "last":
            create(store, "abc")
        with pytest.raises(NotFoundError):
            store.resolve(reference)


@given(text=st.text(st.characters()), title=st.text(st.characters()))
def test_any_text_can_be_kept(text: str, title: str) -> None:
    with SessionStore(None) as store:
        create(store, "one", title=title)
        store.add_sentence("one", sentence(0, text))
        record = store.get("one")
    assert record is not None
    assert record.sentences[0].text == text.encode("utf-8", "replace").decode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_user_may_read_it(path: Path) -> None:
    mask = os.umask(0)
    try:
        with SessionStore(path) as store:
            create(store, "one")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(mask)
    assert set(modes) == {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_on_the_disk_when_the_call_returns(store: SessionStore, path: Path) -> None:
    with sqlite3.connect(path) as database:
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
    database.close()
    assert mode == "wal"
    create(store, "one")
    with SessionStore(path) as other:
        assert other.get("one") is not None
        store.add_sentence("one", sentence(0))
        record = other.get("one")
    assert record is not None
    assert len(record.sentences) == 1


def test_it_may_be_handed_to_another_thread(store: SessionStore) -> None:
    worker = threading.Thread(target=create, args=(store, "one"))
    worker.start()
    worker.join()
    assert store.resolve("last") == "one"


def test_deleting_a_session_deletes_its_sentences(store: SessionStore, path: Path) -> None:
    create(store, "one")
    store.add_sentence("one", sentence(0))
    database = sqlite3.connect(path)
    database.execute("PRAGMA foreign_keys = ON")
    with database:
        database.execute("DELETE FROM sessions")
    left = database.execute("SELECT count(*) FROM sentences").fetchone()
    database.close()
    assert left == (0,)
