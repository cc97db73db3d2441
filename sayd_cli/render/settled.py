"""Which words of an interim text have settled: those that the one before it has, too.

Pure. An engine that decodes the same speech again with more of it at hand changes its last words
and hardly ever the ones before; where two successive decodes agree from the beginning on, the
third does (LocalAgreement: https://aclanthology.org/2020.iwslt-1.27, section 4). Refuses to know
how the two are shown apart.
"""

from __future__ import annotations

from sayd_cli.render.wrapping import clusters, separator


def settled(before: str, now: str) -> int:
    """How many characters of ``now``, from its beginning, both texts have in whole words.

    A word ends at a space, and, in a script that has none, with each character.
    """
    pairs = enumerate(zip(before, now, strict=False))
    shorter = min(len(before), len(now))
    end = next((at for at, (old, new) in pairs if old != new), shorter)
    while end and not (_ends_word(before, end) and _ends_word(now, end)):
        end -= 1
    return end


def _ends_word(text: str, end: int) -> bool:
    if end == len(text):
        return True
    last, *following = clusters(text[end - 1 : end + 1])
    if not following:
        return False
    beside = (last, following[0])
    return any(cluster.isspace() or not separator(cluster, cluster) for cluster in beside)
