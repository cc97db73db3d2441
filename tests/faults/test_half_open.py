"""A connection that is open and dead: how soon it is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import urlsplit

from sayd_cli.model.audio import Frame, Interruption
from sayd_cli.server.limits import Limits
from sayd_cli.transport.pulse import SILENCE_LIMIT_S
from tests.faults.engine import CodedEngine, CodedStream
from tests.faults.plan import Direction, HalfOpen, Stall
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.run import Ledger, Microphone, listen
from tests.faults.score import score
from tests.faults.speech import CodedSpeech
from tests.server.running import running

NOTICED_S = 5.0
"""What is promised."""

SLACK_S = 2.0
"""What a machine that is busy with other tests may add."""


class Mute(Microphone):
    """A microphone that gives nothing any more after its speech, as one that is paused does."""

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        async for frame in super().frames():
            yield frame
        await asyncio.Event().wait()


async def noticing_s(port: int, seed: int, *, is_mute: bool) -> float:
    """Seconds from the moment at which nothing goes through any more to that at which the loop
    knows, at a random moment of a session.
    """
    draw = Random(seed)
    speech = CodedSpeech(1.0 if is_mute else 60.0, seed)
    microphone = (Mute if is_mute else Microphone)(speech, 1.0)
    ledger = Ledger()
    async with FaultProxy(HOST, port) as proxy:
        listening = asyncio.create_task(listen(microphone, proxy, ledger, draw))
        try:
            async with asyncio.timeout(30):
                await ledger.heard.wait()
                await asyncio.sleep((3.0 if is_mute else 0.0) + draw.uniform(0, 1.5))
                loop = asyncio.get_running_loop()
                began_s = loop.time()
                ledger.lost.clear()
                proxy.inject(HalfOpen())
                await ledger.lost.wait()
                return loop.time() - began_s
        finally:
            listening.cancel()
            await asyncio.wait({listening})


async def noticing_times_s(count: int, seed: int = 0) -> list[float]:
    """The same of so many sessions, every second one without audio at the time."""
    limits = Limits(streams_per_key=None)
    async with running(CodedEngine(), limits=limits) as url:
        port = urlsplit(url).port or 0
        sessions = (noticing_s(port, seed + n, is_mute=bool(n % 2)) for n in range(count))
        return list(await asyncio.gather(*sessions))


async def test_a_dead_connection_is_noticed_within_five_seconds() -> None:
    for noticed_s in await noticing_times_s(8):
        assert noticed_s < NOTICED_S + SLACK_S


class Holding(CodedEngine):
    """Takes nothing for a while, in the midst of its audio, as one that waits for its turn does."""

    def open_stream(self, sample_rate_hz: int) -> CodedStream:
        return _HoldingStream(self, sample_rate_hz)


class _HoldingStream(CodedStream):
    _taken = 0

    async def feed(self, pcm: bytes) -> None:
        self._taken += 1
        if self._taken == 10:
            await asyncio.sleep(SILENCE_LIMIT_S + 2.0)
        await super().feed(pcm)


async def test_one_whose_engine_is_late_is_kept() -> None:
    speech = CodedSpeech(6.0, 6)
    ledger = Ledger()
    limits = Limits(streams_per_key=None)
    async with (
        running(Holding(), limits=limits) as url,
        FaultProxy(HOST, urlsplit(url).port or 0) as proxy,
        asyncio.timeout(30),
    ):
        await listen(Microphone(speech, 5.0), proxy, ledger, Random(6))
    heard = [sentence.text for sentence in ledger.sentences]
    assert score(heard, speech.expected_words).is_perfect
    assert ledger.reconnections == []


async def test_one_that_stands_still_for_less_is_kept() -> None:
    async def keeps(port: int, direction: Direction) -> None:
        speech = CodedSpeech(6.0, 5)
        ledger = Ledger()
        async with FaultProxy(HOST, port) as proxy, asyncio.timeout(30):
            listening = asyncio.create_task(
                listen(Microphone(speech, 2.0), proxy, ledger, Random(5))
            )
            await ledger.heard.wait()
            proxy.inject(Stall(direction, 2.0))
            await listening
        heard = [sentence.text for sentence in ledger.sentences]
        assert score(heard, speech.expected_words).is_perfect
        assert ledger.reconnections == []

    limits = Limits(streams_per_key=None)
    async with running(CodedEngine(), limits=limits) as url, asyncio.TaskGroup() as tasks:
        for direction in Direction:
            tasks.create_task(keeps(urlsplit(url).port or 0, direction))
