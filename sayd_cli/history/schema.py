"""The tables of the history, and how a file of an older version becomes one of this.

Owns every ``CREATE`` but those of the full-text index, which is derived (``index``). The version
of a file is its ``user_version``: how many of ``MIGRATIONS`` it has been through. A migration that
was released is never edited; a new one is appended.
"""

from __future__ import annotations

import sqlite3

from sayd_cli.errors import StorageError
from sayd_cli.history.query import indexed

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A rowid of their own for both tables: full-text indexes refer to it.
        """CREATE TABLE sessions (
            id INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL UNIQUE,
            created_us INTEGER NOT NULL,
            backend TEXT NOT NULL,
            language TEXT NOT NULL,
            sample_rate_hz INTEGER NOT NULL,
            codec TEXT NOT NULL,
            title TEXT NOT NULL,
            owner TEXT NOT NULL,
            duration_s REAL
        )""",
        "CREATE INDEX sessions_newest ON sessions (created_us DESC, id DESC)",
        """CREATE TABLE sentences (
            id INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            text TEXT NOT NULL,
            start_s REAL NOT NULL,
            end_s REAL NOT NULL,
            approximate INTEGER NOT NULL,
            confidence REAL,
            language TEXT,
            unconfirmed INTEGER NOT NULL,
            UNIQUE (session_id, position)
        )""",
    ),
    (
        # What the full-text index is made of. SQLite cannot make it of the text by itself, and
        # whoever writes a sentence has Python.
        "ALTER TABLE sentences ADD COLUMN words TEXT NOT NULL DEFAULT ''",
        "UPDATE sentences SET words = indexed(text)",
        # The newest session is the one begun last, whatever the clock said then.
        "DROP INDEX sessions_newest",
    ),
)


def migrate(database: sqlite3.Connection) -> None:
    """Bring the file to this version; the connection is in autocommit mode.

    Two processes may do so at once: the second waits, and finds nothing left to do. Statements may
    use the function ``indexed(text)``.

    Raises:
        StorageError: The file is of a newer version.
        sqlite3.Error: It is no database, or cannot be written.
    """
    if _version(database) == len(MIGRATIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    with database:
        version = _version(database)
        if version > len(MIGRATIONS):
            raise StorageError(
                f"the history was written by a newer sayd (schema {version}, "
                f"this one knows {len(MIGRATIONS)})",
                "upgrade sayd, or choose another directory with SAYD_HOME",
            )
        database.create_function("indexed", 1, indexed, deterministic=True)
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)
