"""Where an utterance begins and ends, from what was measured of each hop of audio.

Owns the decisions: what to decode, when, and where to cut. Refuses to know audio, models, clocks
and threads; positions are hop numbers, counted from the first hop of the stream.

A pause is looked at twice. After ``speculate_after_ms`` of it the utterance is decoded on
suspicion, while the pause goes on; at ``short_silence_ms`` the text says whether the speaker has
finished, and if it does not read so, ``long_silence_ms`` decides. Waiting for silence is most of
what a listener waits for, and the text's own ending shortens it without cutting phrases in half.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class EndpointingConfig:
    """The numbers behind the decisions.

    Attributes:
        hop_ms: Length of one hop.
        open_probability: A hop at least this likely to be speech begins an utterance.
        close_probability: In an utterance, a hop at least this likely still belongs to it.
        sure_probability: What an utterance must reach to be one. Short words of real speech peaked
            at 1.0, a sound of the room after the last word at 0.82; the model heard "You" in it.
        min_speech_ms: Less speech than this is a click, not an utterance.
        short_speech_ms: So little speech is an utterance only if some of it is voiced: a word has
            a vowel. More may be whispered. A click of 0.32 s reached a probability of 1.0 in a
            stream that had heard speech, and the model heard "You" in it.
        voiced: A hop with at least this voicing has a pitch. Such clicks reached 0.40 at most;
            of 189 syllables cut out of real speech one stayed below 0.6.
        pre_roll_ms: Audio kept before the first speech hop; soft consonants live there.
        partial_every_ms: New speech after which the utterance is decoded for an interim text.
        partial_share: The same as a share of the speech so far, where that is more: a decode costs
            as much as the utterance is long. Live, this took 0.37 s of processor time for a second
            of audio, against 0.51 without it.
        speculate_after_ms: Silence after which the utterance is decoded on suspicion.
        short_silence_ms: Silence that ends an utterance whose text reads as finished.
        long_silence_ms: Silence that ends any utterance.
        max_utterance_ms: An utterance is cut when it is this long, speech or not.
        cut_search_ms: How far back from there the best place for the cut is looked for.
    """

    hop_ms: int = 32
    open_probability: float = 0.5
    close_probability: float = 0.35
    sure_probability: float = 0.9
    min_speech_ms: int = 96
    short_speech_ms: int = 384
    voiced: float = 0.5
    pre_roll_ms: int = 512
    partial_every_ms: int = 512
    partial_share: float = 0.125
    speculate_after_ms: int = 160
    short_silence_ms: int = 320
    long_silence_ms: int = 800
    max_utterance_ms: int = 15000
    cut_search_ms: int = 4000

    def hops(self, duration_ms: int) -> int:
        """The number of whole hops in a duration, at least 1."""
        return max(1, round(duration_ms / self.hop_ms))


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the stream, in hops; ends are exclusive.

    Attributes:
        start_hop: First hop to decode.
        end_hop: End of what to decode.
        speech_start_hop: First hop of speech in it.
        speech_end_hop: End of the last speech in it.
    """

    start_hop: int
    end_hop: int
    speech_start_hop: int
    speech_end_hop: int


@dataclass(frozen=True, slots=True)
class PartialDue:
    """Enough new speech for another interim text of the utterance so far."""

    span: Span


@dataclass(frozen=True, slots=True)
class PauseBegun:
    """The utterance may be over: decode it now. If it closes in this pause, it is this span."""

    span: Span


@dataclass(frozen=True, slots=True)
class VerdictDue:
    """The pause is at ``short_silence_ms``: call ``verdict`` before the next hop."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Speech goes on after a ``PauseBegun``: what was decoded for it is only interim."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The utterance is over; no hop of it will be in another span."""

    span: Span


Decision = PartialDue | PauseBegun | VerdictDue | Resumed | Closed


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is kept of a hop, for placing a cut."""

    probability: float
    level_dbfs: float
    voicing: float


@dataclass(slots=True)
class _Utterance:
    start_hop: int
    speech_start_hop: int
    speech_end_hop: int
    speech_hops: int
    peak_probability: float
    peak_voicing: float
    hops_at_partial: int = 0
    continued: bool = False
    """Begun by a cut inside speech: however short, it is the rest of something said."""
    pause: Span | None = None


class Endpointer:
    """The decisions for one stream.

    Calling order: ``push`` for every hop; when it answers ``VerdictDue``, ``verdict`` before the
    next ``push``; ``finish`` once at the end.

    Args:
        config: The numbers.
    """

    def __init__(self, config: EndpointingConfig | None = None) -> None:
        self._config = config or EndpointingConfig()
        hops = self._config.hops
        self._min_speech = hops(self._config.min_speech_ms)
        self._short_speech = hops(self._config.short_speech_ms)
        self._pre_roll = hops(self._config.pre_roll_ms)
        self._partial_every = hops(self._config.partial_every_ms)
        self._speculate_after = hops(self._config.speculate_after_ms)
        self._short_silence = hops(self._config.short_silence_ms)
        self._long_silence = hops(self._config.long_silence_ms)
        self._max_utterance = hops(self._config.max_utterance_ms)
        # Only the stretch in which a cut may be placed is remembered.
        self._heard: deque[_Heard] = deque(maxlen=hops(self._config.cut_search_ms))
        self._hop = 0
        self._previous_end_hop = 0
        self._utterance: _Utterance | None = None

    @property
    def keep_from_hop(self) -> int:
        """The first hop whose audio a later span may still ask for."""
        if self._utterance is not None:
            return self._utterance.start_hop
        return max(self._previous_end_hop, self._hop - self._pre_roll)

    def push(self, probability: float, level_dbfs: float, voicing: float) -> tuple[Decision, ...]:
        """Take the next hop.

        Args:
            probability: How likely it is speech, 0 to 1.
            level_dbfs: Its root mean square, in dB below full scale; used only to place a cut.
            voicing: How much of it repeats as a voice does, 0 to 1.
        """
        hop = self._hop
        self._hop += 1
        heard = _Heard(probability, level_dbfs, voicing)
        self._heard.append(heard)
        utterance = self._utterance
        if utterance is None:
            if probability >= self._config.open_probability:
                start = max(self._previous_end_hop, hop - self._pre_roll)
                self._utterance = _Utterance(start, hop, hop + 1, 1, probability, voicing)
            return ()
        if utterance.start_hop + self._max_utterance <= hop:
            return self._cut(utterance)
        # Once a pause is long enough to be acted on, only clear speech ends it.
        threshold = (
            self._config.open_probability
            if hop - utterance.speech_end_hop >= self._speculate_after
            else self._config.close_probability
        )
        if probability >= threshold:
            return self._speech(utterance, hop, heard)
        return self._silence(utterance, hop + 1 - utterance.speech_end_hop)

    def verdict(self, reads_finished: bool) -> tuple[Decision, ...]:
        """Say whether the text decoded for the last ``PauseBegun`` reads as finished."""
        if reads_finished and self._utterance is not None:
            return self._close(self._utterance)
        return ()

    def finish(self) -> tuple[Decision, ...]:
        """No hop will follow: an utterance under way ends here, in mid-word or not."""
        if self._utterance is None or not self._is_speech(self._utterance):
            return ()
        return self._close(self._utterance)

    def _speech(self, utterance: _Utterance, hop: int, heard: _Heard) -> tuple[Decision, ...]:
        decisions: list[Decision] = []
        if utterance.pause is not None:
            utterance.pause = None
            decisions.append(Resumed())
        utterance.speech_hops += 1
        utterance.peak_probability = max(utterance.peak_probability, heard.probability)
        utterance.peak_voicing = max(utterance.peak_voicing, heard.voicing)
        utterance.speech_end_hop = hop + 1
        new_hops = utterance.speech_hops - utterance.hops_at_partial
        share_hops = utterance.hops_at_partial * self._config.partial_share
        if new_hops >= max(self._partial_every, share_hops) and self._is_speech(utterance):
            utterance.hops_at_partial = utterance.speech_hops
            decisions.append(PartialDue(self._span(utterance)))
        return tuple(decisions)

    def _silence(self, utterance: _Utterance, silent_hops: int) -> tuple[Decision, ...]:
        if silent_hops == self._speculate_after:
            if not self._is_speech(utterance):
                # Too little to be speech: forgotten, and its audio is pre-roll again.
                self._utterance = None
                return ()
            utterance.pause = self._span(utterance)
            utterance.hops_at_partial = utterance.speech_hops
            return (PauseBegun(utterance.pause),)
        if silent_hops >= self._long_silence:
            return self._close(utterance)
        if silent_hops == self._short_silence:
            return (VerdictDue(),)
        return ()

    def _is_speech(self, utterance: _Utterance) -> bool:
        return utterance.continued or (
            utterance.speech_hops >= self._min_speech
            and utterance.peak_probability >= self._config.sure_probability
            and (
                utterance.speech_hops > self._short_speech
                or utterance.peak_voicing >= self._config.voiced
            )
        )

    def _span(self, utterance: _Utterance) -> Span:
        return Span(
            utterance.start_hop, self._hop, utterance.speech_start_hop, utterance.speech_end_hop
        )

    def _close(self, utterance: _Utterance) -> tuple[Decision, ...]:
        span = utterance.pause or self._span(utterance)
        self._utterance = None
        self._previous_end_hop = span.end_hop
        return (Closed(span),)

    def _cut(self, utterance: _Utterance) -> tuple[Decision, ...]:
        """End the utterance at the best place of the last seconds; the rest begins the next."""
        if not self._is_speech(utterance):
            # Many seconds that never were surely speech: music, or a crowd.
            self._utterance = None
            return ()
        cut_hop = self._best_cut()
        whole = self._span(utterance)
        closed = replace(
            whole, end_hop=cut_hop, speech_end_hop=min(cut_hop, utterance.speech_end_hop)
        )
        self._previous_end_hop = cut_hop
        self._utterance = self._after_cut(cut_hop)
        resumed = (Resumed(),) if utterance.pause is not None else ()
        return (*resumed, Closed(closed))

    def _after_cut(self, cut_hop: int) -> _Utterance | None:
        oldest_hop = self._hop - len(self._heard)
        rest = {
            oldest_hop + at: heard
            for at, heard in enumerate(self._heard)
            if oldest_hop + at >= cut_hop and heard.probability >= self._config.close_probability
        }
        if not rest:
            return None
        peak = max(heard.probability for heard in rest.values())
        voicing = max(heard.voicing for heard in rest.values())
        sure = peak >= self._config.sure_probability
        first, end = min(rest), max(rest) + 1
        return _Utterance(cut_hop, first, end, len(rest), peak, voicing, continued=sure)

    def _best_cut(self) -> int:
        """The hop in the middle of the least speech-like, then quietest, 96 ms remembered."""
        oldest_hop = self._hop - len(self._heard)
        heard = list(self._heard)

        def loudness(at: int) -> tuple[bool, float, int]:
            around = heard[at - 1 : at + 2]
            certain = min(hop.probability for hop in around) >= self._config.close_probability
            return certain, sum(hop.level_dbfs for hop in around), -at

        # Not the newest hops: what follows the cut must be enough to be speech of its own.
        last = len(heard) - max(2, self._min_speech)
        return oldest_hop + min(range(1, last), key=loudness, default=len(heard) - 1)
