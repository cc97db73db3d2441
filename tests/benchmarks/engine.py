"""What the embedded engine hears in recordings of real speech, and what that costs.

    python -m tests.benchmarks.engine

Each recording goes through an engine's stream as fast as it is taken: no server, no pacing. Other
work on the machine shows in the last column, hardly in the one before.
"""

from __future__ import annotations

import asyncio
import time

from sayd_cli.engine.embedded import EmbeddedEngine
from tests.engine.listening import hear
from tests.engine.references import BECKETT, TWO_CITIES
from tests.engine.signals import pcm16, speech
from tests.engine.wer import word_error_rate

_RECORDINGS = {"two_cities.wav": TWO_CITIES, "beckett.wav": BECKETT}


async def main() -> None:
    """Print the table."""
    engine = EmbeddedEngine()
    await engine.start()
    print("recording            rate   length     WER  CPU s/s x realtime")
    try:
        for name, said in _RECORDINGS.items():
            for rate_hz in (16000, 8000):
                print(await _row(engine, name, said, rate_hz))
    finally:
        await engine.close()


async def _row(engine: EmbeddedEngine, name: str, said: str, rate_hz: int) -> str:
    pcm = pcm16(speech(name, rate_hz))
    length_s = len(pcm) / 2 / rate_hz
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    heard = await hear(engine, pcm, rate_hz)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return (
        f"{name:16} {rate_hz:5} Hz {length_s:6.1f} s {word_error_rate(said, heard.text):7.1%}"
        f" {cpu_s / length_s:8.3f} {length_s / wall_s:10.1f}"
    )


if __name__ == "__main__":
    asyncio.run(main())
