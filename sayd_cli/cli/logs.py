"""Logging, set up once: loggers are named by room, and only ours are heard."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from sayd_cli.errors import UsageError
from sayd_cli.transcript.sanitize import sanitize

_FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
_TO_STDERR = "debug"


class _SafeFormatter(logging.Formatter):
    """What others say, in a message or a traceback, does not steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(sanitize(line) for line in super().format(record).split("\n"))


def configure_logging(*, debug: bool, wanted: str) -> None:
    """Send what the rooms log to where the user asked.

    Args:
        debug: Everything, to stderr.
        wanted: The value of ``SAYD_LOG``: ``debug`` for the same, else a file to append
            everything to, with or without ``debug``; empty for none. Where neither is asked
            for, errors go to stderr.

    Raises:
        UsageError: The file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if wanted not in ("", _TO_STDERR):
        handlers.append(_file(wanted))
    if debug or not handlers:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(_SafeFormatter(_FORMAT))
    logger = logging.getLogger("sayd_cli")
    logger.handlers[:] = handlers
    logger.setLevel(logging.DEBUG if debug or wanted else logging.ERROR)
    logger.propagate = False


def logs_to_stderr() -> bool:
    """Whether more than errors goes to stderr, now that logging is set up."""
    logger = logging.getLogger("sayd_cli")
    to_stderr = any(
        isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        for handler in logger.handlers
    )
    return to_stderr and logger.isEnabledFor(logging.DEBUG)


def _file(name: str) -> logging.FileHandler:
    try:
        return logging.FileHandler(Path(name).expanduser(), encoding="utf-8")
    except (OSError, RuntimeError, ValueError) as exc:
        # The last two: a home that is nobody's, and a name that no file can have.
        raise UsageError(
            f"SAYD_LOG names a file that cannot be written: {exc}", "choose another, or unset it"
        ) from exc
