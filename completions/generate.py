"""Writes the completion scripts beside this file, and the man page, from the command line itself.

Owns which files there are, and whether they are current. What it writes is static, so that a
press of Tab starts no Python, but where a session or a device is to be named.

    python completions/generate.py           write the files
    python completions/generate.py --check   leave them; exit status 1 if one is not current
"""

from __future__ import annotations

import sys
from pathlib import Path

from bash import bash
from fish import fish
from manual import manual
from powershell import powershell
from tree import command_tree
from zsh import zsh

_ROOT = Path(__file__).parents[1]
_WRITERS = {
    "completions/sayd.bash": bash,
    "completions/_sayd": zsh,
    "completions/sayd.fish": fish,
    "completions/sayd.ps1": powershell,
    "man/sayd.1": manual,
}


def main(arguments: list[str]) -> int:
    """Write the files, or check them; gives the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: generate.py [--check]\n")
        return 2
    root = command_tree()
    stale = False
    for name, writer in _WRITERS.items():
        path, text = _ROOT / name, writer(root)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if arguments:
            sys.stderr.write(f"{name} is not current; run completions/generate.py\n")
            stale = True
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
