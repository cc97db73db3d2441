from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import connect

from sayd_cli.errors import EngineMissingError, StorageError
from sayd_cli.history.store import SessionStore
from sayd_cli.model.transcript import Sentence
from sayd_cli.server.embedded import EmbeddedServer
from sayd_cli.server.limits import Limits
from tests.server.running import (
    END,
    KEEPALIVE,
    KEY,
    Heard,
    audio,
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


@pytest.mark.parametrize("sample_rate_hz", [8000, 16000])
async def test_a_whole_conversation(sample_rate_hz: int) -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url, sample_rate=sample_rate_hz)
        heard = await said(session["websocket_url"], *audio(7.25, sample_rate_hz), END)
        found = await record(base_url, session["session_id"])

    assert heard.kinds[0] == "ready"
    assert heard.kinds[-1] == "complete"
    assert heard.close_code == 1000
    assert heard.messages[-1]["duration_ms"] == 7250
    assert heard.messages[-1]["sentences"] == 4
    expected = engine.sentences(7.25)
    assert len(expected) == 4
    assert heard.of("sentence") == [
        {
            "type": "sentence",
            "text": sentence.text,
            "is_final": True,
            "index": index,
            "start": sentence.start_s,
            "end": sentence.end_s,
            "language": "en",
        }
        for index, sentence in enumerate(expected)
    ]
    assert heard.of("partial")[1] == {
        "type": "partial",
        "text": "word0 word1",
        "start": 0.0,
        "end": 1.0,
    }
    assert [row["text"] for row in found["transcripts"]] == engine.texts(7.25)
    assert [row["start"] for row in found["transcripts"]] == [0.0, 2.0, 4.0, 6.0]
    assert found["duration_ms"] == 7250
    assert engine.streams[0].sample_rate_hz == sample_rate_hz
    assert engine.streams[0].closed


async def test_text_comes_while_audio_is_still_being_sent() -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for message in audio(2):
                await connection.send(message)
            assert (await until(connection, "partial"))["text"] == "word0"
            sentence = await until(connection, "sentence")
            # Kept before it was sent.
            found = await record(base_url, session["session_id"])
            assert [row["text"] for row in found["transcripts"]] == [sentence["text"]]
            await connection.send(KEEPALIVE)
            await connection.send(audio(0.5)[0])
            await connection.send(END)
            assert (await until(connection, "complete"))["duration_ms"] == 2100


async def test_audio_in_flight_after_end_is_taken() -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        heard = await said(session["websocket_url"], *audio(1), END, *audio(1), KEEPALIVE, END)
    assert heard.close_code == 1000
    assert heard.messages[-1]["duration_ms"] == 2000
    assert heard.texts == engine.texts(2)


async def test_audio_sent_before_ready_is_taken() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(start_gate=gate)
    async with EmbeddedServer(engine) as server:
        session = await created(server.base_url, server.key.reveal())
        async with stream(session["websocket_url"]) as connection:
            for message in closing(*audio(3)):
                await connection.send(message)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.recv(), 0.1)
            gate.set()
            heard = await rest_of(connection)
    assert heard.kinds[0] == "ready"
    assert heard.texts == engine.texts(3)


async def test_a_stream_without_audio_is_complete() -> None:
    async with running(ScriptedEngine()) as base_url:
        session = await created(base_url)
        heard = await said(session["websocket_url"], b"", END)
    assert heard.messages == [
        {"type": "ready", "resume_s": 30.0, "received_samples": 0},
        {"type": "complete", "duration_ms": 0, "sentences": 0},
    ]


async def test_two_streams_at_once_do_not_mix() -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        urls = [(await created(base_url))["websocket_url"] for _ in range(2)]
        async with stream(urls[0]) as one, stream(urls[1]) as two:
            await until(one, "ready")
            await until(two, "ready")
            for position, message in enumerate(audio(4)):
                await one.send(message)
                if position % 2:
                    await two.send(message)
            await one.send(END)
            await two.send(END)
            first, second = await asyncio.gather(rest_of(one), rest_of(two))
    assert first.texts == engine.texts(4)
    assert second.texts == engine.texts(2)


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        (b"\0" * 3201, 1003, "inside a sample"),
        ("{", 1008, "not JSON"),
        ("[]", 1008, "object"),
        ('{"type":"stop"}', 1008, "stop"),
        ("[" * 200_000, 1008, "not JSON"),
        (bytes((1 << 20) + 2), 1009, "1048576"),
        (bytes(8 << 20), 1009, "1048576"),
        ('"' + "x" * (1 << 20) + '"', 1009, "1048576"),
    ],
)
async def test_what_breaks_the_protocol_is_refused_and_what_came_before_is_kept(
    message: bytes | str, code: int, says: str
) -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        heard = await said(session["websocket_url"], *audio(3), message, *audio(1))
        found = await record(base_url, session["session_id"])
    assert heard.close_code == code
    assert heard.kinds[-1] == "error"
    assert says in heard.messages[-1]["message"]
    assert heard.messages[-1]["error"] == heard.messages[-1]["message"]
    assert heard.texts == engine.texts(3)
    assert [row["text"] for row in found["transcripts"]] == engine.texts(3)


async def test_a_message_of_the_largest_size_is_taken() -> None:
    engine = ScriptedEngine(words_per_second=0.1)
    async with running(engine) as base_url:
        session = await created(base_url)
        heard = await said(session["websocket_url"], bytes(1 << 20), END)
    assert heard.close_code == 1000
    assert heard.texts == engine.texts((1 << 20) / 32000)


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace(KEY, "wrong"),
        lambda url: url.partition("?")[0],
        lambda url: url.replace("stream/", "stream/x"),
    ],
)
async def test_a_stream_that_may_not_be_opened(change: Any) -> None:
    async with running(ScriptedEngine()) as base_url:
        session = await created(base_url)
        heard = await said(change(session["websocket_url"]))
    assert heard.kinds == ["error"]
    assert heard.close_code == 1008


async def test_a_websocket_elsewhere_is_not_found() -> None:
    async with running(ScriptedEngine()) as base_url:
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with connect(base_url.replace("http", "ws") + "/v1/talk/stream/x"):
                pass
    assert caught.value.response.status_code == 404
    assert "error" in json.loads(caught.value.response.body or b"")


async def test_a_session_that_is_over_stays_so() -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        await said(session["websocket_url"], *audio(2), END)
        again = await said(session["websocket_url"], *audio(2), END)
        found = await record(base_url, session["session_id"])
    assert again.kinds == ["error"]
    assert "over" in again.messages[0]["message"]
    assert again.close_code == 1008
    assert [row["text"] for row in found["transcripts"]] == engine.texts(2)


@pytest.mark.parametrize("politely", [True, False])
async def test_what_a_vanished_client_said_is_kept(politely: bool) -> None:
    engine = ScriptedEngine()
    async with running(engine, limits=Limits(resume_s=0.1)) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for message in audio(5):
                await connection.send(message)
            if politely:
                await connection.close()
            else:
                # What lies unread in a socket is lost with a connection that is reset.
                await eventually(lambda: engine.streams[0].fed_bytes == 160_000)
                connection.transport.abort()
        await eventually(lambda: engine.streams[0].closed)
        found = await record(base_url, session["session_id"])
        again = await said(session["websocket_url"])
    assert [row["text"] for row in found["transcripts"]] == engine.texts(5)
    assert again.close_code == 1008


@pytest.mark.parametrize("resume_s", [0.0, 30.0])
async def test_a_client_that_vanished_before_it_spoke_may_come_again(resume_s: float) -> None:
    engine = ScriptedEngine()
    async with running(engine, limits=Limits(resume_s=resume_s)) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
        if not resume_s:
            await eventually(lambda: engine.streams[0].closed)
        heard = await said(session["websocket_url"], *audio(2), END)
    assert heard.texts == engine.texts(2)


async def test_a_client_that_sends_end_and_goes_leaves_all_its_words() -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            for message in closing(*audio(5)):
                await connection.send(message)
        await eventually(lambda: engine.streams and engine.streams[0].closed)
        found = await record(base_url, session["session_id"])
    assert [row["text"] for row in found["transcripts"]] == engine.texts(5)


async def test_a_silent_client_counts_as_vanished() -> None:
    engine = ScriptedEngine()
    async with running(engine, limits=Limits(idle_s=0.3)) as base_url:
        session = await created(base_url)
        heard = await said(session["websocket_url"], *audio(3))
    assert heard.texts == engine.texts(3)
    assert heard.kinds[-1] == "error"
    assert heard.close_code == 1008


async def test_a_keepalive_is_a_sign_of_life() -> None:
    async with running(ScriptedEngine(), limits=Limits(idle_s=1.0)) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            for _ in range(6):
                await asyncio.sleep(0.25)
                await connection.send(KEEPALIVE)
            await connection.send(END)
            assert (await rest_of(connection)).kinds == ["complete"]


async def test_a_slow_engine_holds_the_client_back() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(words_per_second=0.01, feed_gate=gate)
    async with running(engine) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            sent = 0

            async def pour() -> None:
                nonlocal sent
                for _ in range(100):
                    await connection.send(bytes(1 << 20))
                    sent += 1
                await connection.send(END)

            pouring = asyncio.create_task(pour())
            before = -1
            while sent > before:
                before = sent
                await asyncio.sleep(0.2)
            # Socket buffers hold some; the server takes no more.
            assert sent < 50
            gate.set()
            await pouring
            complete = await until(connection, "complete")
    assert complete["duration_ms"] == 100 * (1 << 20) * 1000 // 32000


async def test_pings_are_answered_while_the_rest_is_transcribed() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            finish = engine.streams[0].finish

            async def later() -> None:
                asyncio.get_running_loop().create_task(after_gate())

            async def after_gate() -> None:
                await gate.wait()
                await finish()

            engine.streams[0].finish = later  # type: ignore[method-assign]
            for message in closing(*audio(1)):
                await connection.send(message)
            await asyncio.sleep(0.2)
            await asyncio.wait_for(await connection.ping(), 5)
            gate.set()
            assert (await rest_of(connection)).kinds[-1] == "complete"


async def failed(engine: ScriptedEngine, store: SessionStore | None = None) -> Heard:
    async with running(engine, store) as base_url:
        session = await created(base_url)
        heard = await said(session["websocket_url"], *audio(5), END)
    assert engine.streams[0].closed
    assert engine.closed
    return heard


async def test_an_engine_that_breaks_says_so(caplog: pytest.LogCaptureFixture) -> None:
    heard = await failed(ScriptedEngine(fail_after_words=6))
    assert heard.texts == ["word0 word1 word2 word3."]
    assert heard.kinds[-1] == "error"
    assert "model broke" not in heard.messages[-1]["message"]
    assert heard.close_code == 1011
    assert "the model broke" in caplog.text


async def test_an_engine_that_stops_early_says_so() -> None:
    engine = ScriptedEngine()
    async with running(engine) as base_url:
        session = await created(base_url)
        async with stream(session["websocket_url"]) as connection:
            await until(connection, "ready")
            await engine.streams[0].close()
            heard = await rest_of(connection)
    assert heard.kinds == ["error"]
    assert heard.close_code == 1011


class FullStore(SessionStore):
    def add_sentence(self, session_id: str, sentence: Sentence) -> None:
        raise StorageError("the disk is full")


async def test_a_sentence_that_cannot_be_kept_is_an_error() -> None:
    with FullStore(None) as store:
        heard = await failed(ScriptedEngine(), store)
    assert heard.of("sentence") == []
    assert heard.messages[-1]["message"] == "the disk is full"
    assert heard.close_code == 1011


async def test_neither_key_nor_words_reach_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    # The client library in this process logs too; only the server is looked at.
    for name in ("websockets.client", "httpx", "httpcore"):
        caplog.set_level("CRITICAL", name)
    async with running(ScriptedEngine()) as base_url:
        session = await created(base_url)
        await said(session["websocket_url"], *audio(3), "word99", END)
        await said(session["websocket_url"])
        await said(session["websocket_url"].replace("stream/", "stream/x"))
    logged = caplog.text
    assert KEY not in logged
    assert "word" not in logged


async def test_an_engine_that_cannot_load_ends_the_stream() -> None:
    engine = ScriptedEngine(start_error=EngineMissingError("no engine", "install it"))
    async with EmbeddedServer(engine) as server:
        session = await created(server.base_url, server.key.reveal())
        heard = await said(session["websocket_url"])
    assert heard.kinds == ["error"]
    assert heard.messages[0]["message"] == "no engine"
    assert heard.close_code == 1011
