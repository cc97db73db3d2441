"""Where the command ``sayd`` begins.

``--version`` is answered here, before anything is imported that it does not need.
"""

from __future__ import annotations

import sys

from sayd_cli import __version__


def main() -> None:
    """Run the command line of this process, and leave with its exit status."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"sayd {__version__}\n")
        return
    try:
        from sayd_cli.cli.app import run

        status = run(arguments)
    except KeyboardInterrupt:
        # Before, or after, a run: there is nothing to finish, and a traceback helps nobody.
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
