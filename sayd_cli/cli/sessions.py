"""``sayd sessions``: create one at the service; list and show those that are past."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sayd_cli.errors import NotFoundError
from sayd_cli.model.audio import Codec
from sayd_cli.transcript.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

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
                json.dumps(
                    {
                        "session_id": session.session_id,
                        "websocket_url": url,
                        "language": session.language,
                        "stt_service": session.stt_service,
                    },
                    ensure_ascii=False,
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
        _print(json.dumps(encode_summaries(summaries), ensure_ascii=False, indent=2))
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
    local: _Where = None,
) -> None:
    """Print the sentences."""
    from sayd_cli.cli.backend import choose_backend
    from sayd_cli.model.session import BackendName
    from sayd_cli.transcript.formats import encoder

    environment = _environment()
    if choose_backend(environment, local=local) is BackendName.LOCAL:
        record = _found_here(environment, reference)
    else:
        record = asyncio.run(_found_at_service(reference))
    text = encoder(format_, timestamps=timestamps).record(record)
    _print(text.removesuffix("\n"))


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


def _found_here(environment: Environment, reference: str) -> SessionRecord:
    from sayd_cli.history.store import SessionStore
    from sayd_cli.settings.paths import history_path

    with SessionStore(history_path(environment)) as store:
        record = store.get(store.resolve(reference))
    if record is None:
        raise NotFoundError(f"there is no session {reference!r}")
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
            "`sayd sessions list` shows those it has",
        )
    if len(found) > 1:
        more = ", …" if len(found) > _CANDIDATES_SHOWN else ""
        raise NotFoundError(
            f"{beginning!r} begins the name of more than one session: "
            f"{', '.join(found[:_CANDIDATES_SHOWN])}{more}",
            "give more of the name",
        )
    return found[0]


def _print_table(summaries: Sequence[SessionSummary]) -> None:
    from sayd_cli.render.tables import SESSION_COLUMNS, session_row, write_table

    write_table(sys.stdout, SESSION_COLUMNS, map(session_row, summaries))


def _print(text: str) -> None:
    from sayd_cli.render.terminal import write

    write(sys.stdout, f"{text}\n" if text else "")
