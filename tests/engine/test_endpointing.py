"""The endpointer alone, on made-up probabilities."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.engine.endpointing import (
    Closed,
    Decision,
    Endpointer,
    EndpointingConfig,
    PartialDue,
    PauseBegun,
    Resumed,
    Span,
    VerdictDue,
)

CONFIG = EndpointingConfig()
HOP_MS = CONFIG.hop_ms
Hops = list[tuple[float, float, float]]


def run(hops: Hops, *, finished: bool = False, finish: bool = True) -> list[Decision]:
    """Every decision for the hops; each verdict is ``finished``."""
    endpointer = Endpointer(CONFIG)
    decisions: list[Decision] = []
    for hop in hops:
        new = endpointer.push(*hop)
        decisions += new
        if VerdictDue() in new:
            decisions += endpointer.verdict(finished)
    return decisions + list(endpointer.finish() if finish else ())


def closed(decisions: list[Decision]) -> list[Span]:
    return [decision.span for decision in decisions if isinstance(decision, Closed)]


def speech(duration_ms: int) -> Hops:
    return [(1.0, -20.0, 0.9)] * (duration_ms // HOP_MS)


def unvoiced(duration_ms: int) -> Hops:
    """What is taken for speech, and has no pitch."""
    return [(1.0, -20.0, CONFIG.voiced - 0.01)] * (duration_ms // HOP_MS)


def silence(duration_ms: int) -> Hops:
    return [(0.0, -60.0, 0.1)] * (duration_ms // HOP_MS)


def test_an_utterance_has_its_pre_roll_and_ends_with_its_speech() -> None:
    decisions = run(silence(3200) + speech(960) + silence(3200), finish=False)
    (span,) = closed(decisions)
    assert (span.speech_start_hop, span.speech_end_hop) == (100, 130)
    assert span.start_hop == 100 - CONFIG.hops(CONFIG.pre_roll_ms)
    assert 130 < span.end_hop <= 130 + CONFIG.hops(CONFIG.long_silence_ms)


def test_a_finished_text_ends_an_utterance_sooner() -> None:
    hops = speech(960) + silence(CONFIG.short_silence_ms)
    assert closed(run(hops, finished=True, finish=False))
    assert not closed(run(hops, finished=False, finish=False))
    longer = speech(960) + silence(CONFIG.long_silence_ms)
    assert closed(run(longer, finished=False, finish=False))


def test_what_is_guessed_at_in_a_pause_is_what_closes() -> None:
    for finished in (True, False):
        decisions = run(speech(960) + silence(3200), finished=finished)
        guesses = [item.span for item in decisions if isinstance(item, PauseBegun)]
        assert guesses == closed(decisions)


def test_speech_that_goes_on_takes_the_guess_back() -> None:
    decisions = run(speech(960) + silence(256) + speech(960) + silence(1600))
    kinds = [type(item) for item in decisions if not isinstance(item, PartialDue)]
    assert kinds == [PauseBegun, Resumed, PauseBegun, VerdictDue, Closed]


def test_pre_roll_does_not_reach_back_into_the_utterance_before() -> None:
    decisions = run(speech(960) + silence(352) + speech(960) + silence(1600), finished=True)
    first, second = closed(decisions)
    assert first.end_hop == second.start_hop


def test_partials_come_with_every_half_second_of_new_speech() -> None:
    decisions = run(speech(2080), finish=False)
    ends = [item.span.end_hop for item in decisions if isinstance(item, PartialDue)]
    assert ends == [16, 32, 48, 64]


def test_partials_of_a_long_utterance_come_less_often() -> None:
    decisions = run(speech(12800), finish=False)
    ends = [item.span.end_hop for item in decisions if isinstance(item, PartialDue)]
    gaps = [later - earlier for earlier, later in pairwise(ends)]
    assert gaps == sorted(gaps)
    assert gaps[0] == 16
    assert 32 <= gaps[-1] <= 400 * CONFIG.partial_share


def test_clicks_and_breaths_are_not_utterances() -> None:
    click = [(1.0, -20.0, 0.9)] * 2
    breath = [(0.8, -40.0, 0.9)] * 10
    assert run(silence(960) + click + silence(960) + breath + silence(960)) == []
    assert run(silence(960) + breath) == []
    assert run(breath * 100) == []


def test_a_short_sound_without_a_pitch_is_no_word() -> None:
    sound = unvoiced(CONFIG.short_speech_ms)
    assert run(silence(960) + sound + silence(3200) + sound) == []


def test_one_hop_with_a_pitch_makes_a_short_word() -> None:
    word = unvoiced(128) + speech(HOP_MS) + unvoiced(128)
    (span,) = closed(run(silence(960) + word + silence(3200)))
    assert (span.speech_start_hop, span.speech_end_hop) == (30, 39)


def test_a_whisper_is_heard() -> None:
    whisper = unvoiced(CONFIG.short_speech_ms + HOP_MS)
    assert len(closed(run(silence(960) + whisper + silence(3200)))) == 1


def test_a_hiss_before_a_word_stays_in_its_pre_roll() -> None:
    hops = silence(960) + unvoiced(128) + silence(192) + speech(320) + silence(3200)
    (span,) = closed(run(hops))
    assert span.start_hop <= 30


def test_the_end_of_the_stream_closes_what_is_under_way() -> None:
    (span,) = closed(run(silence(960) + speech(320)))
    assert (span.speech_start_hop, span.speech_end_hop, span.end_hop) == (30, 40, 40)


def test_a_long_utterance_is_cut_at_its_quietest_place() -> None:
    hops = speech(20000)
    for at in (439, 440, 441):
        hops[at] = (1.0, -45.0, 0.9)
    hops[460] = (1.0, -60.0, 0.9)
    first, second = closed(run(hops))
    assert first.end_hop == second.start_hop == 440
    assert second.end_hop == len(hops)


def test_a_cut_prefers_what_is_least_like_speech() -> None:
    hops = speech(20000)
    for at in (419, 420, 421):
        hops[at] = (1.0, -45.0, 0.9)
    hops[450] = (0.1, -20.0, 0.9)
    assert 449 <= closed(run(hops))[0].end_hop <= 451


hops_of_anything = st.lists(
    st.tuples(
        st.sampled_from([(0.0, 1), (0.2, 3), (0.4, 2), (0.6, 3), (1.0, 8), (1.0, 200), (0.0, 20)]),
        st.floats(-120, 0),
        st.sampled_from([0.0, 0.3, 1.0]),
    ),
    max_size=40,
).map(
    lambda runs: [(p, level, voicing) for (p, count), level, voicing in runs for _ in range(count)]
)


@given(hops_of_anything, st.booleans())
def test_spans_are_in_order_and_never_overlap(hops: Hops, finished: bool) -> None:
    spans = closed(run(hops, finished=finished))
    for span in spans:
        assert 0 <= span.start_hop <= span.speech_start_hop
        assert span.speech_start_hop <= span.speech_end_hop <= span.end_hop <= len(hops)
        assert span.start_hop < span.end_hop
        longest_hops = CONFIG.hops(CONFIG.max_utterance_ms) + 1
        assert span.end_hop - span.start_hop <= longest_hops
    for earlier, later in pairwise(spans):
        assert earlier.end_hop <= later.start_hop


@given(hops_of_anything, st.booleans())
def test_no_speech_is_left_out(hops: Hops, finished: bool) -> None:
    covered = {
        hop
        for span in closed(run(hops, finished=finished))
        for hop in range(span.start_hop, span.end_hop)
    }
    sure = [probability == 1.0 and voicing == 1.0 for probability, _, voicing in hops]
    for at in range(len(hops) - 2):
        if all(sure[at : at + 3]):
            assert {at, at + 1, at + 2} <= covered


@given(hops_of_anything, st.booleans())
def test_every_span_asks_only_for_audio_that_was_kept(hops: Hops, finished: bool) -> None:
    endpointer = Endpointer(CONFIG)
    kept_from_hop = 0
    longest_hops = CONFIG.hops(CONFIG.max_utterance_ms) + 1

    def check(decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            if isinstance(decision, PartialDue | PauseBegun | Closed):
                assert decision.span.start_hop >= kept_from_hop

    for at, hop in enumerate(hops):
        new = endpointer.push(*hop)
        check(new)
        if VerdictDue() in new:
            check(endpointer.verdict(finished))
        assert kept_from_hop <= endpointer.keep_from_hop <= at + 1
        kept_from_hop = endpointer.keep_from_hop
        assert at + 1 - kept_from_hop <= longest_hops
    check(endpointer.finish())
