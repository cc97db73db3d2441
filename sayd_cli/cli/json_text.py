"""JSON for programs that is safe on a terminal, too."""

from __future__ import annotations

import json

from sayd_cli.transcript.sanitize import sanitize


def json_text(value: object, *, indent: int | None = 2) -> str:
    """The value as JSON, with what others say in it made safe.

    The strings are, not the whole text: in that, a control string that is left open would take
    quotation marks with it.

    Args:
        value: What JSON can say; paths and the like as their text.
        indent: Spaces a level; None for one line.
    """
    return json.dumps(_safe(value), ensure_ascii=False, indent=indent, default=str)


def _safe(value: object) -> object:
    match value:
        case str():
            return sanitize(value)
        case dict():
            return {sanitize(str(name)): _safe(each) for name, each in value.items()}
        case list() | tuple():
            return [_safe(each) for each in value]
        case _:
            return value
