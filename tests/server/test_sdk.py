"""The official SDK, and the sample client of its documentation, on our server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
import sayd_ai
from websockets.sync.client import connect

from sayd_cli.engine.embedded import EmbeddedEngine
from sayd_cli.engine.recordings import demo_recording
from tests.server.running import KEY, running
from tests.server.scripted_engine import ScriptedEngine

T = TypeVar("T")


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with running(ScriptedEngine()) as url:
        yield url


async def in_thread(call: Callable[[], T]) -> T:
    return await asyncio.to_thread(call)


def sample_client(websocket_url: str, pcm: bytes) -> list[dict[str, Any]]:
    """As the API's page shows it: send PCM16 in 100 ms messages, print what comes, say ``end``."""
    events: list[dict[str, Any]] = []
    with connect(websocket_url) as ws:
        events.append(json.loads(ws.recv()))

        def send() -> None:
            for start in range(0, len(pcm), 3200):
                ws.send(pcm[start : start + 3200])
            ws.send(json.dumps({"type": "end"}))

        sender = threading.Thread(target=send)
        sender.start()
        for message in ws:
            event = json.loads(message)
            events.append(event)
            if event["type"] in ("complete", "error"):
                break
        sender.join()
    return events


async def test_the_sdk_creates_streams_lists_and_gets(base_url: str) -> None:
    def use() -> None:
        with sayd_ai.Sayd(api_key=KEY, base_url=base_url) as sayd:
            session = sayd.listen.create(language="en", sample_rate=16000, codec="pcm16")
            assert session.language == "en"
            assert session.stt_service == "scripted"
            events = sample_client(session.websocket_url, bytes(3 * 32000))
            assert {event["type"] for event in events} == {
                "ready",
                "partial",
                "sentence",
                "complete",
            }
            sentence = sayd_ai.TalkEvent.from_dict(
                next(event for event in events if event["type"] == "sentence")
            )
            assert sentence.text == "word0 word1 word2 word3."
            assert sentence.is_final is True
            assert sayd_ai.TalkEvent.from_dict(events[-1]).duration_ms == 3000
            (row,) = sayd.listen.list(limit=10)
            assert row["session_id"] == session.session_id
            assert row["created_at"]
            found = sayd.listen.get(session.session_id)
            assert found["session_id"] == session.session_id
            assert [row["text"] for row in found["transcripts"]] == [
                event["text"] for event in events if event["type"] == "sentence"
            ]

    await in_thread(use)


async def test_the_async_sdk_creates_lists_and_gets(base_url: str) -> None:
    async with sayd_ai.AsyncSayd(api_key=KEY, base_url=base_url) as sayd:
        session = await sayd.listen.create()
        assert session.language == "multi"
        assert (await sayd.listen.list())[0]["session_id"] == session.session_id
        assert (await sayd.listen.get(session.session_id))["transcripts"] == []


async def test_the_sdk_understands_refusals(base_url: str) -> None:
    async with sayd_ai.AsyncSayd(api_key="wrong", base_url=base_url) as stranger:
        with pytest.raises(sayd_ai.AuthenticationError):
            await stranger.listen.create()
    async with sayd_ai.AsyncSayd(api_key=KEY, base_url=base_url) as sayd:
        with pytest.raises(sayd_ai.SaydError, match="44100"):
            await sayd.listen.create(sample_rate=44100)
        with pytest.raises(sayd_ai.SaydError, match="no such session"):
            await sayd.listen.get("none")


def beginning_of_the_demo(seconds: float) -> bytes:
    """The demo recording at 16 kHz."""
    import soundfile
    import soxr

    with soundfile.SoundFile(demo_recording()) as file:
        samples = file.read(int(seconds * file.samplerate), dtype="int16", always_2d=True)
        converted: bytes = soxr.resample(samples[:, 0], file.samplerate, 16000).tobytes()
    return converted


async def test_real_speech_through_the_real_engine() -> None:
    pcm = beginning_of_the_demo(10.0)
    async with (
        running(EmbeddedEngine()) as base_url,
        sayd_ai.AsyncSayd(api_key=KEY, base_url=base_url) as sayd,
    ):
        session = await sayd.listen.create(language="en")
        events = await in_thread(lambda: sample_client(session.websocket_url, pcm))
        found = await sayd.listen.get(session.session_id)
    text = " ".join(event["text"] for event in events if event["type"] == "sentence")
    assert "best of times" in text
    assert "worst of times" in text
    assert events[0]["type"] == "ready"
    assert (events[-1]["type"], events[-1]["duration_ms"]) == ("complete", 10_000)
    assert any(event["type"] == "partial" for event in events)
    assert " ".join(row["text"] for row in found["transcripts"]) == text
    ends = [row["end"] for row in found["transcripts"]]
    assert ends == sorted(ends)
    assert 0 < ends[-1] <= 10.0
