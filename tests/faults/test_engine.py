import asyncio
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.engine.port import Engine, EngineStream
from sayd_cli.errors import SaydError
from sayd_cli.model.events import Final, Partial
from tests.faults.engine import EVENTS_MAX, CodedEngine, Decoding, Known
from tests.faults.speech import CodedSpeech

LIMIT_S = 20


def decoded(*parts: bytes, rate_hz: int = 16_000) -> list[Known]:
    decoding = Decoding(0.25, 0.4, rate_hz)
    return [known for part in parts for known in decoding.take(part)] + decoding.finish()


def finals(known: list[Known]) -> list[str]:
    return [one.event.text for one in known if isinstance(one.event, Final)]


def words(known: list[Known]) -> list[str]:
    return " ".join(finals(known)).split()


async def heard(stream: EngineStream, *parts: bytes) -> list[Partial | Final]:
    async def feed() -> None:
        for part in parts:
            await stream.feed(part)
        await stream.finish()

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(feed())
        return [event async for event in stream.events()]


def test_it_fits_the_port() -> None:
    engine: Engine = CodedEngine()
    stream: EngineStream = engine.open_stream(16_000)
    assert stream


@given(seed=st.integers(0, 999), length_s=st.floats(0, 12), rate_hz=st.sampled_from([8000, 16000]))
def test_undisturbed_speech_is_heard_word_for_word(
    seed: int, length_s: float, rate_hz: int
) -> None:
    speech = CodedSpeech(length_s, seed, sample_rate_hz=rate_hz)
    draw = random.Random(seed)
    parts: list[bytes] = []
    start = 0
    while start < speech.length_samples:
        end = start + draw.randint(1, 4000)
        parts.append(speech.pcm(start, end))
        start = end
    known = decoded(*parts, rate_hz=rate_hz)
    assert tuple(finals(known)) == speech.expected_sentences
    ends = [word.end_sample / rate_hz for word in speech.words()]
    starts = [word.start_sample / rate_hz for word in speech.words()]
    first = 0
    for one in known:
        if isinstance(one.event, Final):
            count = len(one.event.text.split())
            assert one.event.start_s == starts[first]
            assert one.event.end_s == ends[first + count - 1]
            first += count
    partials = [one.event for one in known if isinstance(one.event, Partial)]
    assert [partial.end_s for partial in partials] == ends


def test_cutting_does_not_change_what_is_heard() -> None:
    speech = CodedSpeech(20, seed=1)
    whole = decoded(speech.pcm(0, speech.length_samples))
    assert whole == decoded(*(frame.pcm for frame in speech.frames()))
    assert whole == decoded(*(frame.pcm for frame in speech.frames(frame_ms=1)))


def test_a_word_is_heard_when_it_has_passed_and_a_sentence_after_half_a_pause() -> None:
    speech = CodedSpeech(3, words_per_sentence=(2, 2))
    known = decoded(*(frame.pcm for frame in speech.frames(frame_ms=10)))
    assert [(type(one.event), one.event.text, one.at_sample) for one in known[:3]] == [
        (Partial, "w0", 4000),
        (Partial, "w0 w1", 8000),
        (Final, "w0 w1", 8000 + 3200),
    ]


def test_the_last_word_is_heard_at_the_end() -> None:
    speech = CodedSpeech(1, words_per_sentence=(4, 4))
    assert speech.words()[-1].end_sample == speech.length_samples
    assert words(decoded(speech.pcm(0, speech.length_samples))) == ["w0", "w1", "w2", "w3"]


def test_a_fragment_counts_as_its_word_from_half_of_it_on() -> None:
    speech = CodedSpeech(1, words_per_sentence=(4, 4))
    assert words(decoded(speech.pcm(2000, 16_000)))[0] == "w0"
    assert words(decoded(speech.pcm(2001, 16_000)))[0] == "w1"
    assert words(decoded(speech.pcm(0, 14_000)))[-1] == "w3"
    assert words(decoded(speech.pcm(0, 13_999)))[-1] == "w2"


def test_loss_and_doubling_show() -> None:
    speech = CodedSpeech(1, words_per_sentence=(4, 4))
    gap = decoded(speech.pcm(0, 4000), speech.pcm(8000, 16_000))
    assert words(gap) == ["w0", "w2", "w3"]
    again = decoded(speech.pcm(0, 8000), speech.pcm(4000, 16_000))
    assert words(again) == ["w0", "w1", "w1", "w2", "w3"]
    back = decoded(speech.pcm(0, 8000), speech.pcm(0, 16_000))
    assert words(back) == ["w0", "w1", "w0", "w1", "w2", "w3"]


def test_a_sentence_without_pause_ends_after_15_s() -> None:
    speech = CodedSpeech(40, words_per_sentence=(200, 200))
    known = decoded(*(frame.pcm for frame in speech.frames()))
    assert words(known) == list(speech.expected_words)
    spans = [(one.event.start_s, one.event.end_s) for one in known if isinstance(one.event, Final)]
    assert spans == [(0, 15), (15, 30), (30, 40)]


async def test_a_stream_gives_what_is_decoded() -> None:
    speech = CodedSpeech(30, seed=7)
    engine = CodedEngine()
    stream = engine.open_stream(16_000)
    assert engine.open_now == 1
    events = await heard(stream, *(frame.pcm for frame in speech.frames()))
    assert events == [one.event for one in decoded(speech.pcm(0, speech.length_samples))]
    await stream.close()
    await stream.close()
    assert (engine.opened, engine.open_now) == (1, 0)


async def test_without_times() -> None:
    speech = CodedSpeech(5)
    events = await heard(
        CodedEngine(times=False).open_stream(16_000), speech.pcm(0, speech.length_samples)
    )
    assert {(event.start_s, event.end_s) for event in events} == {(None, None)}
    texts = tuple(event.text for event in events if isinstance(event, Final))
    assert texts == speech.expected_sentences


async def test_finals_are_late_and_the_order_is_kept() -> None:
    speech = CodedSpeech(20, seed=3)
    whole = speech.pcm(0, speech.length_samples)
    prompt = await heard(CodedEngine().open_stream(16_000), whole)
    late = await heard(CodedEngine(delay_s=1.5).open_stream(16_000), whole)
    assert late == prompt

    stream = CodedEngine(delay_s=1.5).open_stream(16_000)
    events = stream.events()
    final_at = next(one.at_sample for one in decoded(whole) if isinstance(one.event, Final))
    due = final_at + 24_000
    await stream.feed(speech.pcm(0, due - 1))
    event = await anext(events)
    while event.text != speech.expected_sentences[0]:
        assert isinstance(event, Partial)
        event = await anext(events)
    following = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not following.done()
    await stream.feed(speech.pcm(due - 1, due))
    assert isinstance(await asyncio.wait_for(following, LIMIT_S), Final)
    await stream.close()


async def test_a_slow_engine_takes_its_time() -> None:
    speech = CodedSpeech(10)
    start_s = time.monotonic()
    await heard(
        CodedEngine(speed=40).open_stream(16_000), *(frame.pcm for frame in speech.frames())
    )
    assert time.monotonic() - start_s >= 0.24


async def test_it_breaks_when_told_to() -> None:
    speech = CodedSpeech(20)
    stream = CodedEngine(fail_every=2).open_stream(16_000)
    await stream.feed(speech.pcm(0, speech.length_samples))
    heard_texts: list[str] = []

    async def listen() -> None:
        async for event in stream.events():
            if isinstance(event, Final):
                heard_texts.append(event.text)

    with pytest.raises(SaydError, match="broke"):
        await listen()
    assert tuple(heard_texts) == speech.expected_sentences[:2]
    await stream.close()


async def test_feeding_waits_while_nobody_takes_what_is_heard() -> None:
    speech = CodedSpeech(800)
    stream = CodedEngine().open_stream(16_000)

    async def feed() -> None:
        for frame in speech.frames(frame_ms=1000):
            await stream.feed(frame.pcm)
        await stream.finish()

    feeding = asyncio.create_task(feed())
    for _ in range(2000):
        await asyncio.sleep(0)
    assert not feeding.done()
    events = [event async for event in stream.events()]
    await feeding
    assert len(events) > EVENTS_MAX
    texts = tuple(event.text for event in events if isinstance(event, Final))
    assert texts == speech.expected_sentences
    await stream.close()


async def test_closing_ends_who_feeds_and_who_listens() -> None:
    speech = CodedSpeech(800)
    stream = CodedEngine().open_stream(16_000)
    feeding = asyncio.create_task(stream.feed(speech.pcm(0, speech.length_samples)))
    await asyncio.sleep(0)
    await stream.close()
    await asyncio.wait_for(feeding, LIMIT_S)
    assert [event async for event in stream.events()] == []


async def test_an_hour_is_heard_in_seconds() -> None:
    speech = CodedSpeech(3600, seed=9)
    start_s = time.monotonic()
    events = await heard(
        CodedEngine().open_stream(16_000), *(frame.pcm for frame in speech.frames())
    )
    assert time.monotonic() - start_s < 30
    texts = tuple(event.text for event in events if isinstance(event, Final))
    assert texts == speech.expected_sentences
