"""Where the command ``sayd`` begins, and where it ends.

``--version`` is answered here, before anything is imported that it does not need. Owns Ctrl-C
before a command begins and after it is done, when there is nothing left to be finished.
"""

from __future__ import annotations

import os
import sys

from sayd_cli import __version__
from sayd_cli.cli.streams import adopt_streams, forget_unwritten

_INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process, and leave with its exit status."""
    status = None
    try:
        adopt_streams()
        arguments = sys.argv[1:]
        status = 0 if arguments == ["--version"] and _tell_version() else _run(arguments)
    except KeyboardInterrupt:
        # A traceback helps nobody; and what is done is done.
        status = _INTERRUPTED if status is None else status
    forget_unwritten()
    sys.exit(status)


def _tell_version() -> bool:
    try:
        sys.stdout.write(f"sayd {__version__}\n")
        sys.stdout.flush()
    except Exception:  # noqa: BLE001 - the long way meets it again, and says what it is
        return False
    return True


def _run(arguments: list[str]) -> int:
    import signal

    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        # A KeyboardInterrupt in the middle of an import comes out as something else, or is lost.
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(_INTERRUPTED))
    from sayd_cli.cli.app import run

    def begin() -> None:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    status = run(arguments, begin)
    # Everything is said and written; the interpreter takes a moment to be gone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status


if __name__ == "__main__":
    main()
