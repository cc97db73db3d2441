"""``sayd listen``: options into a plan, and the plan run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
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
    context: typer.Context,
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
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to a file as well: .txt, .jsonl, .srt, .vtt or .md; may be repeated.",
        ),
    ] = None,
    interim: Annotated[
        bool | None,
        typer.Option(
            "--interim/--no-interim",
            help="Interim text: in JSON lines, and below the live view.",
            show_default="the live view only",
        ),
    ] = None,
    timestamps: Annotated[
        bool,
        typer.Option(
            "--timestamps/--no-timestamps",
            "-t",
            help="Begin each sentence with its time.",
            show_default=False,
        ),
    ] = False,
    once: Annotated[
        bool,
        typer.Option("--once/--no-once", help="Stop after the first sentence.", show_default=False),
    ] = False,
    until_silence: Annotated[
        float | None,
        typer.Option(
            "--until-silence",
            metavar="SECONDS",
            help="Stop when nothing was said for so long, once something was.",
        ),
    ] = None,
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
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Run for each sentence: its text on stdin and in SAYD_TEXT.",
        ),
    ] = None,
    caption_file: Annotated[
        Path | None,
        typer.Option(
            "--caption-file", metavar="FILE", help="Keep the latest caption there, for OBS."
        ),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(
            "--captions", metavar="HOST:PORT", help="Show the captions as a web page there."
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Keep the audio that is sent, as WAV."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="A name for the session.")] = "",
    no_history: Annotated[
        bool,
        typer.Option(
            "--no-history/--history",
            help="Keep nothing of it on this machine.",
            show_default=False,
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet/--no-quiet",
            "-q",
            help="Results and errors only; no live view.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """Ctrl-C stops, after the last words have come; a second one leaves at once."""
    from sayd_cli.audio.codec import check_codec
    from sayd_cli.cli.backend import choose_backend
    from sayd_cli.cli.messages import say
    from sayd_cli.cli.outlets import Outlets
    from sayd_cli.cli.run import Plan, run_plan
    from sayd_cli.cli.screen import Show
    from sayd_cli.listening.rules import Rules
    from sayd_cli.model.session import BackendName, SessionSettings
    from sayd_cli.server.binding import parse_address
    from sayd_cli.settings.environment import BackendChoice, read_environment
    from sayd_cli.transcript.sanitize import sanitize

    check_values(duration=duration, until_silence=until_silence, captions=captions)
    check_files(source, output or [], record, caption_file)
    settings = SessionSettings(language=language, sample_rate_hz=rate, codec=codec)
    check_codec(codec)
    environment = read_environment(os.environ)
    backend = choose_backend(environment, local=local)
    if backend is BackendName.LOCAL:
        check_local_language(language)
    chosen_for_them = local is None and environment.backend is BackendChoice.AUTO
    sent_at = pace or (Pace.MAX if backend is BackendName.LOCAL else Pace.REALTIME)
    plan = Plan(
        source=_source(source, device if source is None or _is_typed(context) else None, rate),
        backend=backend,
        settings=settings,
        rules=Rules(
            pace=sent_at,
            once=once,
            duration_s=duration,
            until_silence_s=until_silence,
        ),
        show=Show(
            format=format_,
            interim=interim,
            timestamps=timestamps,
            quiet=quiet,
            keys=source != "-",
            paced=source is None or sent_at is Pace.REALTIME,
            title=sanitize(name),
        ),
        title=sanitize(name),
        keep=not no_history,
        record=record,
        outlets=Outlets(
            files=tuple(output or ()),
            caption_file=caption_file,
            captions=None if captions is None else parse_address(captions),
            command=exec_,
        ),
    )
    if chosen_for_them and backend is BackendName.LOCAL and not quiet:
        say("no key, so the local engine listens; `sayd auth login` would use the service")
    run_plan(plan, environment)


def _is_typed(context: typer.Context) -> bool:
    """The device is an option of this command line: one of the config file is for when there is
    need of one."""
    chosen_by = context.get_parameter_source("device")
    return chosen_by is not None and chosen_by.name == "COMMANDLINE"


def check_local_language(language: str) -> None:
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
            f"use -l {known[0]}; or use the service: sayd auth login",
        )


def check_values(
    *, duration: float | None, until_silence: float | None, captions: str | None
) -> None:
    """Refuse values of options that cannot be.

    Raises:
        UsageError: For the first of them.
    """
    for option, seconds in (("--duration", duration), ("--until-silence", until_silence)):
        if seconds is not None and not 0 < seconds < float("inf"):
            raise UsageError(f"{option} must be more than 0 seconds", "leave it out for no limit")
    if captions is not None:
        from sayd_cli.server.binding import parse_address

        parse_address(captions)


def check_files(
    source: str | None,
    outputs: Sequence[Path],
    record: Path | None,
    caption_file: Path | None,
) -> None:
    """Refuse files that cannot be written, or would overwrite each other or what is heard.

    Raises:
        UsageError: For the first of them.
    """
    if not (outputs or record or caption_file):
        return
    from sayd_cli.render.outputs import check_distinct, check_outputs, standard_file

    heard = standard_file(0) if source == "-" else None if source is None else Path(source)
    written = {"--record": record, "--caption-file": caption_file}
    used = {"the file that is listened to": heard, "the results": standard_file(1)}
    check_distinct(written, used)
    taken = {**written, "what is listened to": heard}
    check_outputs(outputs, taken={name: path for name, path in taken.items() if path is not None})


def _source(argument: str | None, device: str | None, rate_hz: int) -> Source:
    if argument is not None and device is not None:
        raise UsageError(
            "--device is for the microphone, not for a file or a pipe", "leave one of them out"
        )
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
