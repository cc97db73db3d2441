"""The rule that a run ends when nothing is said for a while. Knows audio, and no clock."""

from __future__ import annotations


class SilenceRule:
    """Counts from the last word; before the first one, it waits for as long as it takes.

    Args:
        limit_s: How long a silence ends the run; None for never.
    """

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s = limit_s
        self._word_end_s: float | None = None
        self._told_at_s = 0.0

    def heard(self, end_s: float, captured_s: float) -> None:
        """A word ends at ``end_s``; told when the captured audio ended at ``captured_s``."""
        self._word_end_s = max(self._word_end_s or 0.0, end_s)
        self._told_at_s = max(self._told_at_s, captured_s)

    def is_caught_up_at(self, captured_s: float) -> None:
        """The service has everything before ``captured_s`` to hear first, after an outage: however
        fast it is sent, the time to tell of a word begins there.
        """
        self._told_at_s = max(self._told_at_s, captured_s)

    def goes_on(self, captured_s: float) -> None:
        """The audio goes on after a gap, at ``captured_s``: in the gap nobody can say anything."""
        if self._word_end_s is not None:
            self.heard(captured_s, captured_s)

    def ended_before(self, start_s: float) -> bool:
        """Whether a word that begins at ``start_s`` comes too late."""
        if self._limit_s is None or self._word_end_s is None:
            return False
        return start_s - self._word_end_s > self._limit_s

    def is_over(self, captured_s: float) -> bool:
        """Whether the silence has lasted, when the audio captured so far ends at ``captured_s``.

        Counted from when the last word was told, so that a service has the time to tell of one.
        """
        if self._limit_s is None or self._word_end_s is None:
            return False
        return captured_s - max(self._told_at_s, self._word_end_s) >= self._limit_s
