"""Runs audio through an engine's stream and gives back what it heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sayd_cli.engine.port import Engine, EngineStream
from sayd_cli.model.events import Final, Partial


@dataclass(frozen=True, slots=True)
class Heard:
    events: tuple[Partial | Final, ...]

    @property
    def finals(self) -> tuple[Final, ...]:
        return tuple(event for event in self.events if isinstance(event, Final))

    @property
    def text(self) -> str:
        return " ".join(final.text for final in self.finals)


async def collect(stream: EngineStream) -> Heard:
    return Heard(tuple([event async for event in stream.events()]))


async def hear(
    engine: Engine, pcm: bytes, sample_rate_hz: int = 16000, chunk_ms: int = 100
) -> Heard:
    """Feed a whole recording as fast as it is taken."""
    stream = engine.open_stream(sample_rate_hz)
    listening = asyncio.create_task(collect(stream))
    chunk_bytes = sample_rate_hz * chunk_ms // 1000 * 2
    try:
        for at in range(0, len(pcm), chunk_bytes):
            await stream.feed(pcm[at : at + chunk_bytes])
        await stream.finish()
        return await listening
    finally:
        await stream.close()
