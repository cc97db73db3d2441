"""Word error rate: word edits from a reference to what was heard, over the reference's words."""

from __future__ import annotations

import re
import unicodedata

_NOT_IN_WORDS = re.compile(r"[^a-z0-9' ]+")


def normalized_words(text: str) -> list[str]:
    """Lower-case words without punctuation; an apostrophe inside a word stays."""
    plain = (
        unicodedata.normalize("NFKC", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    words = _NOT_IN_WORDS.sub(" ", plain).split()
    return [word.strip("'") for word in words if word.strip("'")]


def word_errors(reference: str, hypothesis: str) -> int:
    """The fewest words inserted, deleted or replaced that turn one text into the other."""
    wanted, heard = normalized_words(reference), normalized_words(hypothesis)
    row = list(range(len(heard) + 1))
    for at, word in enumerate(wanted, 1):
        diagonal, row[0] = row[0], at
        for place, other in enumerate(heard, 1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other)),
            )
    return row[-1]


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Errors over the words of the reference: 0.05 is five words in a hundred.

    Raises:
        ValueError: The reference has no words.
    """
    words = len(normalized_words(reference))
    if not words:
        raise ValueError("the reference has no words")
    return word_errors(reference, hypothesis) / words
