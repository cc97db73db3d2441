"""Logging, set up once: loggers are named by room, and only ours are heard."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from sayd_cli.errors import UsageError

_FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"


def configure_logging(*, debug: bool, wanted: str) -> None:
    """Send what the rooms log to where the user asked.

    Args:
        debug: Everything, to stderr.
        wanted: The value of ``SAYD_LOG``: ``debug`` for the same, else a file to append to;
            empty for nothing below a warning, and that on stderr.

    Raises:
        UsageError: The file cannot be written.
    """
    logger = logging.getLogger("sayd_cli")
    to_stderr = debug or wanted in ("", "debug")
    try:
        handler = (
            logging.StreamHandler(sys.stderr)
            if to_stderr
            else logging.FileHandler(Path(wanted).expanduser(), encoding="utf-8")
        )
    except OSError as exc:
        raise UsageError(
            f"SAYD_LOG names a file that cannot be written: {exc}", "choose another, or unset it"
        ) from exc
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug or wanted else logging.ERROR)
    logger.propagate = False
