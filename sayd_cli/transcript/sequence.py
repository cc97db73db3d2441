"""The sentences of one session, each once and in their order, over any number of connections.

Refuses to know about connections, and about what a sentence says.
"""

from __future__ import annotations

from sayd_cli.model.events import Final


class Sequence:
    """Takes sentences as they arrive.

    A sentence with an index is taken once. Where the service counts without a hole (``strict``),
    one that is early waits for those before it: what is confirmed must be confirmed up to there.

    Calling order: ``take`` for each; ``reconnected`` before those of a connection that does not
    continue the stream.
    """

    def __init__(self) -> None:
        self.strict = False
        self._next_index = 0
        # Bounded by what a session has: the sentences of services that may leave some out, those
        # of earlier connections, and the few that overtook another.
        self._seen: dict[int, Final] = {}
        self._before: set[Final] = set()
        self._early: dict[int, Final] = {}

    @property
    def next_index(self) -> int:
        """How many sentences came without a hole before them."""
        return self._next_index

    def reconnected(self) -> None:
        """From now on the service may count anew, or say again what it said.

        So an index alone tells nothing of what came before. But what is the same in all, and has a
        time, is the same sentence: nobody says a word twice at one moment.
        """
        self._before.update(each for each in self._seen.values() if each.end_s is not None)
        self._seen.clear()

    def take(self, sentence: Final) -> list[Final]:
        """The sentences that are due now, in order: none, this one, or also some that waited."""
        index = sentence.index
        if index is None:
            return [sentence]
        if not self.strict:
            if index in self._seen or sentence in self._before:
                return []
            self._seen[index] = sentence
            return [sentence]
        if index >= self._next_index:
            self._early[index] = sentence
        due = []
        while self._next_index in self._early:
            due.append(self._early.pop(self._next_index))
            self._next_index += 1
        return due
