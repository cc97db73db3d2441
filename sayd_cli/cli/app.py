"""The commands, and what becomes of their errors.

Owns the list of commands, the loading of the one that is asked for, and the way from an error to
two lines and an exit status. Only the module of that one command is imported; for the others the
list below is enough to be shown in ``--help``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer

from sayd_cli import __version__
from sayd_cli.cli.streams import require_output
from sayd_cli.errors import ProtocolError, SaydError, UnreachableError

_HELP = """Live transcription in a terminal: speech in, text out.

Without a key it works on this machine alone; after `sayd auth login` it uses the Sayd service."""

_USUAL_REMEDIES = {
    UnreachableError.exit_status: "check the network; `sayd doctor` tries the service",
    ProtocolError.exit_status: "check SAYD_BASE_URL; `sayd doctor` tries the service",
}
"""By exit status: what helps where the error knows nothing better."""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command: its name, the module that has it, and what it does in one line.

    The module has a function ``command``, or, for a group of commands, a Typer ``app``. One that
    prints is not begun where standard output is closed.
    """

    name: str
    module: str
    summary: str
    prints: bool = True


COMMANDS = (
    CommandEntry(
        "listen", "sayd_cli.cli.listen", "Transcribe live: the microphone, a file or a pipe."
    ),
    CommandEntry("demo", "sayd_cli.cli.demo", "Listen to a recording that comes with sayd."),
    CommandEntry(
        "sessions", "sayd_cli.cli.sessions", "Create, list, show, search and delete sessions."
    ),
    CommandEntry("devices", "sayd_cli.cli.devices", "List the microphones, and test one."),
    CommandEntry(
        "recover", "sayd_cli.cli.recover", "Finish what a crash or an outage interrupted."
    ),
    CommandEntry(
        "serve", "sayd_cli.cli.serve", "Serve the Sayd API on this machine.", prints=False
    ),
    CommandEntry("auth", "sayd_cli.cli.auth", "Keep the key to the service, or remove it."),
    CommandEntry("config", "sayd_cli.cli.config", "Show what is set, and where."),
    CommandEntry("doctor", "sayd_cli.cli.doctor", "Check what a first run needs."),
)


@dataclass(slots=True)
class Invocation:
    """What the options before the command said; known while they are read, and after."""

    debug: bool = False
    wants_help: bool = False


def build(wanted: str | None = None) -> typer.Typer:
    """The command line.

    Args:
        wanted: The one command that will run; the others are there by name and summary only.
            None for all of them, in full.
    """
    app = typer.Typer(
        name="sayd",
        help=_HELP,
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for entry in COMMANDS:
        if wanted not in (None, entry.name):
            app.command(entry.name, help=entry.summary)(_not_loaded)
            continue
        module = import_module(entry.module)
        if hasattr(module, "app"):
            app.add_typer(module.app, name=entry.name, help=entry.summary)
        else:
            details = module.command.__doc__
            app.command(entry.name, help=f"{entry.summary}\n\n{details}")(module.command)
    return app


def run(arguments: Sequence[str], on_begin: Callable[[], None] = lambda: None) -> int:
    """Run a command line.

    Args:
        arguments: What follows the name of the program.
        on_begin: Called once the command is loaded, before it is run.

    Returns:
        The exit status.
    """
    invocation = Invocation(wants_help=not {"-h", "--help"}.isdisjoint(arguments))
    wanted = next((argument for argument in arguments if not argument.startswith("-")), "")
    command = typer.main.get_command(build(wanted))
    try:
        on_begin()
        # Not ``command.main``: it turns a closed pipe into a failure.
        words = list(arguments) or ["--help"]
        with command.make_context("sayd", words, obj=invocation) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as exc:
        return exc.exit_code
    except SaydError as exc:
        remedy = exc.remedy or _USUAL_REMEDIES.get(exc.exit_status, "")
        return _fail(exc.message, remedy, exc.exit_status, debug=invocation.debug)
    except typer.TyperException as exc:
        said = exc.format_message()
        if wanted == "auth" and "extra argument" in said:
            # What is one argument too many may be a key, and is not to be shown.
            return _fail(
                "`sayd auth` takes no such argument",
                "a key is no argument: `sayd auth login` asks for it, or reads it from a pipe",
                exc.exit_code,
            )
        return _fail(said, _usage_remedy(wanted), exc.exit_code)
    except BrokenPipeError:
        # Whoever read the results has gone, which is no failure: `sayd … | head` is done.
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as exc:  # noqa: BLE001 - the program's boundary: a bug
        said = f"a bug in sayd: {type(exc).__name__}: {exc}"
        remedy = "run it again as `sayd --debug …` and report what it prints"
        return _fail(said, "" if invocation.debug else remedy, 1, debug=invocation.debug)
    return 0


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sayd {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version, and leave.",
            is_eager=True,
            callback=_tell_version,
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Say on stderr what goes on; tracebacks for errors.")
    ] = False,
) -> None:
    from sayd_cli.cli.logs import configure_logging
    from sayd_cli.settings.environment import read_variables

    if isinstance(context.obj, Invocation):
        context.obj.debug = debug
    configure_logging(debug=debug, wanted=read_variables(os.environ).log)
    if all(entry.prints for entry in COMMANDS if entry.name == context.invoked_subcommand):
        require_output()
    if context.invoked_subcommand == "listen" and not _wants_help(context):
        context.default_map = {"listen": _listen_defaults()}


def _wants_help(context: typer.Context) -> bool:
    return isinstance(context.obj, Invocation) and context.obj.wants_help


def _listen_defaults() -> dict[str, Any]:
    """What the config file says: after the options and the environment, before the defaults."""
    from sayd_cli.cli.defaults import listen_defaults
    from sayd_cli.settings.config import load_config
    from sayd_cli.settings.environment import read_variables
    from sayd_cli.settings.paths import config_path

    return dict(listen_defaults(load_config(config_path(read_variables(os.environ))), os.environ))


def _not_loaded() -> None:
    raise RuntimeError("a command was run that was not loaded")


def _usage_remedy(wanted: str) -> str:
    known = any(entry.name == wanted for entry in COMMANDS)
    return f"try `sayd {wanted} --help`" if known else "try `sayd --help`"


def _fail(message: str, remedy: str, status: int, *, debug: bool = False) -> int:
    from sayd_cli.cli.messages import complain, trace

    if debug:
        trace()
    complain(message, remedy)
    return status
