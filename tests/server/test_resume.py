from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from sayd_cli.audio.codec import Packer
from sayd_cli.history.store import SessionStore
from sayd_cli.model.audio import Codec, Frame
from sayd_cli.model.events import Final
from sayd_cli.model.session import SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.server.embedded import EMBEDDED_LIMITS, EmbeddedServer
from sayd_cli.server.limits import Limits
from tests.server.running import (
    END,
    KEEPALIVE,
    KEY,
    OTHER_KEY,
    Heard,
    audio,
    client,
    closing,
    created,
    eventually,
    record,
    rest_of,
    running,
    said,
    stream,
    until,
)
from tests.server.scripted_engine import ScriptedEngine


def noise(duration_s: float, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(2 * round(duration_s * 16000))


def messages(pcm: bytes, step_bytes: int = 3200) -> list[bytes]:
    return [pcm[at : at + step_bytes] for at in range(0, len(pcm), step_bytes)]


async def fed(engine: ScriptedEngine, samples: int) -> None:
    await eventually(lambda: engine.streams and engine.streams[-1].fed_bytes == 2 * samples)


@asynccontextmanager
async def begun(
    url: str, engine: ScriptedEngine, sent: Iterable[bytes], fed_samples: int
) -> AsyncIterator[ClientConnection]:
    """A stream on which so much was sent, and fed to the engine."""
    async with stream(url) as connection:
        await until(connection, "ready")
        for message in sent:
            await connection.send(message)
        await fed(engine, fed_samples)
        yield connection


class Vanished(logging.Handler):
    """Which sessions the server waits for, as it says itself."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "vanished" in record.getMessage():
            assert isinstance(record.args, tuple)
            self.sessions.append(str(record.args[0]))


@contextmanager
def watched() -> Iterator[Vanished]:
    logger = logging.getLogger("sayd_cli.server.streams")
    before, vanished = logger.level, Vanished()
    logger.setLevel(logging.INFO)
    logger.addHandler(vanished)
    try:
        yield vanished
    finally:
        logger.removeHandler(vanished)
        logger.setLevel(before)


async def cut_after(
    url: str,
    engine: ScriptedEngine,
    sent: Iterable[bytes],
    fed_samples: int,
    *,
    sentences: int = 0,
    noticed: bool = True,
) -> None:
    """Send so much, hear so many sentences, and vanish without a word; return when the server
    knows, or before it does.

    A client that is back at once is quicker than the server's end of its last connection.
    """
    with watched() as vanished:
        async with begun(url, engine, sent, fed_samples) as connection:
            for _ in range(sentences):
                await until(connection, "sentence")
            connection.transport.abort()
        if noticed:
            await eventually(lambda: vanished.sessions)


def indices(heard: Heard) -> list[int]:
    return [message["index"] for message in heard.of("sentence")]


class TestWithHave:
    @pytest.mark.parametrize("noticed", [True, False])
    @pytest.mark.parametrize("have", [0, 1, 2])
    async def test_a_client_that_was_cut_off_goes_on_where_it_was(
        self, have: int, noticed: bool
    ) -> None:
        engine = ScriptedEngine(keep_audio=True)
        pcm = noise(7.25)
        async with running(engine) as base_url:
            session = await created(base_url)
            url = session["websocket_url"]
            sent = messages(pcm[:160_000])
            await cut_after(url, engine, sent, 80_000, sentences=have, noticed=noticed)
            heard = await said(f"{url}&have={have}", *messages(pcm[160_000:]), END)
            found = await record(base_url, session["session_id"])
        assert heard.messages[0] == {"type": "ready", "resume_s": 30.0, "received_samples": 80_000}
        assert indices(heard) == list(range(have, 4))
        assert heard.texts == engine.texts(7.25)[have:]
        assert heard.messages[-1] == {"type": "complete", "duration_ms": 7250, "sentences": 4}
        assert heard.close_code == 1000
        assert [row["text"] for row in found["transcripts"]] == engine.texts(7.25)
        assert len(engine.streams) == 1
        assert bytes(engine.streams[0].heard) == pcm

    async def test_every_sentence_that_was_missed_comes_in_order_however_many(self) -> None:
        engine = ScriptedEngine(words_per_second=10, words_per_sentence=1)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, audio(20), 320_000, sentences=200)
            for have in (0, 150, 195, 200):
                async with stream(f"{url}&have={have}") as connection:
                    await until(connection, "ready")
                    for index in range(have, 200):
                        sentence = await until(connection, "sentence")
                        assert sentence["index"] == index
                        assert sentence["text"] == f"word{index}."
                        assert sentence["start"] == pytest.approx(index / 10)
                        assert sentence["end"] == pytest.approx((index + 1) / 10)
                        assert sentence["language"] == "en"
            heard = await said(f"{url}&have=200", END)
        assert heard.kinds == ["ready", "complete"]
        assert heard.messages[-1]["sentences"] == 200

    async def test_what_is_heard_while_nobody_listens_is_kept(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(feed_gate=gate)
        async with running(engine) as base_url:
            session = await created(base_url)
            async with stream(session["websocket_url"]) as connection:
                await until(connection, "ready")
                await connection.send(bytes(4 * 32_000))
                # The second waits in the server: what is counted is fed, however late.
                await connection.send(bytes(2 * 32_000))
                await asyncio.wait_for(await connection.ping(), 5)
                connection.transport.abort()
            async with stream(session["websocket_url"] + "&have=0") as connection:
                ready = await until(connection, "ready")
                assert ready["received_samples"] == 64_000
                connection.transport.abort()
            gate.set()
            await fed(engine, 64_000)
            await eventually(lambda: engine.streams[0].events_left == 0)
            found = await record(base_url, session["session_id"])
            heard = await said(session["websocket_url"] + "&have=1", END)
        assert [row["text"] for row in found["transcripts"]] == engine.texts(4)
        assert heard.texts == engine.texts(4)[1:]

    async def test_interim_text_that_became_a_sentence_does_not_come_again(self) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, audio(4), 64_000, sentences=2)
            heard = await said(f"{url}&have=1", END)
        assert heard.kinds == ["ready", "sentence", "complete"]

    async def test_interim_text_that_is_none_yet_does(self) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, audio(5), 80_000, sentences=2)
            async with stream(f"{url}&have=2") as connection:
                await until(connection, "ready")
                assert (await until(connection, "partial"))["text"] == "word8 word9"

    async def test_a_number_that_cannot_be_is_taken_for_all_there_are(self) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"] + "&have=7"
            heard = await said(url, *audio(4), END)
        assert heard.texts == engine.texts(4)

    @pytest.mark.parametrize("have", ["", "-1", "x", "1.5", "9" * 5000, "%D9%A3"])
    async def test_what_is_no_number_is_refused(self, have: str) -> None:
        async with running(ScriptedEngine()) as base_url:
            url = (await created(base_url))["websocket_url"]
            heard = await said(f"{url}&have={have}")
            assert (heard.kinds, heard.close_code) == (["error"], 1008)
            assert "have" in heard.messages[0]["message"]
            assert (await said(url, END)).close_code == 1000

    async def test_again_and_again(self) -> None:
        engine = ScriptedEngine(keep_audio=True)
        generator = random.Random(7)
        pcm = noise(20)
        got: dict[int, str] = {}
        async with running(engine) as base_url:
            session = await created(base_url)
            sent = 0
            while sent < len(pcm):
                async with stream(f"{session['websocket_url']}&have={len(got)}") as connection:
                    ready = await until(connection, "ready")
                    at = ready["received_samples"] * 2
                    assert at <= sent
                    sent = min(len(pcm), at + 2 * generator.randrange(1600, 32_000))
                    for message in messages(pcm[at:sent], 1000):
                        await connection.send(message)
                    if generator.random() < 0.5 and len(engine.texts(sent / 32_000)) > len(got) + 1:
                        sentence = await until(connection, "sentence")
                        assert sentence["index"] == len(got)
                        got[sentence["index"]] = sentence["text"]
                    if generator.random() < 0.7:
                        connection.transport.abort()
            async with stream(f"{session['websocket_url']}&have={len(got)}") as connection:
                ready = await until(connection, "ready")
                for message in messages(pcm[ready["received_samples"] * 2 :]):
                    await connection.send(message)
                await connection.send(END)
                heard = await rest_of(connection)
        for row in heard.of("sentence"):
            assert row["index"] == len(got)
            got[row["index"]] = row["text"]
        assert list(got.values()) == engine.texts(20)
        assert heard.messages[-1]["sentences"] == len(got)
        assert bytes(engine.streams[0].heard) == pcm


class TestTakeover:
    @pytest.mark.parametrize("have", ["", "&have=0"])
    async def test_the_newer_connection_wins(self, have: str) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with (
                begun(url, engine, audio(1), 16_000) as first,
                stream(url + have) as second,
            ):
                ready = await until(second, "ready")
                assert ready["received_samples"] == 16_000
                old = await rest_of(first)
                for message in messages(noise(3)):
                    await second.send(message)
                await second.send(END)
                heard = await rest_of(second)
        assert old.kinds[-1] == "error"
        assert "newer" in old.messages[-1]["message"]
        assert old.close_code == 1008
        assert heard.messages[-1]["duration_ms"] == 4000
        assert heard.texts == engine.texts(4)

    async def test_of_a_connection_that_says_and_reads_nothing_any_more(self) -> None:
        # Every word makes a longer interim text: more than any socket buffer holds.
        engine = ScriptedEngine(words_per_second=2000, words_per_sentence=2000)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with begun(url, engine, messages(noise(1.9)), 30_400) as first:
                first.transport.pause_reading()
                async with asyncio.timeout(5):
                    heard = await said(f"{url}&have=0", *messages(noise(0.6)), END)
                assert heard.texts == engine.texts(2.5)
                first.transport.abort()

    async def test_while_the_engine_is_busy_with_the_older_ones_audio(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(feed_gate=gate)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with stream(url) as first:
                await until(first, "ready")
                for message in audio(3):
                    await first.send(message)
                await asyncio.sleep(0.1)
                async with stream(f"{url}&have=0") as second:
                    taken = (await until(second, "ready"))["received_samples"]
                    assert 0 < taken < 48_000
                    for message in messages(bytes(2 * (48_000 - taken))):
                        await second.send(message)
                    await second.send(END)
                    gate.set()
                    heard = await rest_of(second)
        assert heard.messages[-1]["duration_ms"] == 3000
        assert engine.streams[0].fed_bytes == 96_000

    async def test_while_the_engine_loads(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(start_gate=gate)
        async with EmbeddedServer(engine) as server:
            url = (await created(server.base_url, server.key.reveal()))["websocket_url"]
            async with stream(url) as first, stream(url) as second, stream(url) as third:
                for older in (first, second):
                    assert (await rest_of(older)).close_code == 1008
                gate.set()
                await until(third, "ready")
                await third.send(END)
                assert (await rest_of(third)).close_code == 1000
        assert len(engine.streams) == 1

    async def test_nobody_elses_key_takes_a_stream_over(self) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with begun(url, engine, audio(1), 16_000) as connection:
                theirs = await said(url.replace(KEY, OTHER_KEY) + "&have=0")
                assert (theirs.kinds, theirs.close_code) == (["error"], 1008)
                await connection.send(END)
                assert (await rest_of(connection)).close_code == 1000


class TestWithoutHave:
    @pytest.mark.parametrize("resent_samples", [0, 1, 1600, 1601, 40_000, 79_999, 80_000])
    async def test_what_is_resent_is_heard_once(self, resent_samples: int) -> None:
        engine = ScriptedEngine(keep_audio=True)
        pcm = noise(8)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, messages(pcm[:160_000]), 80_000)
            again = messages(pcm[160_000 - 2 * resent_samples :], 2222)
            heard = await said(url, *again, END)
        assert bytes(engine.streams[0].heard) == pcm
        assert heard.messages[-1]["duration_ms"] == 8000

    async def test_only_what_could_not_be_sent_before_is_sent(self) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with stream(url) as connection:
                await until(connection, "ready")
                for message in audio(5):
                    await connection.send(message)
                for _ in range(2):
                    await until(connection, "sentence")
                connection.transport.abort()
            # Audio that was not read yet goes with a connection that is reset: ``ready`` tells.
            async with stream(url) as connection:
                ready = await until(connection, "ready")
                for message in messages(noise(7.25 - ready["received_samples"] / 16_000)):
                    await connection.send(message)
                await connection.send(END)
                heard = await rest_of(connection)
        assert heard.texts == engine.texts(7.25)[2:]

    async def test_speech_between_silences(self) -> None:
        engine = ScriptedEngine(keep_audio=True)
        speech = [noise(1, seed) for seed in range(4)]
        pause = bytes(32_000)
        first = speech[0] + pause + speech[1] + pause * 2
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, messages(first), len(first) // 2)
            # From the middle of the first pause on.
            begin = len(speech[0]) + 16_000
            resent = first[begin:] + speech[2] + pause + speech[3]
            await said(url, *messages(resent, 4444), END)
        assert bytes(engine.streams[0].heard) == first + speech[2] + pause + speech[3]

    async def test_silence_after_silence_costs_silence_only(self) -> None:
        engine = ScriptedEngine(keep_audio=True)
        first = noise(1, 1) + bytes(32_000)
        new = bytes(64_000) + noise(1, 2)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, messages(first), 32_000)
            heard = await said(url, *messages(new), END)
        assert bytes(engine.streams[0].heard) == first + bytes(32_000) + noise(1, 2)
        assert heard.messages[-1]["duration_ms"] == 4000

    @pytest.mark.parametrize("in_flight", [b"", noise(0.1, 3)])
    async def test_silence_that_is_held_back_is_fed_at_the_end(self, in_flight: bytes) -> None:
        engine = ScriptedEngine(keep_audio=True)
        first = bytes(64_000) + noise(1) + bytes(16_000)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, messages(first), len(first) // 2)
            heard = await said(url, *messages(bytes(48_000)), END, *messages(in_flight))
        assert bytes(engine.streams[0].heard) == first + bytes(32_000) + in_flight
        assert heard.close_code == 1000

    async def test_a_repetition_that_breaks_off_is_forgotten(self) -> None:
        engine = ScriptedEngine(keep_audio=True)
        pcm = noise(6)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            await cut_after(url, engine, messages(pcm[:160_000]), 80_000)
            async with stream(url) as connection:
                await until(connection, "ready")
                for message in messages(pcm[32_000:96_000]):
                    await connection.send(message)
            await said(url, *messages(pcm[16_000:]), END)
        assert bytes(engine.streams[0].heard) == pcm


class TestAfterEnd:
    @pytest.mark.parametrize("have", [0, 1, 3])
    async def test_a_client_that_missed_the_end_is_told_it_again(self, have: int) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            session = await created(base_url)
            url = session["websocket_url"]
            async with begun(url, engine, audio(5), 80_000) as connection:
                await connection.send(END)
                await eventually(lambda: engine.streams[0].closed)
                connection.transport.abort()
            for _ in range(2):
                heard = await said(f"{url}&have={have}")
                assert heard.kinds == ["ready"] + ["sentence"] * (3 - have) + ["complete"]
                assert heard.texts == engine.texts(5)[have:]
                assert heard.messages[0]["received_samples"] == 80_000
                assert heard.messages[-1] == {
                    "type": "complete",
                    "duration_ms": 5000,
                    "sentences": 3,
                }
                assert heard.close_code == 1000
            found = await record(base_url, session["session_id"])
        assert [row["text"] for row in found["transcripts"]] == engine.texts(5)

    async def test_while_the_rest_is_still_transcribed(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(feed_gate=gate)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with stream(url) as connection:
                await until(connection, "ready")
                await connection.send(bytes(160_000))
                await connection.send(END)
                await asyncio.wait_for(await connection.ping(), 5)
                await asyncio.sleep(0.2)
                connection.transport.abort()
            async with stream(f"{url}&have=0") as connection:
                assert (await until(connection, "ready"))["received_samples"] == 80_000
                # As a client does that does not know what arrived.
                for message in [*closing(*audio(1)), END, KEEPALIVE]:
                    await connection.send(message)
                await asyncio.wait_for(await connection.ping(), 5)
                gate.set()
                heard = await rest_of(connection)
        assert heard.texts == engine.texts(5)
        assert heard.messages[-1]["duration_ms"] == 5000
        assert engine.streams[0].fed_bytes == 160_000

    async def test_without_have_what_could_not_be_sent_is_sent_once(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(feed_gate=gate)
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with stream(url) as connection:
                await until(connection, "ready")
                await connection.send(bytes(160_000))
                await connection.send(END)
                await asyncio.wait_for(await connection.ping(), 5)
                await asyncio.sleep(0.2)
                connection.transport.abort()
            await asyncio.sleep(0.1)
            gate.set()
            await eventually(lambda: engine.streams[0].closed)
            heard = await said(url)
            again = await said(url)
        assert heard.texts == engine.texts(5)
        assert heard.close_code == 1000
        assert (again.kinds, again.close_code) == (["error"], 1008)

    async def test_how_a_stream_failed_is_told_again_too(self) -> None:
        engine = ScriptedEngine()
        async with running(engine) as base_url:
            url = (await created(base_url))["websocket_url"]
            heard = await said(url, *audio(3), '{"type":"stop"}')
            again = await said(f"{url}&have=1")
        assert again.messages[1:] == heard.messages[-2:]
        assert again.kinds == ["ready", "sentence", "error"]
        assert again.close_code == heard.close_code == 1008


class TestExpiry:
    @pytest.mark.parametrize("have", ["", "&have=0"])
    async def test_who_does_not_come_back_in_time_finds_it_over(self, have: str) -> None:
        engine = ScriptedEngine()
        async with running(engine, limits=Limits(resume_s=0.2)) as base_url:
            session = await created(base_url)
            url = session["websocket_url"]
            await cut_after(url, engine, audio(5), 80_000)
            assert not engine.streams[0].finished
            await eventually(lambda: engine.streams[0].closed)
            heard = await said(url + have)
            found = await record(base_url, session["session_id"])
        assert (heard.kinds, heard.close_code) == (["error"], 1008)
        assert "over" in heard.messages[0]["message"]
        assert [row["text"] for row in found["transcripts"]] == engine.texts(5)
        assert found["duration_ms"] == 5000

    async def test_a_finished_stream_is_forgotten_too(self) -> None:
        async with running(ScriptedEngine(), limits=Limits(resume_s=0.2)) as base_url:
            url = (await created(base_url))["websocket_url"] + "&have=0"
            await said(url, *audio(3), END)
            codes = []
            for _ in range(20):
                await asyncio.sleep(0.3)  # To ask is to be there: the time begins again.
                codes.append((await said(url)).close_code)
                if codes[-1] == 1008:
                    break
            assert codes[-1] == 1008

    async def test_who_came_back_has_all_the_time_again(self) -> None:
        engine = ScriptedEngine()
        async with running(engine, limits=Limits(resume_s=0.4)) as base_url:
            url = (await created(base_url))["websocket_url"] + "&have=0"
            await cut_after(url, engine, audio(1), 16_000)
            async with stream(url) as connection:
                await until(connection, "ready")
                await asyncio.sleep(0.8)
                assert not engine.streams[0].finished
                await connection.send(END)
                assert (await rest_of(connection)).close_code == 1000

    async def test_while_the_rest_is_transcribed_it_is_over_already(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(feed_gate=gate)
        async with running(engine, limits=Limits(resume_s=0.1)) as base_url:
            session = await created(base_url)
            async with stream(session["websocket_url"]) as connection:
                await until(connection, "ready")
                await connection.send(bytes(160_000))
                await asyncio.wait_for(await connection.ping(), 5)
                connection.transport.abort()
            await asyncio.sleep(0.4)
            heard = await said(session["websocket_url"] + "&have=0")
            assert (heard.kinds, heard.close_code) == (["error"], 1008)
            gate.set()
            await eventually(lambda: engine.streams[0].closed)
            found = await record(base_url, session["session_id"])
        assert [row["text"] for row in found["transcripts"]] == engine.texts(5)


class TestLimits:
    async def test_who_is_waited_for_does_not_count(self) -> None:
        engine = ScriptedEngine()
        async with running(engine, limits=Limits(streams_per_key=1)) as base_url:
            lost = (await created(base_url))["websocket_url"]
            await cut_after(lost, engine, audio(1), 16_000)
            session = await created(base_url)
            async with begun(session["websocket_url"], engine, audio(1), 16_000) as connection:
                async with client(base_url) as rest:
                    assert (await rest.post("/api/listen", json={})).status_code == 429
                # To go on is to be connected.
                assert (await said(f"{lost}&have=0")).close_code == 1013
                # To take over is not one more.
                async with stream(session["websocket_url"] + "&have=0") as newer:
                    await until(newer, "ready")
                    assert (await rest_of(connection)).close_code == 1008
                    await newer.send(END)
                    assert (await rest_of(newer)).close_code == 1000
            assert (await said(f"{lost}&have=0", END)).close_code == 1000

    async def test_so_many_are_waited_for_and_the_oldest_is_finished(self) -> None:
        engine = ScriptedEngine()
        async with running(engine, limits=Limits(streams_per_key=1)) as base_url:
            urls: list[str] = []

            def closed(count: int) -> bool:
                return sum(stream.closed for stream in engine.streams) == count

            for finished in (0, 0, 1, 2):
                urls.append((await created(base_url))["websocket_url"])
                await cut_after(urls[-1], engine, audio(1), 16_000)
                # The last one too was seen to be gone.
                await eventually(partial(closed, finished))
            assert [stream.closed for stream in engine.streams] == [True, True, False, False]
            assert (await said(f"{urls[0]}&have=0")).close_code == 1008
            assert (await said(f"{urls[3]}&have=0", END)).close_code == 1000

    async def test_what_is_finished_goes_before_who_is_waited_for(self) -> None:
        engine = ScriptedEngine()
        async with running(engine, limits=Limits(streams_per_key=1)) as base_url:
            lost = (await created(base_url))["websocket_url"]
            await cut_after(lost, engine, audio(1), 16_000)
            for _ in range(4):
                url = (await created(base_url))["websocket_url"]
                assert (await said(url, *audio(1), END)).close_code == 1000
            assert not engine.streams[0].closed
            assert (await said(f"{lost}&have=0", END)).close_code == 1000


class TestStopping:
    async def test_streams_that_wait_are_finished_and_kept(self) -> None:
        engine = ScriptedEngine()
        with SessionStore(None) as store:
            async with running(engine, store) as base_url:
                session = await created(base_url)
                unheard = await created(base_url)
                await cut_after(session["websocket_url"], engine, audio(5), 80_000)
                await cut_after(unheard["websocket_url"], engine, [], 0)
                over = (await created(base_url))["websocket_url"]
                await said(over, *audio(1), END)
            found = store.get(session["session_id"])
            assert found is not None
            assert [sentence.text for sentence in found.sentences] == engine.texts(5)
            assert found.summary.duration_s == 5.0
            # Nothing was said on it: it may be used after a restart.
            begun = store.find(unheard["session_id"])
            assert begun is not None
            assert not begun.heard
        assert engine.closed

    async def test_leaving_the_embedded_server_waits_for_nobody(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(feed_gate=gate)
        async with EmbeddedServer(engine) as server:
            assert EMBEDDED_LIMITS.resume_s == 30.0
            for _ in range(2):
                session = await created(server.base_url, server.key.reveal())
                async with stream(session["websocket_url"]) as connection:
                    await until(connection, "ready")
                    for message in audio(1):
                        await connection.send(message)
                    connection.transport.abort()
            finished = (await created(server.base_url, server.key.reveal()))["websocket_url"]
            await said(finished, END)
            async with asyncio.timeout(8):
                await server.__aexit__(None, None, None)
        assert [stream.closed for stream in engine.streams] == [True, True, True]
        assert engine.closed
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    async def test_who_waits_for_the_engine_is_told_that_the_server_stops(self) -> None:
        gate = asyncio.Event()
        engine = ScriptedEngine(start_gate=gate)
        server = EmbeddedServer(engine, replace(EMBEDDED_LIMITS, drain_s=60.0))
        async with server:
            url = (await created(server.base_url, server.key.reveal()))["websocket_url"]
            async with stream(url) as connection:
                leaving = asyncio.create_task(server.__aexit__(None, None, None))
                await asyncio.sleep(0.1)
                gate.set()
                heard = await rest_of(connection)
                async with asyncio.timeout(10):
                    await leaving
        assert (heard.kinds, heard.close_code) == (["error"], 1013)
        assert engine.streams == []

    async def test_the_embedded_server_resumes_as_well(self) -> None:
        engine = ScriptedEngine()
        async with EmbeddedServer(engine, replace(EMBEDDED_LIMITS, drain_s=2.0)) as server:
            url = (await created(server.base_url, server.key.reveal()))["websocket_url"]
            await cut_after(url, engine, audio(3), 48_000)
            heard = await said(f"{url}&have=0", *audio(1), END)
        assert heard.texts == engine.texts(4)


def packets(pcm: bytes) -> list[bytes]:
    packer = Packer(SessionSettings("en", 16000, Codec.OPUS_FS320))
    return [packet.payload for packet in packer.push(Frame(pcm, 0, 16000)) + packer.flush()]


class TestOpus:
    async def test_a_new_encoder_goes_on_at_the_sample(self) -> None:
        engine = ScriptedEngine(keep_audio=True)
        pcm = noise(6)
        first = packets(pcm)[:100]
        async with running(engine) as base_url:
            session = await created(base_url, codec="opus_fs320")
            url = session["websocket_url"]
            taken = 100 * 320 - 104
            await cut_after(url, engine, first, taken)
            async with stream(f"{url}&have=0") as connection:
                assert (await until(connection, "ready"))["received_samples"] == taken
                rest = packets(pcm[2 * taken :])
                for message in closing(*rest):
                    await connection.send(message)
                heard = await rest_of(connection)
        # The second encoder's delay is left out as the first one's was.
        duration = taken + len(rest) * 320 - 104
        assert engine.streams[0].fed_bytes == 2 * duration
        assert 6000 <= heard.messages[-1]["duration_ms"] < 6020

    @pytest.mark.parametrize("resent", [0, 1, 60, 100])
    async def test_the_same_packets_again_are_heard_once(self, resent: int) -> None:
        engine = ScriptedEngine(keep_audio=True)
        whole = ScriptedEngine(keep_audio=True)
        sent = packets(noise(4))
        async with running(whole) as base_url:
            url = (await created(base_url, codec="opus_fs320"))["websocket_url"]
            await said(url, *sent, END)
        async with running(engine) as base_url:
            url = (await created(base_url, codec="opus_fs320"))["websocket_url"]
            await cut_after(url, engine, sent[:100], 100 * 320 - 104)
            await said(url, *sent[100 - resent :], END)
        assert engine.streams[0].heard == whole.streams[0].heard


async def test_interim_texts_that_a_slow_client_does_not_read_replace_each_other() -> None:
    engine = ScriptedEngine(words_per_second=2000, words_per_sentence=2000)
    async with running(engine) as base_url:
        url = (await created(base_url))["websocket_url"]
        async with stream(url) as connection:
            await until(connection, "ready")
            connection.transport.pause_reading()
            for message in messages(noise(1), 16):
                await connection.send(message)
            await fed(engine, 16_000)
            connection.transport.resume_reading()
            await connection.send(END)
            heard = await rest_of(connection)
    assert heard.texts == engine.texts(1)
    # Each of the 2,000 words came in a message of its own, and made an interim text of its own.
    written = sum(len(engine.text(0, words)) for words in range(1, 2000))
    assert written > 15_000_000
    assert sum(len(message["text"]) for message in heard.of("partial")) < written * 2 / 3
    assert heard.messages[-1]["sentences"] == 1


async def test_what_happens_is_logged_without_words_or_keys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sayd_cli.server")
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        url = session["websocket_url"]
        await cut_after(url, engine, audio(3), 48_000)
        await said(f"{url}&have=0", END)
    logged = [
        entry.getMessage()
        for entry in caplog.records
        if entry.name.startswith("sayd_cli.server") and entry.levelno == logging.INFO
    ]
    name = session["session_id"]
    assert logged == [
        f"session {name}: created",
        f"session {name}: stream opened",
        f"session {name}: the client vanished; its stream waits 30 s for it",
        f"session {name}: resumed at 3.0 s",
        f"session {name}: ended after 3.0 s, 2 sentences",
    ]
    assert KEY not in caplog.text
    assert "word0" not in caplog.text


class _Forgetful(SessionStore):
    """A history from which somebody deletes meanwhile."""

    def sentences(self, session_id: str) -> tuple[Sentence, ...]:
        return super().sentences(session_id)[50:]


async def test_sentences_that_were_deleted_are_not_waited_for() -> None:
    engine = ScriptedEngine(words_per_second=10, words_per_sentence=1)
    with _Forgetful(None) as store:
        async with running(engine, store) as base_url:
            url = (await created(base_url))["websocket_url"]
            async with begun(url, engine, audio(10), 160_000) as connection:
                while (await until(connection, "sentence"))["index"] < 99:
                    pass
            heard = await said(f"{url}&have=0", END)
    assert indices(heard) == list(range(50, 100))
    assert heard.messages[-1]["sentences"] == 100


class _Timeless(ScriptedEngine):
    """An engine that does not know when a sentence was said."""

    def _final(self, first: int, end: int) -> Final:
        return Final(super()._final(first, end).text)


async def test_sentences_without_times_stay_so_when_they_come_from_the_archive() -> None:
    engine = _Timeless(words_per_second=10, words_per_sentence=1)
    async with running(engine) as base_url:
        url = (await created(base_url))["websocket_url"]
        first = await said(url, *audio(10), END)
        again: Any = await said(f"{url}&have=0")
    assert first.of("sentence") == again.of("sentence")
    assert len(again.of("sentence")) == 100
    assert "start" not in again.of("sentence")[0]
