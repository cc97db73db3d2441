import itertools
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.speech import CodedSpeech, word_text


def reference(speech: CodedSpeech) -> list[int]:
    """All samples, by the definition."""
    samples = [0] * speech.length_samples
    for number, word in enumerate(speech.words()):
        samples[word.start_sample : word.end_sample] = [number + 1] * (
            word.end_sample - word.start_sample
        )
    return samples


def test_words_and_pauses_are_as_long_as_asked_for() -> None:
    speech = CodedSpeech(60, seed=1)
    words = speech.words()
    assert {word.end_sample - word.start_sample for word in words} == {4000}
    follows = [b.start_sample - a.end_sample for a, b in itertools.pairwise(words)]
    assert set(follows) == {0, 6400}
    assert set(speech.sentence_lengths) <= set(range(1, 9))
    assert len(set(speech.sentence_lengths)) > 3
    assert 0 <= speech.length_samples - words[-1].end_sample < 6400 + 4000


def test_text_is_the_words_in_order() -> None:
    speech = CodedSpeech(10, seed=2)
    assert speech.expected_words[:3] == ("w0", "w1", "w2")
    assert speech.expected_text.split() == list(speech.expected_words)
    assert " ".join(speech.expected_sentences) == speech.expected_text
    assert [len(s.split()) for s in speech.expected_sentences] == speech.sentence_lengths
    assert [word.text for word in speech.words()] == list(speech.expected_words)
    assert len(speech.expected_words) == speech.word_count


def test_seed_decides_the_sentences() -> None:
    assert CodedSpeech(60, seed=3).sentence_lengths == CodedSpeech(60, seed=3).sentence_lengths
    assert CodedSpeech(60, seed=3).sentence_lengths != CodedSpeech(60, seed=4).sentence_lengths


def test_words_that_have_ended() -> None:
    speech = CodedSpeech(2, words_per_sentence=(4, 4))
    assert speech.words(0.24) == ()
    assert [word.text for word in speech.words(0.25)] == ["w0"]
    assert [word.text for word in speech.words(1.2)] == ["w0", "w1", "w2", "w3"]


@given(
    seed=st.integers(0, 99),
    length_s=st.floats(0, 3),
    cuts=st.lists(st.integers(0, 30000), max_size=12),
)
def test_any_ranges_together_are_the_whole(seed: int, length_s: float, cuts: list[int]) -> None:
    speech = CodedSpeech(length_s, seed, word_s=0.05, pause_s=0.03, sample_rate_hz=8000)
    edges = sorted({0, speech.length_samples, *(min(c, speech.length_samples) for c in cuts)})
    parts = [speech.pcm(a, b) for a, b in itertools.pairwise(edges)]
    assert np.frombuffer(b"".join(parts), dtype="<i2").tolist() == reference(speech)


def test_nothing_follows_the_end() -> None:
    speech = CodedSpeech(1)
    assert len(speech.pcm(15_000, 20_000)) == 2 * 1000
    assert speech.pcm(16_000, 20_000) == b""
    assert speech.pcm(18_000, 20_000) == b""
    assert CodedSpeech(0).pcm(0, 10) == b""


def test_frames_are_all_of_it() -> None:
    speech = CodedSpeech(2.05)
    frames = list(speech.frames())
    assert [frame.start_sample for frame in frames] == list(range(0, 32_800, 1600))
    assert b"".join(frame.pcm for frame in frames) == speech.pcm(0, speech.length_samples)
    assert next(speech.frames(start_sample=7)).pcm == speech.pcm(7, 1607)


def test_any_sample_tells_its_word() -> None:
    speech = CodedSpeech(30, seed=5)
    for word in speech.words():
        at = random.Random(word.start_sample).randrange(word.start_sample, word.end_sample)
        (value,) = np.frombuffer(speech.pcm(at, at + 1), dtype="<i2").tolist()
        assert word_text(value) == word.text


def test_more_words_than_values_are_refused() -> None:
    with pytest.raises(ValueError, match="can be told apart"):
        CodedSpeech(8 * 3600)


def test_eight_hours_need_little_memory() -> None:
    tracemalloc.start()
    try:
        speech = CodedSpeech(8 * 3600, word_s=0.5, pause_s=2.5)
        assert speech.word_count > 20_000
        for start in range(0, speech.length_samples, 100 * 16_000):
            speech.pcm(start, start + 1600)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000_000
