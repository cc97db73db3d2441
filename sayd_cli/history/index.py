"""The full-text index of the sentences: FTS5 over the column ``words``, kept in step by triggers.

Owns the index and its triggers; nobody else writes to it. It is derived: it can be made anew from
the sentences at any time, and is, where it is missing. Where this Python's SQLite has no FTS5,
the triggers are taken away, so that sentences can be written; the next one that has it begins
anew.
"""

from __future__ import annotations

import sqlite3

from sayd_cli.history.query import Query

# Ready-made words are only to be parted at spaces: they hold letters, digits and their marks,
# and of these this tokenizer leaves whatever is not ASCII alone, in every version of SQLite.
_TABLE = """CREATE VIRTUAL TABLE IF NOT EXISTS sentence_index USING fts5 (
    words, content = 'sentences', content_rowid = 'id', tokenize = 'ascii'
)"""
_ADD = "INSERT INTO sentence_index (rowid, words) VALUES (new.id, new.words);"
_REMOVE = """INSERT INTO sentence_index (sentence_index, rowid, words)
    VALUES ('delete', old.id, old.words);"""
_TRIGGERS = (
    f"CREATE TRIGGER sentence_added AFTER INSERT ON sentences BEGIN {_ADD} END",
    f"CREATE TRIGGER sentence_removed AFTER DELETE ON sentences BEGIN {_REMOVE} END",
    f"""CREATE TRIGGER sentence_changed AFTER UPDATE OF id, words ON sentences
        BEGIN {_REMOVE} {_ADD} END""",
)
_NAMES = ("sentence_added", "sentence_removed", "sentence_changed")


def has_full_text(database: sqlite3.Connection) -> bool:
    """Whether this SQLite has FTS5."""
    try:
        database.execute("SELECT fts5_source_id()")
    except sqlite3.OperationalError:
        return False
    return True


def ensure_index(database: sqlite3.Connection) -> bool:
    """Have the index there and in step; the connection is in autocommit mode.

    Returns:
        Whether there is one: False where SQLite has no FTS5.
    """
    able = has_full_text(database)
    if able is _kept(database):
        return able
    database.execute("BEGIN IMMEDIATE")
    with database:
        # Another process may have done it meanwhile.
        if able is not _kept(database):
            statements = (*_drops(), *(_creations() if able else ()))
            for statement in statements:
                database.execute(statement)
    return able


def expression(query: Query) -> str:
    """The query as FTS5 wants it. Words hold nothing that FTS5 would obey, quotes included."""
    return " ".join(f'"{" ".join(phrase)}"' for phrase in query.phrases)


def forget_deleted(database: sqlite3.Connection) -> None:
    """Take out of the index's pages what was removed from it: until then it is only marked."""
    database.execute("INSERT INTO sentence_index (sentence_index) VALUES ('optimize')")


def _kept(database: sqlite3.Connection) -> bool:
    marks = ", ".join("?" * len(_NAMES))
    (count,) = database.execute(
        f"SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN ({marks})", _NAMES
    ).fetchone()
    return bool(count)


def _drops() -> tuple[str, ...]:
    return tuple(f"DROP TRIGGER IF EXISTS {name}" for name in _NAMES)


def _creations() -> tuple[str, ...]:
    rebuild = "INSERT INTO sentence_index (sentence_index) VALUES ('rebuild')"
    return (_TABLE, rebuild, *_TRIGGERS)
