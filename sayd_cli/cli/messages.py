"""What sayd says of itself, on stderr; results never pass here."""

from __future__ import annotations

import sys

from sayd_cli.render.terminal import write
from sayd_cli.transcript.sanitize import sanitize

_NAME = "sayd: "


def say(text: str) -> None:
    """One line."""
    _write(f"{_NAME}{sanitize(text)}\n")


def complain(message: str, remedy: str) -> None:
    """An error: a line of what happened, and one of what to do, if there is anything."""
    lines = f"{_NAME}{sanitize(message)}\n"
    if remedy:
        lines += f"{' ' * len(_NAME)}{sanitize(remedy)}\n"
    _write(lines)


def trace() -> None:
    """How the exception that is being handled came about; what others said in it is made safe."""
    import traceback

    _write("".join(f"{sanitize(line)}\n" for line in traceback.format_exc().split("\n")[:-1]))


def _write(text: str) -> None:
    try:
        write(sys.stderr, text)
    except (OSError, ValueError):
        # A stderr that is closed or has gone: nobody is there to be told.
        return
