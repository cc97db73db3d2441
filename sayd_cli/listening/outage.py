"""A time without a service: when to try again. Knows the clock's readings, and waits for nobody."""

from __future__ import annotations

from random import Random

from sayd_cli.errors import BusyError, SaydError

_FIRST_S = 0.5
_LONGEST_S = 10.0
_LONGEST_AT_THE_END_S = 1.0
"""Once no more audio comes: the last words are waited for no longer than ten seconds in all."""
_TOLD_JITTER = 0.1
"""How much later than told to come again: everybody else was told the same."""


class Outage:
    """From the loss of a connection to the next one that works.

    Args:
        began_s: When it began.
        random: Spreads the attempts of many clients.
        attempts: How many there were before it, that led to nothing better than this.
    """

    def __init__(self, began_s: float, random: Random, attempts: int = 0) -> None:
        self.began_s = began_s
        self.attempts = attempts
        self.told = False
        """The user knows of it."""
        self._random = random

    def delay_s(self, cause: SaydError, *, at_the_end: bool = False) -> float:
        """How long to wait before the next attempt.

        The first is made at once: most connections that drop can be made again. The others come
        after a time that doubles, between half of it and all of it.

        Args:
            cause: Why the last attempt failed; may tell when to come again.
            at_the_end: No more audio comes.
        """
        self.attempts += 1
        delay_s = 0.0
        if self.attempts > 1:
            most_s = _LONGEST_AT_THE_END_S if at_the_end else _LONGEST_S
            longest_s = min(_FIRST_S * 2 ** min(self.attempts - 2, 10), most_s)
            delay_s = self._random.uniform(longest_s / 2, longest_s)
        if isinstance(cause, BusyError) and cause.retry_after_s is not None:
            told_s = cause.retry_after_s * (1 + self._random.uniform(0, _TOLD_JITTER))
            delay_s = max(delay_s, told_s)
        elif isinstance(cause, BusyError):
            delay_s = max(delay_s, _FIRST_S)
        return delay_s
