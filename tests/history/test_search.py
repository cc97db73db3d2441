from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayd_cli.errors import StorageError
from sayd_cli.history import index
from sayd_cli.history.schema import MIGRATIONS
from sayd_cli.history.store import SessionStore
from sayd_cli.model.match import Match, Span
from sayd_cli.model.session import BackendName, SessionSettings, SessionSummary
from sayd_cli.model.transcript import Sentence

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    with SessionStore(path) as store:
        yield store


@pytest.fixture(params=["fts5", "no fts5"])
def either(
    request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SessionStore]:
    if request.param == "no fts5":
        without_full_text(monkeypatch)
    with SessionStore(path) as store:
        yield store


def without_full_text(monkeypatch: pytest.MonkeyPatch) -> None:
    # A build of SQLite without FTS5 is not to be had here; this is all that tells them apart.
    monkeypatch.setattr(index, "has_full_text", lambda database: False)


def hear(store: SessionStore, session_id: str, *texts: str, title: str = "") -> None:
    store.create(
        session_id,
        settings=SessionSettings(),
        created_at=NOON,
        backend=BackendName.LOCAL,
        title=title,
    )
    for number, text in enumerate(texts, start=len(store.sentences(session_id))):
        store.add_sentence(session_id, Sentence(number, text, number, number + 1))


def found(store: SessionStore, query: str, limit: int = 50) -> list[str]:
    return [match.sentence.text for match in store.search(query, limit)]


def test_a_match_says_where_and_when(store: SessionStore) -> None:
    hear(store, "5f1c2a9e-41d7", "It was the best of times,", title="Tale")
    summary = SessionSummary("5f1c2a9e-41d7", NOON, "multi", None, "Tale")
    heard = Sentence(0, "It was the best of times,", 0, 1)
    match = Match(summary, "5f1c2a9e", heard, (Span(11, 15), Span(19, 24)))
    assert store.search("TIMES best") == (match,)


def test_the_newest_comes_first(either: SessionStore) -> None:
    hear(either, "old", "one word", "none", "two word")
    hear(either, "new", "three word")
    hear(either, "old", "four word")
    assert found(either, "word") == ["three word", "four word", "two word", "one word"]
    assert found(either, "word", limit=2) == ["three word", "four word"]


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("天气", ["今天天气很好。", "用GPT预报天气"]),
        ("天", ["今天天气很好。", "用GPT预报天气"]),
        ("今天天气", ["今天天气很好。"]),
        ("天今", []),
        ("gpt预报", ["用GPT预报天气"]),
        ("gpt 天气", ["用GPT预报天气"]),
        ("cafe", ["Un café, s'il vous plaît."]),
        ("CAFÉ plait", ["Un café, s'il vous plaît."]),
        ("caf", []),
        ('"vous plait"', ["Un café, s'il vous plaît."]),
        ('"plait vous"', []),
    ],
)
def test_words_of_any_language(either: SessionStore, query: str, matches: list[str]) -> None:
    hear(either, "one", "今天天气很好。", "用GPT预报天气", "Un café, s'il vous plaît.")
    assert sorted(found(either, query)) == sorted(matches)


def test_no_word_is_an_operator(either: SessionStore) -> None:
    hear(either, "one", "to be or not to be", "near the column words")
    assert found(either, "to OR not") == ["to be or not to be"]
    assert found(either, "be NOT words") == []
    assert found(either, "words:near") == []
    assert found(either, "NEAR(words column)") == []
    assert found(either, "NEAR -(words) ^column") == ["near the column words"]
    assert found(either, "wor*") == []
    assert found(either, "' OR 1") == []


def test_a_query_of_a_thousand_words(either: SessionStore) -> None:
    text = " ".join(f"w{number}" for number in range(1500))
    hear(either, "one", text)
    assert found(either, text) == [text]
    assert found(either, f'"{text}"') == [text]
    assert found(either, f"{text} more") == []


def test_short_names_are_long_enough_to_be_the_only_ones(store: SessionStore) -> None:
    names = ["aaaaaaaa-1", "aaaaaaaa-22", "aaaaaaaa-2", "bbbbbbbbbb", "c"]
    for name in names:
        hear(store, name, "word")
    short = {match.session.session_id: match.short_id for match in store.search("word")}
    assert short == {
        "aaaaaaaa-1": "aaaaaaaa-1",
        "aaaaaaaa-2": "aaaaaaaa-2",
        "aaaaaaaa-22": "aaaaaaaa-22",
        "bbbbbbbbbb": "bbbbbbbb",
        "c": "c",
    }
    assert {store.resolve(name) for name in short.values()} == set(names)


def test_what_is_confirmed_or_removed_is_found_as_it_is(store: SessionStore) -> None:
    hear(store, "one")
    store.add_sentence("one", Sentence(0, "the wurst of times", 0, 1, unconfirmed=True))
    store.add_sentence("one", Sentence(1, "it was", 1, 2, unconfirmed=True))
    store.add_sentence("one", Sentence(0, "the worst of times", 0, 1))
    assert (found(store, "wurst"), found(store, "worst")) == ([], ["the worst of times"])
    store.finish("one", 2.0, confirmed=True)
    assert found(store, "was") == []


SAID = st.text(st.sampled_from("aAbé今天气がगि \"'*-():^\0\u0301⑴ﬁ"), max_size=12)


@settings(max_examples=50)
@given(st.lists(SAID, max_size=8), st.lists(st.one_of(SAID, st.text()), min_size=1, max_size=8))
def test_the_index_finds_what_reading_it_all_finds(said: list[str], queries: list[str]) -> None:
    with SessionStore(None) as store:
        hear(store, "one", *said)
        for query in queries:
            by_index = store.search(query)
            store._full_text = False
            assert store.search(query) == by_index
            store._full_text = True


def old_file(path: Path, texts: list[str]) -> None:
    """As the first release made it."""
    database = sqlite3.connect(path)
    with database:
        for statement in MIGRATIONS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO sessions VALUES (1,'one',0,'local','en',16000,'pcm16','','',1)"
        )
        database.executemany(
            "INSERT INTO sentences VALUES (NULL, 'one', ?, ?, 0, 1, 0, NULL, NULL, 0)",
            enumerate(texts),
        )
    database.close()


def test_what_an_older_sayd_has_kept_is_found(path: Path) -> None:
    old_file(path, ["It was the best of times.", "今天天气很好。"])
    with SessionStore(path) as store:
        assert found(store, "best") == ["It was the best of times."]
        assert found(store, "天气") == ["今天天气很好。"]
        store.add_sentence("one", Sentence(2, "最好", 2, 3))
        assert found(store, "好") == ["最好", "今天天气很好。"]
    assert consistent(path)


def test_several_bring_an_old_file_up_to_date_at_once(path: Path) -> None:
    old_file(path, [f"word {number}" for number in range(200)])
    together = threading.Barrier(4)

    def look(_: int) -> int:
        together.wait(30)
        with SessionStore(path, busy_timeout_s=60) as store:
            return len(store.search("word", limit=1000))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(look, range(4))) == [200] * 4
    assert consistent(path)


def test_an_index_is_made_when_there_is_fts5_at_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SessionStore(path) as store:
        hear(store, "one", "first word")
    with monkeypatch.context() as patch:
        without_full_text(patch)
        with SessionStore(path) as store:
            hear(store, "one", "second word")
            assert found(store, "word") == ["second word", "first word"]
    with SessionStore(path) as store:
        hear(store, "one", "third word")
        assert store._full_text
        assert found(store, "word") == ["third word", "second word", "first word"]
    assert consistent(path)


def consistent(path: Path) -> bool:
    """Whether the index is in step with the sentences; SQLite raises where it is not."""
    database = sqlite3.connect(path)
    with database:
        database.execute(
            "INSERT INTO sentence_index (sentence_index, rank) VALUES ('integrity-check', 1)"
        )
    database.close()
    return True


class TestDelete:
    def test_what_is_deleted_is_neither_listed_nor_found(self, either: SessionStore) -> None:
        hear(either, "one", "first word")
        hear(either, "two", "second word")
        hear(either, "three", "third word")
        either.delete(["one", "three", "none"])
        assert [row.session_id for row in either.list()] == ["two"]
        assert either.sentences("one") == ()
        assert found(either, "word") == ["second word"]
        hear(either, "four", "fourth word")
        assert found(either, "word") == ["fourth word", "second word"]

    @pytest.mark.parametrize("others", [0, 300])
    def test_nothing_of_it_is_left_in_the_files(self, path: Path, others: int) -> None:
        secret = ["xylophone", "quicksilver", "天气预报"]
        with SessionStore(path) as store:
            assert store._database is not None
            store._database.execute("PRAGMA synchronous = OFF")
            hear(store, "before", *(f"plain text {number}" for number in range(others)))
            hear(store, "secret", *(f"{word} {n}" for word in secret for n in range(200)))
            hear(store, "after", *(f"plain text {number}" for number in range(others)))
            assert left(path, secret)
            with SessionStore(path) as listening:
                hear(listening, "last", "and on it goes")
                assert store.delete(["secret"])
                assert left(path, secret) == set()
                hear(listening, "last", "without a stop")
            assert found(store, "goes") == ["and on it goes"]
            assert found(store, "stop") == ["without a stop"]
        assert left(path, secret) == set()
        assert consistent(path)

    def test_while_another_is_reading(self, path: Path) -> None:
        with SessionStore(path, busy_timeout_s=0.05) as store:
            hear(store, "one", "xylophone")
            reader = sqlite3.connect(path, isolation_level=None)
            reader.execute("BEGIN")
            assert reader.execute("SELECT text FROM sentences").fetchall() == [("xylophone",)]
            assert not store.delete(["one"])
            assert store.list() == []
            reader.close()
            assert left(path, ["xylophone"])
            assert store.delete([])
            assert left(path, ["xylophone"]) == set()

    def test_while_another_is_writing(self, path: Path) -> None:
        with SessionStore(path, busy_timeout_s=0.05) as store:
            hear(store, "one", "word")
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="locked"):
                store.delete(["one"])
            other.close()
            assert found(store, "word") == ["word"]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
    def test_on_a_disk_that_takes_no_more(self, path: Path) -> None:
        import resource

        with SessionStore(path) as store:
            hear(store, "one", "one word " * 1000)
            hear(store, "two", "another word")
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
            try:
                with pytest.raises(StorageError):
                    store.delete(["one"])
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert len(found(store, "word")) == 2
            assert store.delete(["one"])
            assert found(store, "word") == ["another word"]
        assert consistent(path)


def left(path: Path, secret: list[str]) -> set[str]:
    """Of which words some is still in the files; the index leaves out how terms begin alike."""
    data = b"".join(file.read_bytes() for file in path.parent.iterdir())
    return {word for word in secret if word.encode()[1:] in data}
