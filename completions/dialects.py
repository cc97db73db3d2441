"""What the dialects have in common: who made the file, and quotation."""

from __future__ import annotations

NOTE = "# Made by generate.py from the command line: change that, and run it again."


def quoted(text: str) -> str:
    """In single quotes, as bash, zsh and fish read them."""
    return "'" + text.replace("'", "'\\''") + "'"
