"""Real speech through the real engine."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from sayd_cli.engine.embedded import EmbeddedEngine
from sayd_cli.model.events import Final, Partial
from tests.engine.listening import Heard, collect, hear
from tests.engine.references import BECKETT, TWO_CITIES
from tests.engine.signals import at_level, pcm16, speech, white_noise
from tests.engine.wer import normalized_words, word_error_rate, word_errors

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("sample_rate_hz", "gain_db", "limit"),
    [(16000, 0, 0.08), (8000, 0, 0.09), (16000, -40, 0.09), (16000, 25, 0.09)],
)
async def test_a_recording_is_heard_at_every_rate_and_level(
    engine: EmbeddedEngine, sample_rate_hz: int, gain_db: float, limit: float
) -> None:
    samples = speech("two_cities.wav", sample_rate_hz)
    heard = await hear(engine, pcm16(samples, gain_db), sample_rate_hz)
    assert word_error_rate(TWO_CITIES, heard.text) < limit
    # A sound of the room at 43 s, which the model alone takes for a word.
    assert "you" not in normalized_words(heard.text)
    check_order(heard, len(samples) / sample_rate_hz)


@pytest.mark.parametrize("gain_db", [0, -40])
async def test_short_sentences_are_heard(engine: EmbeddedEngine, gain_db: float) -> None:
    samples = speech("beckett.wav", 16000)
    heard = await hear(engine, pcm16(samples, gain_db))
    assert word_errors(BECKETT, heard.text) <= 2
    assert len(heard.finals) == 6
    wanted_s = [(0.35, 1.2), (1.9, 2.8), (3.5, 4.2), (4.9, 5.6), (6.65, 7.4), (8.15, 8.9)]
    for final, (start_s, end_s) in zip(heard.finals, wanted_s, strict=True):
        assert final.start_s == pytest.approx(start_s, abs=0.3)
        assert final.end_s == pytest.approx(end_s, abs=0.3)


def check_order(heard: Heard, length_s: float) -> None:
    assert [final.index for final in heard.finals] == list(range(len(heard.finals)))
    for final in heard.finals:
        assert final.start_s is not None
        assert final.end_s is not None
        assert 0 <= final.start_s <= final.end_s <= length_s
        assert final.text == final.text.strip() != ""
    for earlier, later in pairwise(heard.finals):
        assert earlier.end_s is not None
        assert later.start_s is not None
        assert earlier.end_s <= later.start_s
    last_end_s = 0.0
    for event in heard.events:
        assert event.start_s is not None
        assert event.end_s is not None
        assert event.start_s >= last_end_s or not event.text
        if isinstance(event, Final):
            last_end_s = event.end_s


async def test_interim_text_comes_before_its_final(engine: EmbeddedEngine) -> None:
    heard = await hear(engine, pcm16(speech("two_cities.wav", 16000)[: 16000 * 9]))
    assert isinstance(heard.events[0], Partial)
    assert isinstance(heard.events[-1], Final)


@pytest.mark.parametrize("sample_rate_hz", [16000, 8000])
async def test_the_chunking_does_not_matter(engine: EmbeddedEngine, sample_rate_hz: int) -> None:
    pcm = pcm16(speech("beckett.wav", sample_rate_hz))
    whole = await hear(engine, pcm, sample_rate_hz, chunk_ms=len(pcm) // 16 + 1)
    assert (await hear(engine, pcm, sample_rate_hz, chunk_ms=7)).finals == whole.finals
    assert (await hear(engine, pcm, sample_rate_hz, chunk_ms=250)).finals == whole.finals


async def test_the_same_audio_gives_the_same_words_every_time(engine: EmbeddedEngine) -> None:
    # At 8 kHz, where it is resampled: a resampler that dithers at random moved doubtful words.
    pcm = pcm16(speech("two_cities.wav", 8000)[: 8000 * 20])
    texts = {(await hear(engine, pcm, 8000)).text for _ in range(3)}
    assert len(texts) == 1


async def test_two_streams_do_not_disturb_each_other(engine: EmbeddedEngine) -> None:
    recordings = [
        pcm16(speech("two_cities.wav", 16000)[: 16000 * 10]),
        pcm16(speech("endgame_nagg_nell.wav", 16000)[: 16000 * 10]),
    ]
    alone = [(await hear(engine, pcm)).finals for pcm in recordings]
    streams = [engine.open_stream(16000) for _ in recordings]
    listening = [asyncio.create_task(collect(stream)) for stream in streams]
    for at in range(0, len(recordings[0]), 3200):
        for stream, pcm in zip(streams, recordings, strict=True):
            await stream.feed(pcm[at : at + 3200])
    for stream in streams:
        await stream.finish()
    together = [(await task).finals for task in listening]
    for stream in streams:
        await stream.close()
    assert alone[0]
    assert together == alone


@pytest.mark.parametrize("sample_rate_hz", [16000, 8000])
async def test_the_last_word_is_heard_without_silence_after_it(
    engine: EmbeddedEngine, sample_rate_hz: int
) -> None:
    # "Fail better." ends at 8.9 s; the cut is at 8.8 s, inside its last sound.
    samples = speech("beckett.wav", sample_rate_hz)[: int(8.8 * sample_rate_hz)]
    heard = await hear(engine, pcm16(samples), sample_rate_hz)
    assert normalized_words(heard.text)[-1].startswith(("bet", "bat"))
    check_order(heard, 8.8)


async def test_a_recording_that_ends_in_mid_sentence(engine: EmbeddedEngine) -> None:
    # "... It was the age of wisdom" ends at 6.3 s.
    heard = await hear(engine, pcm16(speech("two_cities.wav", 16000)[: int(6.2 * 16000)]))
    assert normalized_words(heard.text)[-1] == "wisdom"


async def test_one_short_word_is_heard(engine: EmbeddedEngine) -> None:
    yes = speech("endgame_nagg_nell.wav", 16000)[int(1.5 * 16000) : int(1.9 * 16000)]
    heard = await hear(engine, pcm16(yes))
    assert normalized_words(heard.text) == ["yes"]


async def test_speech_above_noise_is_heard(engine: EmbeddedEngine) -> None:
    import numpy as np

    samples = speech("beckett.wav", 16000)
    noise = np.frombuffer(at_level(white_noise(len(samples)), -60), "<i2") / 32768
    heard = await hear(engine, pcm16(samples + noise))
    assert word_errors(BECKETT, heard.text) <= 3


async def test_a_quiet_voice_is_heard_after_a_loud_one(engine: EmbeddedEngine) -> None:
    samples = speech("beckett.wav", 16000)
    loud, quiet = pcm16(samples, 10), pcm16(samples, -30)
    heard = await hear(engine, loud + bytes(32000) + quiet)
    assert word_errors(f"{BECKETT} {BECKETT}", heard.text) <= 6


async def test_unbroken_speech_is_cut_and_loses_no_word(engine: EmbeddedEngine) -> None:
    # 24 s of speech whose pauses are too short to end an utterance.
    import numpy as np

    samples = speech("two_cities.wav", 16000)
    spans_s = [(1.2, 4.65), (5.0, 8.3), (8.8, 10.4), (10.75, 12.9), (13.4, 16.8), (17.5, 20.6)]
    spans_s += [(21.2, 24.1), (24.6, 26.15), (26.5, 28.4)]
    joined = np.concatenate([samples[int(a * 16000) : int(b * 16000)] for a, b in spans_s])
    heard = await hear(engine, pcm16(joined))
    said = TWO_CITIES.partition("\u2014")[0]
    assert len(heard.finals) >= 2
    assert word_error_rate(said, heard.text) < 0.15
