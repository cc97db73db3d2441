from __future__ import annotations

import sys

import pytest
import soundfile

from sayd_cli.audio.codec import MESSAGE_MS, Packer
from sayd_cli.engine.embedded import EmbeddedEngine
from sayd_cli.engine.recordings import recording
from sayd_cli.model.audio import Codec, Frame
from sayd_cli.model.session import SessionSettings
from tests.engine.references import BECKETT
from tests.engine.wer import word_errors
from tests.server.running import END, Heard, client, created, running, said
from tests.server.scripted_engine import ScriptedEngine

each_opus = pytest.mark.parametrize("codec", [Codec.OPUS, Codec.OPUS_FS320])
each_rate = pytest.mark.parametrize("rate_hz", [8000, 16000])


def packed(pcm: bytes, codec: Codec, rate_hz: int) -> list[bytes]:
    packer = Packer(SessionSettings("en", rate_hz, codec))
    packets = packer.push(Frame(pcm, 0, rate_hz)) + packer.flush()
    return [packet.payload for packet in packets]


@each_opus
@each_rate
async def test_the_engine_is_fed_every_sample(codec: Codec, rate_hz: int) -> None:
    engine = ScriptedEngine()
    messages = packed(bytes(2 * round(7.25 * rate_hz)), codec, rate_hz)
    async with running(engine) as base_url:
        session = await created(base_url, sample_rate=rate_hz, codec=codec.value)
        heard = await said(session["websocket_url"], *messages, END)
    assert heard.close_code == 1000
    assert heard.texts == engine.texts(7.25)
    assert engine.streams[0].sample_rate_hz == rate_hz
    # Up to a packet and the look-ahead are filled up with silence.
    assert 7250 <= heard.messages[-1]["duration_ms"] <= 7250 + MESSAGE_MS[codec]
    assert engine.streams[0].fed_bytes == 2 * (
        len(messages) * rate_hz * MESSAGE_MS[codec] // 1000 - rate_hz * 13 // 2000
    )


@each_opus
@each_rate
async def test_whatever_comes_the_stream_goes_on_and_its_clock_too(
    codec: Codec, rate_hz: int
) -> None:
    engine = ScriptedEngine()
    other = Codec.OPUS if codec is Codec.OPUS_FS320 else Codec.OPUS_FS320
    good = packed(bytes(2 * 4 * rate_hz), codec, rate_hz)
    bad = [
        b"",
        b"\0",
        b"\xff\xff\xff",
        bytes(3200),
        bytes(100_000),
        packed(bytes(rate_hz), other, rate_hz)[0],
    ]
    messages = [message for at, packet in enumerate(good) for message in (packet, bad[at % 6])]
    async with running(engine) as base_url:
        session = await created(base_url, sample_rate=rate_hz, codec=codec.value)
        heard = await said(session["websocket_url"], *messages, END)
    assert (heard.kinds[-1], heard.close_code) == ("complete", 1000)
    seconds = len(messages) * MESSAGE_MS[codec] / 1000 - 0.0065
    assert heard.messages[-1]["duration_ms"] == pytest.approx(seconds * 1000, abs=1)
    assert heard.texts == engine.texts(seconds)


async def hear_beckett(messages: list[bytes], codec: Codec) -> Heard:
    async with running(EmbeddedEngine()) as base_url:
        session = await created(base_url, codec=codec.value)
        return await said(session["websocket_url"], *messages, END)


@each_opus
async def test_damaged_packets_cost_no_more_than_themselves(codec: Codec) -> None:
    samples, rate_hz = soundfile.read(recording("beckett.wav"), dtype="int16")
    assert rate_hz == 16000
    messages = packed(samples.astype("<i2").tobytes(), codec, rate_hz)
    whole = await hear_beckett(messages, codec)
    assert word_errors(BECKETT, " ".join(whole.texts)) <= 2
    # Three in a hundred.
    damage = (b"", b"\xff" * 30, messages[0] + bytes(5000))
    damaged = [
        damage[at // 33 % 3] if at % 33 == 16 else message for at, message in enumerate(messages)
    ]
    heard = await hear_beckett(damaged, codec)
    assert (heard.kinds[-1], heard.close_code) == ("complete", 1000)
    assert heard.messages[-1]["duration_ms"] == whole.messages[-1]["duration_ms"]
    assert word_errors(" ".join(whole.texts), " ".join(heard.texts)) <= 2
    assert heard.of("sentence")[-1]["end"] == pytest.approx(
        whole.of("sentence")[-1]["end"], abs=0.3
    )


async def test_without_the_library_a_session_is_refused_and_pcm16_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opuslib_next", None)
    async with running(ScriptedEngine()) as base_url:
        async with client(base_url) as rest:
            refused = await rest.post("/api/listen", json={"codec": "opus"})
        assert refused.status_code == 400
        assert refused.json() == {"error": "this server does not take codec opus; use pcm16"}
        await created(base_url, codec="pcm16")
