"""What was heard against what was said, word for word.

Words that are all different, such as those of coded speech, are each found again without a guess,
in linear time. Of a text in which the same ones come again it is known that they are too many or
too few, and about where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import chain

_SHOWN_MAX = 20
_SENTENCES_MAX = 6
_CHARS_MAX = 80
_AROUND = 2
"""Words on each side of those that are wrong."""


@dataclass(frozen=True, slots=True)
class Score:
    """The result.

    Attributes:
        lost: Words that were said and not heard, in the order in which they were said.
        repeated: Words that were heard again, once for each time too many, as heard.
        out_of_order: Words that were first heard after one that was said later, as heard.
        strange: Words that were heard and never said, as heard.
    """

    lost: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    out_of_order: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    _said: tuple[str, ...] = field(default=(), repr=False, compare=False)
    _heard: tuple[tuple[str, ...], ...] = field(default=(), repr=False, compare=False)

    @property
    def is_perfect(self) -> bool:
        """All that was said was heard, once, in its order, and nothing else."""
        return not (self.lost or self.repeated or self.out_of_order or self.strange)

    def explain(self) -> str:
        """What is wrong, for the message of a test that fails: where each wrong word belongs, and
        the sentences in which it or its neighbours were heard.
        """
        head = (
            f"said {len(self._said)} words, heard {sum(map(len, self._heard))} in"
            f" {len(self._heard)} sentences: {len(self.lost)} lost, {len(self.repeated)} repeated,"
            f" {len(self.out_of_order)} out of order, {len(self.strange)} strange"
        )
        sentences: dict[str, list[int]] = {}
        for number, words in enumerate(self._heard):
            for word in words:
                sentences.setdefault(word, []).append(number)
        places = {word: place for place, word in enumerate(self._said)}
        lines = [head]
        for what in ("lost", "repeated", "out_of_order", "strange"):
            wrong: tuple[str, ...] = getattr(self, what)
            # Words that follow on each other are one fault.
            runs = _runs(wrong, places)
            for run in runs[:_SHOWN_MAX]:
                there = self._around(run, places, sentences)
                lines.append(f"{what.replace('_', ' ')}: {_span(run)}; heard there: {there}")
            if len(runs) > _SHOWN_MAX:
                lines.append(f"... and {len(runs) - _SHOWN_MAX} more")
        return "\n".join(lines)

    def _around(
        self, run: Sequence[str], places: dict[str, int], sentences: dict[str, list[int]]
    ) -> str:
        near = list(run)
        if run[0] in places:
            first, last = places[run[0]], places[run[-1]]
            near = list(self._said[max(0, first - _AROUND) : last + _AROUND + 1])
        numbers = sorted(set(chain.from_iterable(sentences.get(word, []) for word in near)))
        texts = (" ".join(self._heard[number]) for number in numbers[:_SENTENCES_MAX])
        shown = (text if len(text) <= _CHARS_MAX else text[:_CHARS_MAX] + "…" for text in texts)
        return ", ".join(f"#{n} {text!r}" for n, text in zip(numbers, shown, strict=False)) or "-"


def score(heard: Iterable[str], said: Sequence[str]) -> Score:
    """Compare.

    Args:
        heard: The sentences, in the order in which they were given out.
        said: The words.
    """
    sentences = tuple(tuple(text.split()) for text in heard)
    places = {word: place for place, word in enumerate(said)}
    if len(places) != len(said):
        return _aligned(sentences, said)
    counts: Counter[str] = Counter()
    repeated: list[str] = []
    out_of_order: list[str] = []
    strange: list[str] = []
    furthest = -1
    for word in chain.from_iterable(sentences):
        place = places.get(word)
        if place is None:
            strange.append(word)
            continue
        counts[word] += 1
        if counts[word] > 1:
            repeated.append(word)
        elif place < furthest:
            out_of_order.append(word)
        furthest = max(furthest, place)
    lost = tuple(word for word in said if not counts[word])
    return Score(lost, tuple(repeated), tuple(out_of_order), tuple(strange), tuple(said), sentences)


def _aligned(sentences: tuple[tuple[str, ...], ...], said: Sequence[str]) -> Score:
    """The same of words that are not all different: what is too few, and what is too many."""
    heard = tuple(chain.from_iterable(sentences))
    lost: list[str] = []
    more: list[str] = []
    matcher = SequenceMatcher(None, said, heard, autojunk=False)
    for what, said_at, said_end, heard_at, heard_end in matcher.get_opcodes():
        if what != "equal":
            lost += said[said_at:said_end]
            more += heard[heard_at:heard_end]
    known = set(said)
    repeated = tuple(word for word in more if word in known)
    strange = tuple(word for word in more if word not in known)
    return Score(tuple(lost), repeated, (), strange, tuple(said), sentences)


def _runs(words: Sequence[str], places: dict[str, int]) -> list[list[str]]:
    runs: list[list[str]] = []
    for word in words:
        follows = runs and word in places and places.get(runs[-1][-1], -2) + 1 == places[word]
        if follows:
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _span(run: Sequence[str]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} to {run[-1]} ({len(run)} words)"
