"""Searching the sentences: by the index where there is one, else by reading them all.

Owns the statements. What a word is, and what matches, is decided in ``words`` for both ways, so
that both find the same.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sayd_cli.history.index import expression
from sayd_cli.history.query import Query, find
from sayd_cli.history.rows import SENTENCE_COLUMNS, SUMMARY_COLUMNS, sentence_of, summary_of
from sayd_cli.model.match import Match, Span
from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence

_SHORT_ID_CHARS = 8


@dataclass(frozen=True, slots=True)
class _Hit:
    session_id: str
    sentence: Sentence
    spans: tuple[Span, ...]


def search(
    database: sqlite3.Connection, query: Query, limit: int, *, full_text: bool
) -> tuple[Match, ...]:
    """Sentences in which all of the query is found: of the newest session first, in each the last
    first.

    Args:
        database: The history.
        query: What is looked for; for one without phrases nothing is found.
        limit: How many at most.
        full_text: Use the index.

    Raises:
        sqlite3.Error: The history cannot be read.
    """
    if not query.phrases:
        return ()
    hits = list(islice(_hits(database, query, full_text=full_text), limit))
    names = [name for (name,) in database.execute("SELECT session_id FROM sessions ORDER BY 1")]
    sessions = {name: _session(database, name) for name in {hit.session_id for hit in hits}}
    return tuple(
        Match(session, _short_id(hit.session_id, names), hit.sentence, hit.spans)
        for hit in hits
        if (session := sessions[hit.session_id])
    )


def _hits(database: sqlite3.Connection, query: Query, *, full_text: bool) -> Iterator[_Hit]:
    where = "sentences.id IN (SELECT rowid FROM sentence_index WHERE words MATCH ?)"
    rows = database.execute(
        f"""SELECT sessions.session_id, {SENTENCE_COLUMNS}
            FROM sentences JOIN sessions USING (session_id)
            WHERE {where if full_text else "?"}
            ORDER BY sessions.id DESC, position DESC""",
        (expression(query) if full_text else True,),
    )
    for session_id, *row in rows:
        sentence = sentence_of(row)
        if spans := find(query, sentence.text):
            yield _Hit(session_id, sentence, spans)


def _session(database: sqlite3.Connection, session_id: str) -> SessionSummary | None:
    row = database.execute(
        f"SELECT {SUMMARY_COLUMNS} FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    return None if row is None else summary_of(row)


def _short_id(name: str, names: Sequence[str]) -> str:
    """As much of a name as it takes; ``names`` is sorted, and has it unless it just went."""
    place = bisect_left(names, name)
    neighbours = (*names[max(place - 1, 0) : place], *names[place + 1 : place + 2])
    shared = max((_shared(name, other) for other in neighbours), default=0)
    return name[: max(shared + 1, _SHORT_ID_CHARS)]


def _shared(one: str, other: str) -> int:
    """How many characters two names begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
