"""How much it says that a word is heard: little where the same words come again and again.

Owns the statistics of a few sentences. Refuses to know what is done with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import log

_SHARES = (0.1, 0.25, 0.6)
"""How far the word alone, the one before it and the two before it are trusted."""

_NEVER_SAID = 0.05 / 2000
"""The probability of a word that was not said before: most of what is heard are some two thousand
words."""


class Surprisal:
    """Of the words of a text, in nats, by that text itself.

    Each is judged by the others only (leave one out), so that a text in which nothing comes twice
    is all surprise. Probabilities by no, one and two words before are mixed with fixed shares, as
    Jelinek and Mercer do (Interpolated estimation of Markov source parameters, 1980).

    Args:
        words: The text.
        begin: Stands for what is before it.
    """

    def __init__(self, words: Sequence[str], begin: str) -> None:
        padded = (begin, begin, *words)
        self._runs: list[Counter[tuple[str, ...]]] = []
        self._beginnings: list[Counter[tuple[str, ...]]] = []
        for before in range(len(_SHARES)):
            runs = [padded[at - before : at + 1] for at in range(2, len(padded))]
            self._runs.append(Counter(runs))
            self._beginnings.append(Counter(run[:-1] for run in runs))
        self.of = cache(self._of)

    def _of(self, two: str, one: str, word: str) -> float:
        """The surprisal of a word, after these two."""
        run = (two, one, word)
        probability = _NEVER_SAID
        for before, share in enumerate(_SHARES):
            heard = run[len(run) - 1 - before :]
            others = self._beginnings[before][heard[:-1]] - 1
            if others > 0:
                probability += share * max(0, self._runs[before][heard] - 1) / others
        return -log(probability)
