"""Sessions and their sentences, in one SQLite file.

Owns the statements and the file's permissions, and translates every error of SQLite and of the
file system. The tables are ``schema``'s, the full-text index is ``index``'s. Refuses to know who
listens, and how text is shown.

The newest session is the one that was begun last, in whatever order the clock puts them: it may
have been set back.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sayd_cli.errors import NotFoundError, StorageError
from sayd_cli.history.index import ensure_index, forget_deleted
from sayd_cli.history.query import indexed, parse_query
from sayd_cli.history.rows import (
    EPOCH,
    SENTENCE_COLUMNS,
    SUMMARY_COLUMNS,
    sentence_of,
    summary_of,
)
from sayd_cli.history.schema import migrate
from sayd_cli.history.search import search
from sayd_cli.model.audio import Codec
from sayd_cli.model.match import Match
from sayd_cli.model.record import SessionRecord
from sayd_cli.model.session import BackendName, SessionSettings, SessionSummary
from sayd_cli.model.transcript import Sentence

_log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another process's; theirs take milliseconds."""

_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What a server needs to know of a session before it opens its stream.

    Attributes:
        settings: What it was asked to be.
        owner: Who may see it.
        heard: It has a sentence, or was finished: its stream was open before.
    """

    settings: SessionSettings
    owner: str
    heard: bool


class SessionStore:
    """The history in one file.

    A context manager: entering opens, and creates what is missing (the file with mode 0600, its
    directory with 0700). Any number of processes may have the same file open. Within a process,
    one store may be handed from thread to thread, but is used by one at a time.

    Every method that writes returns when the change is on the disk.

    Args:
        path: The file, or None for a history that lives in memory and ends with the context.
        busy_timeout_s: How long to wait while another process writes.

    Raises:
        StorageError: From every method: the file cannot be opened, read or written.
    """

    def __init__(self, path: Path | None, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._database: sqlite3.Connection | None = None
        self._full_text = False

    def __enter__(self) -> SessionStore:
        with self._translated():
            self._database = self._open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._database is not None:
            database, self._database = self._database, None
            with self._translated():
                database.close()

    def wait_at_most(self, busy_timeout_s: float) -> None:
        """From now on, wait no longer for another process that writes.

        Args:
            busy_timeout_s: As on making it.
        """
        with self._translated():
            self._connection().execute(f"PRAGMA busy_timeout = {round(busy_timeout_s * 1000)}")

    def create(
        self,
        session_id: str,
        *,
        settings: SessionSettings,
        created_at: datetime,
        backend: BackendName,
        title: str = "",
        owner: str = "",
    ) -> None:
        """Keep a new session. One that is there already stays as it is, but takes a title if it
        has none: a client and a server on one machine may keep the same session in one file.

        Args:
            session_id: Its name; unique.
            settings: What it was asked to be.
            created_at: When it began, with a time zone.
            backend: Where its words come from.
            title: What the user calls it.
            owner: Who may see it through a server; see ``list``.
        """
        with self._transaction() as database:
            database.execute(
                """INSERT INTO sessions (session_id, created_us, backend, language,
                       sample_rate_hz, codec, title, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (session_id) DO UPDATE SET title = excluded.title
                       WHERE title = ''""",
                (
                    session_id,
                    (created_at - EPOCH) // timedelta(microseconds=1),
                    backend.value,
                    settings.language,
                    settings.sample_rate_hz,
                    settings.codec.value,
                    _storable(title),
                    owner,
                ),
            )

    def add_sentence(self, session_id: str, sentence: Sentence) -> None:
        """Keep a sentence; on the disk when this returns.

        The same index again changes nothing, unless what is kept there is unconfirmed: that gives
        way to what comes.

        Raises:
            StorageError: Also when there is no such session.
        """
        text = _storable(sentence.text)
        with self._transaction() as database:
            database.execute(
                """INSERT INTO sentences (session_id, position, text, words, start_s, end_s,
                       approximate, confidence, language, unconfirmed)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (session_id, position) DO UPDATE SET text = excluded.text,
                       words = excluded.words, start_s = excluded.start_s,
                       end_s = excluded.end_s, approximate = excluded.approximate,
                       confidence = excluded.confidence, language = excluded.language,
                       unconfirmed = excluded.unconfirmed
                       WHERE sentences.unconfirmed""",
                (
                    session_id,
                    sentence.index,
                    text,
                    indexed(text),
                    sentence.start_s,
                    sentence.end_s,
                    sentence.approximate,
                    sentence.confidence,
                    sentence.language,
                    sentence.unconfirmed,
                ),
            )

    def finish(self, session_id: str, duration_s: float, *, confirmed: bool = False) -> None:
        """Say that the session is over. One that was interrupted has no duration until then.

        Args:
            session_id: Its name.
            duration_s: Seconds of audio it had.
            confirmed: The service has confirmed all it heard: what is left unconfirmed was a
                guess at words that are now elsewhere, and goes.
        """
        with self._transaction() as database:
            if confirmed:
                database.execute(
                    "DELETE FROM sentences WHERE session_id = ? AND unconfirmed", (session_id,)
                )
            database.execute(
                "UPDATE sessions SET duration_s = ? WHERE session_id = ?", (duration_s, session_id)
            )

    def list(
        self, limit: int = 50, offset: int = 0, owner: str | None = None
    ) -> list[SessionSummary]:
        """Sessions, newest first.

        Args:
            limit: How many at most.
            offset: How many of the newest to leave out.
            owner: Only this one's; None for everybody's.
        """
        with self._translated():
            rows = self._connection().execute(
                f"""SELECT {SUMMARY_COLUMNS} FROM sessions
                    WHERE :owner IS NULL OR owner = :owner
                    ORDER BY id DESC LIMIT :limit OFFSET :offset""",
                {"owner": owner, "limit": limit, "offset": offset},
            )
            return [summary_of(row) for row in rows]

    def get(self, session_id: str, owner: str | None = None) -> SessionRecord | None:
        """A session with its sentences, or None; with an owner, only when it is that one's."""
        with self._translated():
            database = self._connection()
            row = database.execute(
                f"""SELECT {SUMMARY_COLUMNS} FROM sessions
                    WHERE session_id = :session_id AND (:owner IS NULL OR owner = :owner)""",
                {"session_id": _storable(session_id), "owner": owner},
            ).fetchone()
            if row is None:
                return None
            summary = summary_of(row)
        return SessionRecord(summary, self.sentences(summary.session_id))

    def sentences(self, session_id: str) -> tuple[Sentence, ...]:
        """What is kept of a session so far, in order; empty also where there is no such session."""
        with self._translated():
            rows = self._connection().execute(
                f"""SELECT {SENTENCE_COLUMNS} FROM sentences
                    WHERE session_id = ? ORDER BY position""",
                (_storable(session_id),),
            )
            return tuple(map(sentence_of, rows))

    def search(self, query: str, limit: int = 50) -> tuple[Match, ...]:
        """Sentences in which all of the query is found, newest first; see ``words.parse_query``.

        Args:
            query: Any text; for one without a letter or digit nothing is found.
            limit: How many at most.
        """
        wanted = parse_query(_storable(query))
        with self._translated():
            return search(self._connection(), wanted, limit, full_text=self._full_text)

    def delete(self, session_ids: Iterable[str]) -> bool:
        """Remove sessions with all that was heard in them: all of them, or, on an error, none.

        Then the file is written anew, for SQLite overwrites most of what is removed, but not all.
        This takes a second for some hundred hours of speech. Names of sessions that are not there
        are ignored.

        Returns:
            Whether nothing of their text is left in the files. False where another process reads
            or writes just now, or the disk is full; it goes with the next deletion.
        """
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM sessions WHERE session_id = ?",
                [(_storable(session_id),) for session_id in session_ids],
            )
            if self._full_text:
                forget_deleted(database)
        try:
            database.execute("VACUUM")
            (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as exc:
            _log.warning("deleted text may still be in the file: %s", exc)
            return False
        return not busy

    def find(self, session_id: str) -> StoredSession | None:
        """What is needed to open the session's stream, or None."""
        with self._translated():
            row = (
                self._connection()
                .execute(
                    """SELECT language, sample_rate_hz, codec, owner,
                       duration_s IS NOT NULL OR EXISTS (SELECT 1 FROM sentences
                           WHERE sentences.session_id = sessions.session_id)
                   FROM sessions WHERE session_id = ?""",
                    (session_id,),
                )
                .fetchone()
            )
        if row is None:
            return None
        language, sample_rate_hz, codec, owner, heard = row
        settings = SessionSettings(language, sample_rate_hz, Codec(codec))
        return StoredSession(settings, owner, bool(heard))

    def resolve(self, reference: str) -> str:
        """The full name of the session that the user means.

        Args:
            reference: ``last`` for the newest, a full name, or the unique beginning of one.

        Raises:
            NotFoundError: There is none, or several; then the message names them.
        """
        with self._translated():
            database = self._connection()
            if reference == "last":
                rows = database.execute(
                    "SELECT session_id FROM sessions ORDER BY id DESC LIMIT 1"
                ).fetchall()
            else:
                rows = database.execute(
                    """SELECT session_id FROM sessions
                       WHERE :name != '' AND substr(session_id, 1, length(:name)) = :name
                       ORDER BY session_id != :name, id DESC LIMIT :limit""",
                    {"name": _storable(reference), "limit": _CANDIDATES + 1},
                ).fetchall()
        names = [str(name) for (name,) in rows]
        if len(names) == 1 or reference in names:
            return names[0]
        if not names:
            if reference == "last":
                raise NotFoundError("there is no session yet", "sayd listen makes one")
            raise NotFoundError(
                f"there is no session {reference!r}", "sayd sessions list shows what there is"
            )
        shown = ", ".join(names[:_CANDIDATES]) + (", …" if len(names) > _CANDIDATES else "")
        raise NotFoundError(
            f"{reference!r} begins the name of more than one session: {shown}",
            "give more of the name",
        )

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made here, not by SQLite, so that nobody can open it before its mode is right; the
            # files that SQLite puts beside it take their mode from it.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._path.chmod(0o600)
        database = sqlite3.connect(
            self._path or ":memory:",
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA journal_mode = WAL")
            # In WAL mode NORMAL would lose the last sentences in a power failure.
            database.execute("PRAGMA synchronous = FULL")
            # Half a MiB, not two: what is open for hours is to stay small, and writes at the end.
            database.execute("PRAGMA cache_size = -512")
            # What is deleted is overwritten.
            database.execute("PRAGMA secure_delete = ON")
            migrate(database)
            self._full_text = ensure_index(database)
        except BaseException:
            database.close()
            raise
        return database

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError("the history is not open")
        return self._database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._translated():
            database = self._connection()
            database.execute("BEGIN IMMEDIATE")
            with database:
                yield database

    @contextmanager
    def _translated(self) -> Iterator[None]:
        name = self._path or "in memory"
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError) as exc:
            raise _storage_error(name, exc) from exc


def _storage_error(name: Path | str, exc: Exception) -> StorageError:
    code = getattr(exc, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_BUSY:
        return StorageError(
            f"the history {name} is locked by another program", "close it, then try again"
        )
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StorageError(
            f"the history {name} is damaged or not a database",
            "move it away; a new one is made",
        )
    if primary == sqlite3.SQLITE_FULL:
        return StorageError(f"the disk is full: {name} cannot grow", "make room, then try again")
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return StorageError(
        f"the history {name} cannot be used: {reason}",
        "check the directory's permissions, or choose another with SAYD_HOME",
    )


def _storable(text: str) -> str:
    """The text without halves of surrogate pairs: JSON can carry them, UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
