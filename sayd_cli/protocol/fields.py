"""Reading a value of a foreign JSON object: the right type, or nothing.

A field of the wrong type is treated as absent, so that a service that adds or changes one does
not end a transcription.
"""

from __future__ import annotations

import math


def string(value: object) -> str:
    """The string, or an empty one."""
    return value if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """The number, if it is one, finite and not negative: all that times and counts can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) and as_float >= 0 else None


def count(value: object) -> int | None:
    """The number as a whole one."""
    as_float = number(value)
    return None if as_float is None else int(as_float)


def fraction(value: object) -> float | None:
    """The number, if it is between 0 and 1."""
    as_float = number(value)
    return as_float if as_float is not None and as_float <= 1 else None
