"""``sayd sessions``: create one at the service; list, show, search and delete past ones."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sayd_cli.cli.json_text import json_text
from sayd_cli.errors import NotFoundError, StorageError, UsageError
from sayd_cli.model.audio import Codec
from sayd_cli.transcript.formats import Format

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sayd_cli.model.match import Match
    from sayd_cli.model.record import SessionRecord
    from sayd_cli.model.secret import Secret
    from sayd_cli.model.session import SessionSummary
    from sayd_cli.settings.environment import Environment
    from sayd_cli.transport.api import ListenApi

app = typer.Typer(no_args_is_help=False)

_LIMIT_MAX = 1000
_OFFSET_MAX = 2**53
"""As the API has them."""

_PAGE = 100
_SEARCHED_MAX = 1000
"""How many of the newest sessions at the service are looked through for the beginning of a name;
ten calls."""

_CANDIDATES_SHOWN = 5

_ASK_ALL = "Delete them all for good? [y/N] "

_Where = Annotated[
    bool | None,
    typer.Option(
        "--local/--cloud",
        help="Heard on this machine, or kept by the service.",
        show_default="the service when there is a key",
    ),
]


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("create", help="Create a session at the service, and print its id and URL.")
def create(
    language: Annotated[
        str,
        typer.Option(
            "--language", "-l", metavar="LANGUAGE", help="auto, en, zh, multi, en-US and the like."
        ),
    ] = "multi",
    rate: Annotated[int, typer.Option("--rate", metavar="HZ", help="16000 or 8000.")] = 16000,
    codec: Annotated[Codec, typer.Option("--codec", help="How audio is packed.")] = Codec.PCM16,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the key in the URL; it is masked otherwise.")
    ] = False,
) -> None:
    """Print the id on one line and the URL on the next."""
    from sayd_cli.model.session import SessionSettings
    from sayd_cli.transcript.sanitize import sanitize
    from sayd_cli.transport.api import ListenApi

    settings = SessionSettings(language, rate, codec)
    base_url, key = _service()

    async def call() -> None:
        async with ListenApi(base_url, key) as api:
            session = await api.create(settings)
        url = session.websocket_url.reveal() if reveal else str(session.websocket_url)
        if as_json:
            _print(
                json_text(
                    {
                        "session_id": session.session_id,
                        "websocket_url": url,
                        "language": session.language,
                        "stt_service": session.stt_service,
                    },
                    indent=None,
                )
            )
        else:
            _print(f"{sanitize(session.session_id)}\n{sanitize(url)}")

    asyncio.run(call())


@app.command("list", help="List past sessions, newest first.")
def list_(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=_LIMIT_MAX, help="How many at most.")
    ] = 50,
    offset: Annotated[
        int, typer.Option("--offset", min=0, max=_OFFSET_MAX, help="How many to leave out.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    local: _Where = None,
) -> None:
    """Print a table; in a pipe, a line each with tabs between."""
    from sayd_cli.cli.backend import choose_backend
    from sayd_cli.model.session import BackendName
    from sayd_cli.protocol.rest import encode_summaries

    environment = _environment()
    if choose_backend(environment, local=local) is BackendName.LOCAL:
        summaries = _heard_here(environment, limit, offset)
    else:
        summaries = asyncio.run(_kept_by_service(limit, offset))
    if as_json:
        _print(json_text(encode_summaries(summaries)))
    else:
        _print_table(summaries)


@app.command("show", help="Show the transcript of a past session.")
def show(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A session's id, its beginning, or last.", show_default=False
        ),
    ],
    format_: Annotated[Format, typer.Option("--format", "-f", help="As what to print it.")] = (
        Format.TEXT
    ),
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Begin each sentence with its time.")
    ] = False,
    outputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write it to a file too, in the format that its suffix says; repeatable.",
        ),
    ] = None,
    local: _Where = None,
) -> None:
    """Print the sentences, after the files are written."""
    from sayd_cli.cli.exporting import Exporter
    from sayd_cli.render.outputs import check_outputs
    from sayd_cli.transcript.formats import encoder

    files = outputs or []
    check_outputs(files)
    record = _found(_environment(), reference, local=local)
    with Exporter(passes=len(files) + 1) as exporter:
        for path in files:
            exporter.file(path, record, timestamps=timestamps)
        text = exporter.text(encoder(format_, timestamps=timestamps), record)
    _print(text.removesuffix("\n"))


@app.command("search", help="Search everything heard on this machine.")
def search(
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY…",
            help='Words that are all in one sentence; a "phrase" in quotation marks.',
            show_default=False,
        ),
    ],
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=_LIMIT_MAX, help="How many at most.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Print a line for each sentence, the newest first: session, time, and the words found.

    Case and accents do not matter. In Chinese, any run of characters is found.
    """
    from sayd_cli.cli.messages import say
    from sayd_cli.history.query import parse_query
    from sayd_cli.history.store import SessionStore
    from sayd_cli.render.matches import write_matches
    from sayd_cli.settings.paths import history_path

    wanted = " ".join(query)
    if not parse_query(wanted).phrases:
        raise UsageError(f"there is no word in {wanted!r}", "search for letters or digits")
    with SessionStore(history_path(_environment())) as store:
        # One more than is shown, to know whether there are more.
        matches = store.search(wanted, limit + 1)
    shown = matches[:limit]
    if as_json:
        rows = [_match_fields(match) for match in shown]
        _print(json_text(rows))
    else:
        write_matches(sys.stdout, shown)
    if not matches:
        say(f"nothing found for {wanted}")
    elif len(matches) > limit:
        say(f"the newest {limit} of more; --limit shows more")


@app.command("delete", help="Delete past sessions from this machine, for good.")
def delete(
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="ID…", help="Sessions' ids, their beginnings, or last.", show_default=False
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete what was heard in them, and audio that is still to be recovered: all, or nothing."""
    from sayd_cli.cli.messages import say
    from sayd_cli.history.store import SessionStore
    from sayd_cli.settings.paths import history_path

    environment = _environment()
    with SessionStore(history_path(environment)) as store:
        names = dict.fromkeys([store.resolve(reference) for reference in references])
        records = [record for name in names if (record := store.get(name)) is not None]
        if not yes and not _agreed(records):
            say("nothing deleted")
            return
        _discard_audio(environment, names)
        overwritten = store.delete(names)
    for record in records:
        say(f"deleted {_described(record)}")
    if not overwritten:
        say(
            "the file holds traces of it until the next deletion: it is in use, or the disk is full"
        )


def _environment() -> Environment:
    from sayd_cli.settings.environment import read_environment

    return read_environment(os.environ)


def _service() -> tuple[str, Secret]:
    from sayd_cli.cli.backend import cloud_key

    environment = _environment()
    return environment.base_url, cloud_key(environment)


def _heard_here(environment: Environment, limit: int, offset: int) -> Sequence[SessionSummary]:
    from sayd_cli.history.store import SessionStore
    from sayd_cli.settings.paths import history_path

    with SessionStore(history_path(environment)) as store:
        return store.list(limit, offset)


def _found(environment: Environment, reference: str, *, local: bool | None) -> SessionRecord:
    """A session: of this machine, which has all that was heard on it; else of the service."""
    from sayd_cli.cli.backend import choose_backend
    from sayd_cli.model.session import BackendName
    from sayd_cli.transcript.records import safe_record

    if choose_backend(environment, local=local) is BackendName.LOCAL:
        return _found_here(environment, reference)
    if local is None:
        with suppress(NotFoundError, StorageError):
            return _found_here(environment, reference)
    # What was heard here was made safe when it was.
    return safe_record(asyncio.run(_found_at_service(reference)))


def _found_here(environment: Environment, reference: str) -> SessionRecord:
    from sayd_cli.history.store import SessionStore
    from sayd_cli.settings.paths import history_path

    with SessionStore(history_path(environment)) as store:
        record = store.get(store.resolve(reference))
    if record is None:
        raise NotFoundError(
            f"there is no session {reference!r}", "`sayd sessions list` shows what there is"
        )
    return record


async def _kept_by_service(limit: int, offset: int) -> Sequence[SessionSummary]:
    from sayd_cli.transport.api import ListenApi

    base_url, key = _service()
    async with ListenApi(base_url, key) as api:
        return await api.list(limit=limit, offset=offset)


async def _found_at_service(reference: str) -> SessionRecord:
    from sayd_cli.transport.api import ListenApi

    base_url, key = _service()
    async with ListenApi(base_url, key) as api:
        if reference == "last":
            newest = await api.list(limit=1, offset=0)
            if not newest:
                raise NotFoundError("there is no session yet", "`sayd listen` makes one")
            return await api.get(newest[0].session_id)
        try:
            return await api.get(reference)
        except NotFoundError:
            return await api.get(await _completed(api, reference))


async def _completed(api: ListenApi, beginning: str) -> str:
    """The one name at the service that begins so.

    Raises:
        NotFoundError: None does, or several; then the message names them.
    """
    seen: set[str] = set()
    found: list[str] = []
    while beginning and len(seen) < _SEARCHED_MAX:
        page = [row.session_id for row in await api.list(limit=_PAGE, offset=len(seen))]
        new = [name for name in dict.fromkeys(page) if name not in seen]
        # Not: a page that is short. A service may give fewer than were asked for.
        if not new:
            break
        seen.update(new)
        found += [name for name in new if name.startswith(beginning)]
    if not found:
        raise NotFoundError(
            f"the service has no such session: {beginning!r}",
            "`sayd sessions list` shows those it has, with --local those of this machine",
        )
    if len(found) > 1:
        more = ", …" if len(found) > _CANDIDATES_SHOWN else ""
        raise NotFoundError(
            f"{beginning!r} begins the name of more than one session: "
            f"{', '.join(found[:_CANDIDATES_SHOWN])}{more}",
            "give more of the name",
        )
    return found[0]


def _agreed(records: Sequence[SessionRecord]) -> bool:
    """Ask whether they are to be deleted.

    Raises:
        UsageError: There is nobody to be asked.
    """
    from sayd_cli.cli.messages import say
    from sayd_cli.render.terminal import write

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody can be asked here whether to delete", "add --yes to delete")
    for record in records:
        say(_described(record))
    write(sys.stderr, "Delete it for good? [y/N] " if len(records) == 1 else _ASK_ALL)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _described(record: SessionRecord) -> str:
    """A session in a line."""
    from sayd_cli.render.tables import session_row

    name, began, length, _, title = session_row(record.summary)
    count = len(record.sentences)
    sentences = "1 sentence" if count == 1 else f"{count} sentences"
    return ", ".join(part for part in (name, began, length, sentences, title) if part)


def _discard_audio(environment: Environment, names: Container[str]) -> None:
    """Remove the audio of interrupted sessions: to recover it would bring the words back."""
    from sayd_cli.settings.paths import spool_directory
    from sayd_cli.spool.shelf import Shelf

    for interrupted in Shelf(spool_directory(environment)).interrupted():
        if interrupted.label.session_id in names:
            with interrupted.open() as labelled:
                labelled.discard()


def _match_fields(match: Match) -> dict[str, object]:
    sentence, began = match.sentence, match.session.created_at
    return {
        "session_id": match.session.session_id,
        "title": match.session.title,
        "created_at": began.isoformat() if began else None,
        "index": sentence.index,
        "text": sentence.text,
        "start": sentence.start_s,
        "end": sentence.end_s,
        "approximate": sentence.approximate,
        "unconfirmed": sentence.unconfirmed,
        "matches": [{"start": span.start, "end": span.end} for span in match.spans],
    }


def _print_table(summaries: Sequence[SessionSummary]) -> None:
    from sayd_cli.render.tables import SESSION_COLUMNS, session_row, write_table

    write_table(sys.stdout, SESSION_COLUMNS, map(session_row, summaries))


def _print(text: str) -> None:
    from sayd_cli.render.terminal import write

    write(sys.stdout, f"{text}\n" if text else "")
