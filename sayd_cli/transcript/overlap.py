"""What is heard a second time, told from what is new by the words alone.

For services that give no times: after an outage, some audio is sent again whose words are known,
and nobody says where they end. The known words and the new ones are laid over each other as two
strings of which the end of the first is the beginning of the second (semi-global alignment: Smith
and Waterman's recurrence with free ends, J. Mol. Biol. 147, 1981), over all the sentences that
come.

Points are natural logarithms: how much likelier it is that a word was heard again than that it is
new. A word that nobody could expect says much, the next of a row of numbers nearly nothing. Ends of
sentences are words of their own here: the same audio has the same pauses, and in speech that
repeats itself they tell one round from the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from sayd_cli.transcript.surprisal import Surprisal
from sayd_cli.transcript.words import Word, text_after, words_of

_END = "|"
"""The end of a sentence, as a word. No other looks like it."""

_EXPECTED = 0.8
"""So much of what it says that a word is heard again, it says of every word: else speech that goes
on as expected would be taken for known word by word."""

_MOST, _END_MOST = 7.0, 2.0
"""The most that a word says, and an end of a sentence. What is rare in a few sentences may be a
common word."""

_CHANGED, _ADDED, _LEFT_OUT = -3.0, -3.5, -4.0
"""A word is heard as another one, or only this time, or not any more."""

_END_ADDED, _END_LEFT_OUT = -2.0, -2.5

_NEVER = float("-inf")

_HOPELESS = 40.0
"""What is so much less likely than the likeliest is not followed any more: after hours that are
heard again, it would cost too much."""

_DOUBT = 3.0
"""Of places that are so nearly alike the first is taken, where the least is known: rather a word
twice than none. And where all that is known may have been heard by the end of a sentence, it must
be likelier by so much that the next one is known, too."""

_ALONE = 5.0
"""Where nothing was heard again yet, it must be likelier by so much that a part of a sentence was:
one word alone is often said twice."""

_UNLIKE = 6.0
"""A sentence that makes what was heard up to now so much less likely is told, too: it may be one
that was never heard, among others that were."""

_STRAYS = 2
"""So many words may be heard that are not the known ones, before it is certain that those will not
come: audio that is sent again begins in the middle of a word, which may be heard as another one, or
two, and as a sentence."""

_STRAYED = 4.0
"""After them, what is heard again must be so much likelier than new words."""


class Overlap:
    """Takes sentences that are heard after an outage, and gives what is new of them.

    Args:
        known: The last sentences that were heard before, from the first on that the audio that is
            sent again may be part of.
        before: Some sentences before those; they tell how people speak.
    """

    def __init__(self, known: Sequence[str], before: Sequence[str] = ()) -> None:
        self._known = _in_words(known)
        self._surprisal = Surprisal([*_in_words(before), *self._known], _END)
        self._fits = [0.0] * (len(self._known) + 1)
        """How likely it is that what was heard up to now ends after none of the known words, after
        one, and so on; hopeless after those that are not listed."""
        self._last = (_END, _END)
        """The last two words that were heard again."""
        self._is_begun = False
        self._strays = 0

    def remove(self, text: str) -> str:
        """The part of a final sentence that is new; the next one follows on it."""
        if not self._known or not (words := self._words(text)):
            return text
        new, fits = self._lay(words, is_whole=True)
        if fits is not None:
            self._follow(fits)
            self._last = (words[-1].folded, _END)
            self._is_begun = True
        elif new or self._is_begun or self._strays + len(words) > _STRAYS:
            # What follows is new, so nothing known comes any more.
            self._known = []
        else:
            self._strays += len(words)
        return _from(text, words, new)

    def peek(self, text: str) -> str:
        """The same of a text that may still change."""
        if not self._known or not (words := self._words(text)):
            return text
        new, _ = self._lay(words, is_whole=False)
        return _from(text, words, new)

    def _words(self, text: str) -> list[Word]:
        """The words; of a text that is much longer than all that is known, one more than matter."""
        return list(islice(words_of(text), self._longest + 1))

    @property
    def _longest(self) -> int:
        """How many words may be laid over what is known; what is longer goes beyond it."""
        return 2 * len(self._known) + _STRAYS

    def _lay(self, words: list[Word], *, is_whole: bool) -> tuple[int, list[float] | None]:
        """Lay a sentence over what is known.

        Args:
            words: Those of the sentence.
            is_whole: It ends with the last of them.

        Returns:
            The first of the words that is new, and how well all of it fits; None when whatever
            comes after that one is new, too.
        """
        end = len(self._known)
        is_longer = len(words) > self._longest
        if is_longer:
            words, is_whole = words[: self._longest], False
        fits = self._reaching(len(words))
        # By the number of words that are known, when they are all that is.
        over = [self._at_end(fits) if self._is_begun else _STRAYED if self._strays else 0.0]
        last = self._last
        for word in words:
            fits = self._next(fits, last, word.folded)
            last = (last[1], word.folded)
            over.append(self._at_end(fits))
        if is_whole:
            fits = self._next(fits, last, _END)
            over[-1] = max(over[-1], self._at_end(fits))
        # Before the last word and the end of its sentence.
        inside = max(fits[: end - 1], default=_NEVER)
        likeliest = max(over)
        if inside < likeliest:
            if not self._is_begun and over[0] >= likeliest - _ALONE:
                return 0, None
            return next(at for at, points in enumerate(over) if points >= likeliest - _DOUBT), None
        if self._is_begun and inside < over[0] + _DOUBT:
            return 0, None
        if is_longer:
            return len(words), None
        return 0 if self._is_unlike(words, fits) else len(words), fits

    def _is_unlike(self, words: list[Word], fits: list[float]) -> bool:
        """Whether all of a sentence may be new though it is laid over known words."""
        if max(self._fits) - max(fits) > _UNLIKE:
            return True
        return not {word.folded for word in words}.intersection(self._known)

    def _reaching(self, words: int) -> list[float]:
        """How well it fits, with room for so many words more, and for some that are left out."""
        reach = len(self._fits) + words + 1 + int(_HOPELESS / -_END_LEFT_OUT)
        more = min(reach, len(self._known) + 1) - len(self._fits)
        return self._fits + [_NEVER] * more

    def _follow(self, fits: list[float]) -> None:
        """Go on from there, with what is not hopeless."""
        least = max(fits) - _HOPELESS
        hopeful = [row for row, points in enumerate(fits) if points >= least]
        self._fits = fits[hopeful[0] : hopeful[-1] + 1]
        self._known = self._known[hopeful[0] :]

    def _at_end(self, fits: list[float]) -> float:
        """How well it fits where all that is known was heard; its last end may not have been."""
        end = len(self._known)
        if len(fits) <= end:
            return _NEVER
        return max(fits[end], fits[end - 1] + _END_LEFT_OUT)

    def _next(self, fits: list[float], last: tuple[str, str], word: str) -> list[float]:
        """How well all that was heard fits with one word more."""
        said = self._surprisal.of(*last, word) - _EXPECTED
        if word == _END:
            same, other, added = min(max(said, 0.0), _END_MOST), _NEVER, _END_ADDED
        else:
            same, other, added = min(said, _MOST), _CHANGED, _ADDED
        longer = [fits[0] + added]
        for row, known in enumerate(self._known[: len(fits) - 1]):
            if known == word:
                both = fits[row] + same
            else:
                both = fits[row] + (_NEVER if known == _END else other)
            left_out = longer[row] + (_END_LEFT_OUT if known == _END else _LEFT_OUT)
            longer.append(max(both, fits[row + 1] + added, left_out))
        return longer


def _in_words(sentences: Sequence[str]) -> list[str]:
    """All their words, and where they end."""
    words: list[str] = []
    for sentence in sentences:
        if said := [word.folded for word in words_of(sentence)]:
            words += [*said, _END]
    return words


def _from(text: str, words: list[Word], first: int) -> str:
    """The text from a word on."""
    if first == len(words):
        return ""
    return text_after(text, words[first - 1].span.end) if first else text
