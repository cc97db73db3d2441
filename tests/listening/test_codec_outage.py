"""Coded audio over connections that are lost: what arrives, and where it belongs."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from sayd_cli.audio.opus import OpusDecoder
from sayd_cli.errors import UnreachableError
from sayd_cli.listening.loop import Listening
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import SAMPLE_BYTES, Codec
from sayd_cli.model.events import Audio, ClientMessage, Complete, End, Final, Ready
from sayd_cli.model.report import Heard
from sayd_cli.model.session import SessionSettings
from sayd_cli.spool.memory import MemorySpool
from tests.listening.test_outage import Answers
from tests.listening.world import (
    RATE_HZ,
    FakeClock,
    Hearing,
    Recorder,
    ScriptedService,
    ScriptedSource,
)

Samples = NDArray[np.float64]
PACKET_MS = {Codec.OPUS: 10, Codec.OPUS_FS320: 20}
each_opus = pytest.mark.parametrize("codec", list(PACKET_MS))


def voice(seconds: float) -> bytes:
    """A tone that rises and falls, of which no tenth of a second is like another one near it."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = (
        2 * np.pi * (300 * times + 40 * np.cumsum(np.sin(2 * np.pi * 0.7 * times)) / RATE_HZ * 3)
    )
    loudness = 6000 * (1.2 + np.sin(2 * np.pi * 3.1 * times))
    tone = np.sin(phase) + 0.5 * np.sin(2.7 * phase)
    return (loudness * tone / 1.5).astype("<i2").tobytes()


def samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def lag(heard: Samples, said: Samples, most: int = 400) -> int:
    """How many samples later than said it is heard."""
    middle = said[most : len(said) - most]
    scores = [
        float(np.dot(heard[most + by : most + by + len(middle)], middle))
        for by in range(-most, most)
    ]
    return int(np.argmax(scores)) - most


def assert_heard_where_it_was_said(heard: Samples, said: Samples) -> None:
    """Every half second of it, to half a millisecond."""
    step = RATE_HZ // 2
    assert abs(len(heard) - len(said)) <= RATE_HZ // 50
    for start in range(0, min(len(heard), len(said)) - step, step):
        window = slice(start, start + step)
        assert abs(lag(heard[window], said[window])) <= 8, start / RATE_HZ


class Run:
    def __init__(self, codec: Codec, service: ScriptedService, source: ScriptedSource) -> None:
        self.recorder = Recorder()
        self.listening = Listening(
            source,
            service.entered(),
            MemorySpool(RATE_HZ),
            settings=SessionSettings(codec=codec),
            rules=Rules(),
            sink=self.recorder,
            stop=StopSignal(),
            clock=FakeClock(),
        )

    async def go(self) -> None:
        async with asyncio.timeout(30):
            await self.listening.run()


class Decoding:
    """A service that decodes each connection with a decoder of its own, as each has an encoder of
    its own; says a word for each second; and loses connections, with what was on its way.
    """

    def __init__(self, codec: Codec, losses: list[tuple[float, int]], *, continues: bool) -> None:
        self.codec = codec
        self.losses = losses
        """After so many seconds of a stream, so many packets are on their way and are lost."""
        self.continues = continues
        self.streams: list[bytes] = []
        self.lost_packets = 0
        self._decoder = self._new_decoder()
        self._said = 0
        self._is_cut = False

    def _new_decoder(self) -> OpusDecoder:
        return OpusDecoder(RATE_HZ, PACKET_MS[self.codec])

    def ready(self, service: ScriptedService) -> Ready:
        self._decoder = self._new_decoder()
        self._is_cut = False
        if self.streams and self.continues:
            return Ready(30.0, len(self.streams[-1]) // SAMPLE_BYTES)
        self.streams.append(b"")
        self._said = 0
        return Ready(30.0, 0) if self.continues else Ready()

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        if isinstance(message, End):
            return [Complete()]
        if not isinstance(message, Audio):
            return []
        heard_s = len(self.streams[-1]) / SAMPLE_BYTES / RATE_HZ
        if self._is_cut or (self.losses and heard_s >= self.losses[0][0]):
            self._is_cut = True
            self.lost_packets += 1
            if self.losses and self.lost_packets > self.losses[0][1]:
                self.losses.pop(0)
                self.lost_packets = 0
                return [UnreachableError("cut")]
            return []
        self.streams[-1] += self._decoder.decode(message.payload)
        answers: Answers = []
        while self._said + 1 <= len(self.streams[-1]) / SAMPLE_BYTES / RATE_HZ:
            at_s = float(self._said)
            index = self._said if self.continues else None
            answers.append(Final(f"word {self._said}", at_s + 0.1, at_s + 0.9, index))
            self._said += 1
        return answers


def world(codec: Codec, hears: Hearing | Decoding, seconds: float) -> tuple[Run, ScriptedSource]:
    source = ScriptedSource(seconds, live=True)
    source.pcm = voice(seconds)
    service = ScriptedService(
        hears, codec=codec, ready=hears.ready if isinstance(hears, Decoding) else None
    )
    return Run(codec, service, source), source


@each_opus
async def test_a_stream_that_is_continued_is_whole_and_in_its_place(codec: Codec) -> None:
    hears = Decoding(codec, [(1.33, 3), (2.9, 0), (4.0, 17)], continues=True)
    run, source = world(codec, hears, 7.7)
    await run.go()
    assert len(hears.streams) == 1
    assert hears.losses == []
    assert_heard_where_it_was_said(samples(hears.streams[0]), samples(source.pcm))
    assert run.recorder.texts == [f"word {n}" for n in range(7)]


@each_opus
async def test_a_new_stream_is_in_its_place_and_so_are_its_times(codec: Codec) -> None:
    hears = Decoding(codec, [(2.33, 5), (2.85, 9)], continues=False)
    run, source = world(codec, hears, 7.7)
    await run.go()
    assert hears.losses == []
    assert len(hears.streams) == 3
    sentences = [report.sentence for report in run.recorder.reports if isinstance(report, Heard)]
    # Each begins where the last sentence of the one before ended, with silence in whole packets
    # before it.
    packet = RATE_HZ * PACKET_MS[codec] // 1000
    silence = -(-(RATE_HZ + RATE_HZ * 13 // 2000) // packet) * packet
    begin = 0
    for number, stream in enumerate(hears.streams):
        before = silence if number else 0
        heard = samples(stream)[before:]
        there = samples(source.pcm)[begin : begin + len(heard)]
        assert_heard_where_it_was_said(heard[: len(there)], there)
        # Its sentences: those that begin in the silence begin after it.
        for n in range((before + len(there)) // RATE_HZ):
            sentence = sentences.pop(0)
            start_s = (begin + max(0, (n + 0.1) * RATE_HZ - before)) / RATE_HZ
            end_s = (begin + max(0, (n + 0.9) * RATE_HZ - before)) / RATE_HZ
            assert (sentence.start_s, sentence.end_s) == pytest.approx((start_s, end_s), abs=1e-4)
            last_s = end_s
        begin = round(last_s * RATE_HZ)
    assert sentences == []
