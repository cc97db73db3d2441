"""A transcript in the making: what the service says, put together in order.

Owns the numbering of sentences, their times where the service gives none, and the making safe of
every text, so that nothing after it has to remember. Refuses to know about streams, clocks and
screens.
"""

from __future__ import annotations

import unicodedata

from sayd_cli.model.events import Final, Partial
from sayd_cli.model.report import Heard, Interim
from sayd_cli.model.transcript import Sentence, Transcript
from sayd_cli.transcript.sanitize import sanitize

_AHEAD_S = 10.0
"""How far after the audio that was sent a time may lie: services count their own way. Beyond, it
is no time of this audio."""


class Assembly:
    """Takes what is heard, in order, and keeps the transcript it makes.

    Args:
        transcript: What was heard before.
    """

    def __init__(self, transcript: Transcript | None = None) -> None:
        self._transcript = transcript or Transcript()

    @property
    def transcript(self) -> Transcript:
        """Everything taken so far."""
        return self._transcript

    def apply(self, event: Partial | Final, *, heard_until_s: float) -> Interim | Heard | None:
        """Take one event.

        A partial replaces the interim text. A final becomes a sentence, numbered here, and clears
        the interim text; one without text becomes none.

        Args:
            event: What the service said.
            heard_until_s: Seconds of audio that it had been sent by then. Where it gives no valid
                times, the text is placed between the sentence before and this moment.

        Returns:
            What changed, as the report to pass on; None when nothing did.
        """
        if isinstance(event, Partial):
            return self._take_partial(event, heard_until_s)
        return self._take_final(event, heard_until_s)

    def known_until_s(self, event: Partial | Final, *, heard_until_s: float) -> float | None:
        """Where something ends that was heard before, in seconds; None where that is not told.

        No later than what was heard before: a derived end is never before the real one.
        """
        _, end_s, approximate = self._place(event, heard_until_s)
        return None if approximate else min(end_s, self._transcript.end_s)

    def give_up_partial(self) -> Sentence | None:
        """Make a sentence of the interim text, marked as never confirmed; None when there is none.

        For when the service will not say any more: what it last said is better than nothing.
        """
        partial = self._transcript.partial
        if partial is None:
            return None
        # Its times were found good when it came.
        until_s = max(self._transcript.end_s, partial.end_s or 0.0)
        start_s, end_s, _ = self._place(partial, until_s)
        sentence = Sentence(
            index=len(self._transcript.sentences),
            text=partial.text,
            start_s=start_s,
            end_s=end_s,
            approximate=True,
            unconfirmed=True,
        )
        self._transcript = Transcript((*self._transcript.sentences, sentence))
        return sentence

    def _take_partial(self, event: Partial, heard_until_s: float) -> Interim | None:
        text = _clean(event.text)
        if not text:
            return self._clear(heard_until_s)
        start_s, end_s, _ = self._place(event, heard_until_s)
        self._transcript = Transcript(self._transcript.sentences, Partial(text, start_s, end_s))
        return Interim(text, start_s, end_s)

    def _take_final(self, event: Final, heard_until_s: float) -> Interim | Heard | None:
        text = _clean(event.text)
        if not text:
            return self._clear(heard_until_s)
        start_s, end_s, approximate = self._place(event, heard_until_s)
        known = event.confidence is not None and 0 <= event.confidence <= 1
        sentence = Sentence(
            index=len(self._transcript.sentences),
            text=text,
            start_s=start_s,
            end_s=end_s,
            approximate=approximate,
            confidence=event.confidence if known else None,
            language=_clean(event.language or "") or None,
        )
        self._transcript = Transcript((*self._transcript.sentences, sentence))
        return Heard(sentence)

    def _clear(self, heard_until_s: float) -> Interim | None:
        if self._transcript.partial is None:
            return None
        self._transcript = Transcript(self._transcript.sentences)
        start_s = self._transcript.end_s
        return Interim("", start_s, max(start_s, heard_until_s))

    def _place(self, event: Partial | Final, heard_until_s: float) -> tuple[float, float, bool]:
        """Start and end in seconds, and whether either had to be derived."""
        start_s, end_s = event.start_s, event.end_s
        approximate = False
        latest_s = heard_until_s + _AHEAD_S
        if start_s is None or not 0 <= start_s <= latest_s:
            start_s, approximate = self._transcript.end_s, True
        if end_s is None or not start_s <= end_s <= latest_s:
            end_s, approximate = max(start_s, heard_until_s), True
        return start_s, end_s, approximate


def _clean(text: str) -> str:
    """The text safe to show, without white space around it; empty when nothing can be seen."""
    text = sanitize(text).strip()
    if all(unicodedata.category(character) in ("Cf", "Zs", "Mn") for character in text):
        return ""
    return text
