"""What capture alone costs, and whether it loses a sample while the machine is busy.

    python -m tests.benchmarks.capture [--seconds 30]
    python -m tests.benchmarks.capture --minutes 10

The first measures, on virtual microphones, the CPU time of a process that captures and throws away,
without its start, and PortAudio with an empty callback beside it: what remains is ours. The second
captures for long with a core kept busy, and compares every sample.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sayd_cli.capture.microphone import Microphone
from sayd_cli.model.audio import Frame
from tests.microphone.virtual import VirtualMicrophone, build_plugin

RATE_HZ = 16000
_WARM_UP_S = 2.0
_BUSY = "while True: pass"


@dataclass(frozen=True, slots=True)
class Endurance:
    """What a long capture gave.

    Attributes:
        samples: How many were captured.
        wrong: How many of them are not those of the recording.
        elapsed_s: By the clock.
        notices: What the microphone had to say at the end.
    """

    samples: int
    wrong: int
    elapsed_s: float
    notices: list[str]


def endure(plugin: Path, directory: Path, seconds: float) -> Endurance:
    """Capture for so long from a native microphone, in a process of its own, with another that
    keeps a core busy, and compare.
    """
    length = round((seconds + 5) * RATE_HZ)
    recording = np.random.default_rng(1).integers(-9000, 9000, length).astype(np.int16)
    microphone = VirtualMicrophone(plugin, directory, recording, RATE_HZ, plug=False)
    got = directory / "captured.raw"
    with subprocess.Popen([sys.executable, "-c", _BUSY]) as busy:
        try:
            told = _child(microphone, "record", str(got), str(seconds), limit_s=seconds + 60)
        finally:
            busy.kill()
    captured = np.fromfile(got, "<i2")
    wrong = int(np.count_nonzero(captured != recording[: len(captured)]))
    return Endurance(len(captured), wrong, told["elapsed_s"], told["notices"])


def cost(plugin: Path, directory: Path, native_hz: int, seconds: float, what: str) -> float:
    """The part of a core that ``what``, ``measure`` or ``empty``, takes for so long."""
    recording = np.random.default_rng(1).integers(-9000, 9000, native_hz * 5).astype(np.int16)
    microphone = VirtualMicrophone(plugin, directory, recording, native_hz, plug=False)
    told = _child(microphone, what, str(seconds), str(native_hz), limit_s=seconds + 60)
    return float(told["cpu_s"] / told["elapsed_s"])


def _child(microphone: VirtualMicrophone, *arguments: str, limit_s: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.capture", *arguments],
        env={**os.environ, **microphone.environment()},
        stdout=subprocess.PIPE,
        timeout=limit_s,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def _record(path: Path, seconds: float) -> dict[str, Any]:
    began_s = time.monotonic()
    expected = 0
    async with Microphone(None, RATE_HZ) as source:
        with path.open("wb") as file:
            async for frame in source.frames():
                assert isinstance(frame, Frame)
                assert frame.start_sample == expected
                expected = frame.end_sample
                file.write(frame.pcm)
                if frame.end_s >= seconds:
                    source.stop()
    return {"elapsed_s": time.monotonic() - began_s, "notices": source.notices()}


async def _measure(seconds: float) -> dict[str, Any]:
    async with Microphone(None, RATE_HZ) as source:
        frames = source.frames()
        began = None
        async for frame in frames:
            assert isinstance(frame, Frame)
            if began is None and frame.end_s >= _WARM_UP_S:
                began = time.monotonic(), time.process_time()
            if began is not None and time.monotonic() - began[0] >= seconds:
                break
        assert began is not None
        return {
            "elapsed_s": time.monotonic() - began[0],
            "cpu_s": time.process_time() - began[1],
        }


def _empty(seconds: float, native_hz: int) -> dict[str, Any]:
    import sounddevice

    with sounddevice.RawInputStream(
        samplerate=native_hz,
        blocksize=native_hz // 10,
        channels=1,
        dtype="int16",
        latency=0.4,
        callback=lambda block, frames, when, status: None,
    ):
        time.sleep(_WARM_UP_S)
        began = time.monotonic(), time.process_time()
        time.sleep(seconds)
        return {"elapsed_s": time.monotonic() - began[0], "cpu_s": time.process_time() - began[1]}


def main(arguments: list[str]) -> int:
    """Print the figures; 1 when a sample was lost."""
    if arguments and arguments[0] in ("record", "measure", "empty"):
        print(json.dumps(_in_child(*arguments)))
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.capture")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--minutes", type=float, help="the long capture, for so long")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        plugin = build_plugin(directory)
        if options.minutes is not None:
            result = endure(plugin, directory, options.minutes * 60)
            print(result)
            return 1 if result.wrong or result.notices else 0
        print("device       ours  target   an empty callback")
        for native_hz, target in ((16000, 0.01), (48000, 0.02)):
            ours = cost(plugin, directory, native_hz, options.seconds, "measure")
            empty = cost(plugin, directory, native_hz, options.seconds, "empty")
            print(f"{native_hz:5} Hz {ours:7.2%} {target:7.0%} {empty:19.2%}")
    return 0


def _in_child(what: str, *arguments: str) -> dict[str, Any]:
    if what == "record":
        return asyncio.run(_record(Path(arguments[0]), float(arguments[1])))
    if what == "measure":
        return asyncio.run(_measure(float(arguments[0])))
    return _empty(float(arguments[0]), int(arguments[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
