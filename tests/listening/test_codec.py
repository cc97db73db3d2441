from __future__ import annotations

import asyncio

import pytest

from sayd_cli.audio.opus import OpusDecoder
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.rules import Pace, Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import Codec
from sayd_cli.model.events import Audio, ClientMessage, Complete, End, Final, ServerMessage
from sayd_cli.model.report import Ended, Heard
from sayd_cli.model.session import SessionSettings
from sayd_cli.spool.memory import MemorySpool
from tests.listening.world import (
    RATE_HZ,
    FakeClock,
    Hearing,
    Recorder,
    ScriptedService,
    ScriptedSource,
)

Answers = list[ServerMessage | BaseException | None]
PACKETS_A_SECOND = {Codec.OPUS: 100, Codec.OPUS_FS320: 50}
CLIENT_FRAME_BYTES = 6
"""What a WebSocket adds to a client's message of up to 125 bytes: 2 for its head, 4 for its mask
(RFC 6455, 5.2)."""

each_opus = pytest.mark.parametrize("codec", list(PACKETS_A_SECOND))


def completes(message: ClientMessage, service: ScriptedService) -> Answers:
    return [Complete()] if isinstance(message, End) else []


class Run:
    def __init__(
        self,
        codec: Codec,
        source: ScriptedSource,
        rules: Rules | None = None,
        hears: Hearing = completes,
    ) -> None:
        self.source = source
        self.service = ScriptedService(hears, codec=codec)
        self.recorder = Recorder()
        self.clock = FakeClock()
        self.listening = Listening(
            source,
            self.service.entered(),
            MemorySpool(RATE_HZ),
            settings=SessionSettings(codec=codec),
            rules=rules or Rules(),
            sink=self.recorder,
            stop=StopSignal(),
            clock=self.clock,
        )

    async def go(self) -> Ended:
        async with asyncio.timeout(30):
            return await self.listening.run()


@each_opus
async def test_what_is_sent_in_a_second_is_under_a_tenth_of_pcm16(codec: Codec) -> None:
    run = Run(codec, ScriptedSource(10))
    await run.go()
    packets = run.service.message_bytes
    # One more carries what the encoder holds back.
    assert len(packets) == 10 * PACKETS_A_SECOND[codec] + 1
    assert sum(packets[:-1]) / 10 <= 0.095 * 2 * RATE_HZ
    assert max(packets) <= 125
    framed = sum(packets[:-1]) / 10 + CLIENT_FRAME_BYTES * PACKETS_A_SECOND[codec]
    assert framed <= 3600
    assert run.recorder.ends[0].duration_s == 10


@each_opus
@pytest.mark.parametrize("seconds", [0.003, 0.4, 1.2345])
async def test_the_whole_of_it_is_sent_and_no_more_is_counted(codec: Codec, seconds: float) -> None:
    run = Run(codec, ScriptedSource(seconds))
    ended = await run.go()
    captured = len(run.source.pcm) // 2
    assert ended.duration_s == captured / RATE_HZ
    assert run.recorder.progress[-1].sent_s == captured / RATE_HZ
    length = RATE_HZ // PACKETS_A_SECOND[codec]
    sent = len(run.service.message_bytes) * length - RATE_HZ * 13 // 2000
    assert captured <= sent < captured + length


@each_opus
async def test_the_duration_is_kept_to_the_packet(codec: Codec) -> None:
    run = Run(codec, ScriptedSource(5), Rules(duration_s=1.111))
    ended = await run.go()
    assert ended.duration_s == 1.111
    length = RATE_HZ // PACKETS_A_SECOND[codec]
    sent = len(run.service.message_bytes) * length - RATE_HZ * 13 // 2000
    assert 1.111 * RATE_HZ <= sent < 1.111 * RATE_HZ + length


@each_opus
async def test_a_file_is_sent_at_the_pace_of_its_sound(codec: Codec) -> None:
    moments: list[float] = []

    def notes(message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, Audio):
            moments.append(run.clock.time_s)
        return completes(message, service)

    step_s = 1 / PACKETS_A_SECOND[codec]
    source = ScriptedSource(2, block_samples=round(step_s * RATE_HZ))
    run = Run(codec, source, Rules(pace=Pace.REALTIME), notes)
    await run.go()
    due = [step_s * (number + 1) for number in range(2 * PACKETS_A_SECOND[codec])]
    # The last is only silence, and waits for nothing.
    assert moments == pytest.approx([*due, 2.0])


@each_opus
async def test_times_that_are_not_given_end_where_captured_audio_does(codec: Codec) -> None:
    def hears(message: ClientMessage, service: ScriptedService) -> Answers:
        return [Final("a."), Complete()] if isinstance(message, End) else []

    run = Run(codec, ScriptedSource(1.2345), hears=hears)
    await run.go()
    sentences = [report.sentence for report in run.recorder.reports if isinstance(report, Heard)]
    assert [(one.end_s, one.approximate) for one in sentences] == [(1.2345, True)]


@each_opus
async def test_a_decoder_can_read_every_message(codec: Codec) -> None:
    decoder = OpusDecoder(RATE_HZ, 1000 // PACKETS_A_SECOND[codec])
    payloads: list[bytes] = []

    def notes(message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, Audio):
            payloads.append(message.payload)
        return completes(message, service)

    run = Run(codec, ScriptedSource(1.01), hears=notes)
    await run.go()
    pcm = b"".join(map(decoder.decode, payloads))
    assert decoder.concealed_packets == 0
    assert len(run.source.pcm) <= len(pcm)
