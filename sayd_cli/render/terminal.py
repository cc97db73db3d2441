"""What a text stream can do: show any character, move a cursor, hold so many columns.

Owns the questions to the operating system. Refuses to know what is written.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

_USUAL_SIZE = (80, 24)

_STILL_TERMS = ("", "dumb", "unknown")
_PLAIN_TERMS = ("linux", "vt", "ansi", "cons25")
"""Consoles of kernels, and terminals of another age."""
_MULTIPLEXERS = ("tmux", "screen")


def write(stream: TextIO, text: str) -> None:
    r"""Write text and flush it; characters that the stream's encoding lacks become ``\uXXXX``.

    That escape is also JSON's own, so that JSON lines stay JSON.

    Raises:
        OSError: As the stream raises it; BrokenPipeError when its reader has gone.
    """
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write("".join(_encodable(character, stream.encoding) for character in text))
    stream.flush()


def _encodable(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(character)[1:-1]
    return character


def can_move_cursor(stream: TextIO) -> bool:
    """Whether the stream is a terminal that obeys cursor movements."""
    return stream.isatty() and _term() not in _STILL_TERMS


def may_synchronize() -> bool:
    """Whether it does no harm to ask the terminal to show an update as a whole.

    Terminals ignore private modes that they do not know, since the VT100 and by ECMA-48; those
    that certainly do not know this one are not asked.
    """
    return not _term().startswith(_PLAIN_TERMS)


def is_multiplexed() -> bool:
    """Whether the terminal is, or runs within, a pane of tmux; GNU screen has the same name."""
    return bool(os.environ.get("TMUX")) or _term().startswith(_MULTIPLEXERS)


def _term() -> str:
    # Windows sets no TERM, and its consoles of this decade obey.
    return os.environ.get("TERM", "windows" if sys.platform == "win32" else "dumb").lower()


def size(stream: TextIO) -> os.terminal_size:
    """Columns and rows of the terminal behind the stream; the usual 80 by 24 where unknown.

    ``COLUMNS`` can ask for fewer columns than there are, or say how many a pipe should have.
    """
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        columns = min(columns or int(wanted), int(wanted))
    return os.terminal_size((columns or _USUAL_SIZE[0], rows or _USUAL_SIZE[1]))
