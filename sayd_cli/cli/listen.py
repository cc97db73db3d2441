"""``sayd listen``: options into a plan, and the plan run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sayd_cli.errors import UsageError
from sayd_cli.listening.rules import Pace
from sayd_cli.model.audio import Codec
from sayd_cli.transcript.formats import Format

if TYPE_CHECKING:
    from sayd_cli.listening.ports import Source


def command(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="An audio file, or - for standard input. Without it, the microphone.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="NAME|INDEX", help="Which microphone; see sayd devices."),
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            "--language", "-l", metavar="LANGUAGE", help="auto, en, zh, multi, en-US and the like."
        ),
    ] = "multi",
    rate: Annotated[
        int, typer.Option("--rate", metavar="HZ", help="16000, or 8000 for thin connections.")
    ] = 16000,
    codec: Annotated[
        Codec,
        typer.Option("--codec", help="How audio is sent: as it is, or as Opus in a tenth of it."),
    ] = Codec.PCM16,
    local: Annotated[
        bool | None,
        typer.Option(
            "--local/--cloud",
            help="The engine on this machine, or the service.",
            show_default="the service when there is a key",
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="What to print on stdout.")
    ] = Format.TEXT,
    interim: Annotated[
        bool | None,
        typer.Option(
            "--interim/--no-interim",
            help="Interim text: in JSON lines, and below the live view.",
            show_default="the live view only",
        ),
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Begin each sentence with its time.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Stop after the first sentence.")] = False,
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="SECONDS", help="Stop after so much audio."),
    ] = None,
    pace: Annotated[
        Pace | None,
        typer.Option(
            "--pace",
            help="How fast to send a file or a pipe.",
            show_default="max on this machine, realtime to the service",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Keep the audio that is sent, as WAV."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="A name for the session.")] = "",
    no_history: Annotated[
        bool, typer.Option("--no-history", help="Keep nothing of it on this machine.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Results and errors only; no live view.")
    ] = False,
) -> None:
    """Ctrl-C stops, after the last words have come; a second one leaves at once."""
    from sayd_cli.audio.codec import check_codec
    from sayd_cli.cli.backend import choose_backend
    from sayd_cli.cli.messages import say
    from sayd_cli.cli.run import Plan, run_plan
    from sayd_cli.cli.screen import Show
    from sayd_cli.listening.rules import Rules
    from sayd_cli.model.session import BackendName, SessionSettings
    from sayd_cli.settings.environment import BackendChoice, read_environment

    if duration is not None and not 0 < duration < float("inf"):
        raise UsageError("--duration must be more than 0 seconds")
    settings = SessionSettings(language=language, sample_rate_hz=rate, codec=codec)
    check_codec(codec)
    environment = read_environment(os.environ)
    backend = choose_backend(environment, local=local)
    if backend is BackendName.LOCAL:
        _check_local_language(language)
    chosen_for_them = local is None and environment.backend is BackendChoice.AUTO
    plan = Plan(
        source=_source(source, device, rate),
        backend=backend,
        settings=settings,
        rules=Rules(
            pace=pace or (Pace.MAX if backend is BackendName.LOCAL else Pace.REALTIME),
            once=once,
            duration_s=duration,
        ),
        show=Show(
            format=format_,
            interim=interim,
            timestamps=timestamps,
            quiet=quiet,
            keys=source != "-",
        ),
        title=name,
        keep=not no_history,
        record=_not_the_source(record, source),
    )
    if chosen_for_them and backend is BackendName.LOCAL and not quiet:
        say("no key, so the local engine listens; SAYD_API_KEY would use the service")
    run_plan(plan, environment)


def _check_local_language(language: str) -> None:
    """Refuse what the local engine does not know, before anything is opened for nothing."""
    from sayd_cli.cli.extras import require_local

    primary = language.partition("-")[0]
    if primary in ("auto", "multi"):
        return
    require_local()
    from sayd_cli.engine.embedded import EmbeddedEngine

    known = EmbeddedEngine.languages
    if primary not in known:
        raise UsageError(
            f"the local engine does not know {language}; it knows {', '.join(known)}",
            f"use -l {known[0]}, or set SAYD_API_KEY to use the service",
        )


def _not_the_source(record: Path | None, source: str | None) -> Path | None:
    """The file to record to; refused where recording would empty what is listened to."""
    if record is not None and source not in (None, "-") and record.exists():
        original = Path(str(source))
        if original.exists() and record.samefile(original):
            raise UsageError("--record would overwrite the file that is listened to")
    return record


def _source(argument: str | None, device: str | None, rate_hz: int) -> Source:
    if argument is not None and device is not None:
        raise UsageError("--device is for the microphone, not for a file or a pipe")
    if argument is None:
        from sayd_cli.capture.microphone import Microphone

        return Microphone(device, rate_hz)
    if argument == "-":
        from sayd_cli.capture.pipe import PipeSource

        # None: whoever started us has closed it.
        return PipeSource(None if sys.stdin is None else sys.stdin.buffer, rate_hz)
    if not argument:
        raise UsageError("the name of the audio file is empty", "name a file, or - for a pipe")
    from sayd_cli.capture.file import FileSource

    return FileSource(Path(argument), rate_hz)
