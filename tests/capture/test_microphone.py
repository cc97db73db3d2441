from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sayd_cli.capture.microphone import Microphone
from sayd_cli.listening.ports import Source
from tests.conftest import PlugIn
from tests.microphone.virtual import no_microphone

Hear = Callable[..., "Heard"]
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.microphone


@dataclass(frozen=True)
class Heard:
    result: dict[str, Any]
    samples: NDArray[np.int16]
    stderr: str
    took_s: float

    @property
    def error(self) -> tuple[str, str]:
        kind, message, remedy = self.result["opening_error"]
        assert kind == "DeviceError"
        return message, remedy

    def before_and_after(self) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """The samples on both sides of the one interruption."""
        ((_, frames, _, _),) = self.result["interruptions"]
        cut = sum(self.result["lengths"][:frames])
        return self.samples[:cut], self.samples[cut:]


@pytest.fixture
def hear(tmp_path: Path) -> Hear:
    def run(environment: dict[str, str], *options: str | Path, **named: Any) -> Heard:
        path = tmp_path / "result.json"
        words = [str(word) for name, value in named.items() for word in (f"--{name}", value)]
        began_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.capture.listener", path, *options, *words],
            env={**os.environ, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        samples = np.frombuffer(path.with_suffix(".pcm").read_bytes(), "<i2")
        took_s = time.monotonic() - began_s
        return Heard(json.loads(path.read_text()), samples, done.stderr, took_s)

    return run


def noise(rate_hz: int, seconds: float = 6) -> NDArray[np.int16]:
    length = int(rate_hz * seconds)
    return np.random.default_rng(7).integers(-9000, 9000, length).astype(np.int16)


def assert_continuous(heard: Heard) -> None:
    assert heard.result["starts"] == [0, *itertools.accumulate(heard.result["lengths"])][:-1]
    assert sum(heard.result["lengths"]) == len(heard.samples)


@pytest.mark.parametrize("rate_hz", [16000, 8000])
@pytest.mark.parametrize("plug", [True, False])
def test_native_capture_is_exact_from_the_first_sample(
    plug_in: PlugIn, hear: Hear, rate_hz: int, plug: bool
) -> None:
    recording = noise(rate_hz)
    heard = hear(plug_in(recording, rate_hz, plug=plug).environment(), rate=rate_hz)
    assert np.array_equal(heard.samples, recording[: len(heard.samples)])
    assert_continuous(heard)
    assert len(heard.samples) >= rate_hz
    assert heard.result["notices"] == []
    assert not heard.result["numpy"]
    assert heard.stderr == ""


def test_stopping_gives_what_was_still_in_the_device(plug_in: PlugIn, hear: Hear) -> None:
    heard = hear(plug_in(noise(16000), 16000).environment(), seconds=0.5)
    # The frame at which it was stopped ended just past 0.5 s; blocks of 50 ms followed.
    assert 0.55 * 16000 < len(heard.samples) < 1.5 * 16000
    assert heard.result["stopping_s"] < 2
    assert heard.result["closing_s"] < 2


def test_a_blocked_event_loop_loses_nothing(plug_in: PlugIn, hear: Hear) -> None:
    recording = noise(16000)
    heard = hear(plug_in(recording, 16000).environment(), "--blocked", seconds=2.5)
    assert len(heard.samples) >= 2.5 * 16000
    assert np.array_equal(heard.samples, recording[: len(heard.samples)])
    assert_continuous(heard)
    assert heard.result["notices"] == []


@pytest.mark.parametrize(("native_hz", "channels"), [(48000, 1), (48000, 2), (44100, 2), (8000, 1)])
def test_a_device_of_another_rate_is_converted(
    plug_in: PlugIn, hear: Hear, native_hz: int, channels: int
) -> None:
    def speech_like(rate_hz: int) -> NDArray[np.float64]:
        times = np.arange(int(3 * rate_hz)) / rate_hz
        tones = [
            np.sin(2 * np.pi * f * times + f) * (1 + np.sin(f * times)) for f in (170, 900, 2950)
        ]
        samples: NDArray[np.float64] = 3000 * np.sum(tones, axis=0)
        return samples

    recording = np.repeat(speech_like(native_hz)[:, np.newaxis].astype(np.int16), channels, axis=1)
    microphone = plug_in(recording, native_hz, channels, plug=False)
    heard = hear(microphone.environment(), seconds=1.5)
    wanted = speech_like(16000)[: len(heard.samples)]
    assert len(heard.samples) >= 1.5 * 16000
    assert_continuous(heard)
    assert np.corrcoef(heard.samples, wanted)[0, 1] > 0.999
    # Its ends ring, where sound begins and breaks off at once.
    assert np.abs(heard.samples - wanted)[400:-400].max() < 5
    assert heard.stderr == ""


@pytest.mark.parametrize("fate", ["gone", "stall"])
@pytest.mark.parametrize(
    ("native_hz", "channels", "rate_hz"), [(16000, 1, 16000), (44100, 2, 8000)]
)
def test_a_device_that_comes_back_is_heard_again(
    plug_in: PlugIn, hear: Hear, fate: str, native_hz: int, channels: int, rate_hz: int
) -> None:
    tone = np.sin(np.arange(native_hz * 20) / native_hz * 2 * np.pi * 440) * 9000
    recording = np.repeat(tone[:, np.newaxis].astype(np.int16), channels, axis=1)
    microphone = plug_in(recording, native_hz, channels, plug=False)
    switch = getattr(microphone, fate)
    heard = hear(microphone.environment(), lose=switch, away=1.2, rate=rate_hz)
    ((noticed_s, cut, reason, message),) = heard.result["interruptions"]
    assert noticed_s < 2
    assert (reason, message) == (
        "device",
        "the microphone 'default' went away; waiting for it",
    )
    starts, lengths = heard.result["starts"], heard.result["lengths"]
    times_s = heard.result["times_s"]
    assert starts[:cut] == [0, *itertools.accumulate(lengths[: cut - 1])]
    assert starts[cut:] == [
        starts[cut] + length for length in [0, *itertools.accumulate(lengths[cut:])][:-1]
    ]
    # Once a frame comes as soon as it is full, its place is that of the clock.
    late = len(starts) - 3
    late_s = times_s[late] - times_s[0] + lengths[0] / rate_hz
    assert (starts[late] + lengths[late]) / rate_hz == pytest.approx(late_s, abs=0.3)
    before, after = heard.before_and_after()
    assert len(before) >= rate_hz
    assert len(after) >= rate_hz
    # Each side is the recording from its beginning, to the end of what was captured.
    for side in (before, after):
        wanted = np.sin(np.arange(len(side)) / rate_hz * 2 * np.pi * 440) * 9000
        assert np.abs(side - wanted)[400:-400].max() < 30
    assert heard.result["device_while_away"] is None
    assert heard.result["notices"] == []
    assert heard.stderr == ""


@pytest.mark.parametrize("fate", ["gone", "stall"])
def test_stopping_while_a_device_is_away_ends_at_once(
    plug_in: PlugIn, hear: Hear, fate: str
) -> None:
    recording = noise(16000)
    microphone = plug_in(recording, 16000)
    heard = hear(microphone.environment(), lose=getattr(microphone, fate), seconds=0.5)
    assert len(heard.result["interruptions"]) == 1
    assert np.array_equal(heard.samples, recording[: len(heard.samples)])
    assert heard.result["stopping_s"] < 1
    assert heard.result["closing_s"] < 2
    assert heard.took_s < 10
    assert heard.stderr == ""


def test_a_device_is_found_by_a_part_of_its_name(plug_in: PlugIn, hear: Hear) -> None:
    heard = hear(plug_in(noise(16000), 16000).environment(), device="MICRO", seconds=0.2)
    assert len(heard.samples) >= 0.2 * 16000


def test_an_unknown_device_names_the_candidates(plug_in: PlugIn, hear: Hear) -> None:
    heard = hear(plug_in(noise(16000), 16000).environment(), device="headset")
    message, remedy = heard.error
    assert message == "no audio input matches 'headset'"
    assert remedy == "use --device with one of: 0 (microphone), 1 (default)"


def test_no_device_at_all(hear: Hear, tmp_path: Path) -> None:
    heard = hear(no_microphone(tmp_path))
    message, remedy = heard.error
    assert message == "no audio input was found"
    assert "sayd demo" in remedy
    assert heard.stderr == ""


def test_a_device_that_is_gone_cannot_be_opened(plug_in: PlugIn, hear: Hear) -> None:
    microphone = plug_in(noise(16000), 16000)
    microphone.die()
    heard = hear(microphone.environment())
    assert heard.error[0] == "no audio input was found"


def run(script: str, environment: dict[str, str]) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout, done.stderr


def test_a_device_that_hangs_when_closed_is_left_behind(plug_in: PlugIn) -> None:
    script = """
import asyncio, threading
import sounddevice
from sayd_cli.capture.microphone import Microphone
sounddevice.RawInputStream.abort = lambda self: threading.Event().wait()
async def main():
    async with Microphone(None, 16000) as source:
        async for frame in source.frames():
            source.stop()
asyncio.run(main())
print("left")
"""
    assert run(script, plug_in(noise(16000), 16000).environment())[0] == "left\n"


def test_a_sound_server_that_hangs_is_an_error_and_standard_error_is_given_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "sounddevice.py").write_text("import threading; threading.Event().wait()")
    script = """
import asyncio, os, sys
sys.path.insert(0, os.environ["HANGING"])
from sayd_cli.capture import microphone
from sayd_cli.errors import DeviceError
microphone._OPEN_LIMIT_S = 0.2
try:
    asyncio.run(microphone.Microphone(None, 16000).__aenter__())
except DeviceError as exc:
    print(exc.message, file=sys.stderr)
"""
    _, stderr = run(script, {"HANGING": str(tmp_path)})
    assert stderr == "the audio system does not answer\n"


async def test_it_fits_the_port_and_can_be_left_unentered() -> None:
    source: Source = Microphone(None, 16000)
    assert source.live
    source.stop()
    assert source.notices() == []
    await source.__aexit__(None, None, None)
    await asyncio.sleep(0)
