"""What holds no words gives none, at any level: the classic mistake here is "You"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from sayd_cli.engine.embedded import EmbeddedEngine
from tests.engine.listening import hear
from tests.engine.signals import (
    at_level,
    chords,
    hum,
    pcm16,
    pink_noise,
    speech,
    tone,
    white_noise,
)

if TYPE_CHECKING:
    from tests.engine.signals import Samples

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 12
SIGNALS: dict[str, Callable[[int], Samples]] = {
    "white noise": white_noise,
    "pink noise": pink_noise,
    "tone at 220 Hz": lambda length: tone(length, 220),
    "tone at 1 kHz": lambda length: tone(length, 1000),
    "hum": hum,
    "chords": chords,
}


@pytest.mark.parametrize("level_dbfs", [-90, -70, -50, -30, -12])
@pytest.mark.parametrize("signal", SIGNALS)
async def test_noise_and_music(engine: EmbeddedEngine, signal: str, level_dbfs: float) -> None:
    pcm = at_level(SIGNALS[signal](SECONDS * 16000), level_dbfs)
    assert (await hear(engine, pcm)).events == ()


@pytest.mark.parametrize("sample_rate_hz", [16000, 8000])
async def test_digital_silence(engine: EmbeddedEngine, sample_rate_hz: int) -> None:
    pcm = bytes(sample_rate_hz * 2 * SECONDS)
    assert (await hear(engine, pcm, sample_rate_hz)).events == ()


async def test_noise_that_starts_and_stops(engine: EmbeddedEngine) -> None:
    noise = at_level(pink_noise(16000), -30)
    assert (await hear(engine, (noise + bytes(32000)) * 6)).events == ()


@pytest.mark.parametrize("name", ["success.wav", "error.wav"])
@pytest.mark.parametrize("gain_db", [0, -40])
async def test_chimes(engine: EmbeddedEngine, name: str, gain_db: float) -> None:
    pcm = pcm16(speech(name, 16000), gain_db)
    assert (await hear(engine, pcm + bytes(16000) + pcm)).events == ()


async def test_the_room_around_speech_is_not_lifted_into_words(engine: EmbeddedEngine) -> None:
    # 1.1 s of a real room before the first word, over and over: 30 s of it.
    room = pcm16(speech("two_cities.wav", 16000)[1600 : int(1.0 * 16000)])
    assert (await hear(engine, room * 30)).events == ()


@pytest.mark.parametrize(
    ("sample_rate_hz", "offset"), [(16000, 0), (16000, 64), (16000, 256), (8000, 64), (8000, 448)]
)
async def test_a_click_after_speech(
    engine: EmbeddedEngine, sample_rate_hz: int, offset: int
) -> None:
    # At 42.9 s, 1.2 s after the last word. Where the hops fall on it decides what the detector
    # makes of it: at these offsets (in samples at 16 kHz) one or both were taken for speech.
    samples = speech("two_cities.wav", sample_rate_hz)[36 * sample_rate_hz :]
    pcm = pcm16(samples)
    heard = await hear(engine, pcm[offset * sample_rate_hz // 16000 * 2 :] + pcm, sample_rate_hz)
    pass_s = len(samples) / sample_rate_hz
    ends_s = [final.end_s for final in heard.finals if final.end_s is not None]
    assert len(ends_s) >= 2
    # The last words end at 41.7 s.
    assert all(end_s % pass_s < 6.2 for end_s in ends_s)


@pytest.mark.parametrize("sample_rate_hz", [16000, 8000])
@pytest.mark.parametrize("pcm", [b"", bytes(2), bytes(1022), bytes(1024)])
async def test_hardly_any_audio(engine: EmbeddedEngine, pcm: bytes, sample_rate_hz: int) -> None:
    assert (await hear(engine, pcm, sample_rate_hz)).events == ()
