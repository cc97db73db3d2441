"""Runs the listener, in a process of its own, and gives what it heard."""

from __future__ import annotations

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

ROOT = Path(__file__).parents[2]


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

    def assert_continuous(self) -> None:
        """Frames follow on each other from the first sample."""
        starts, lengths = self.result["starts"], self.result["lengths"]
        assert starts == [0, *itertools.accumulate(lengths)][:-1]
        assert sum(lengths) == len(self.samples)

    def assert_placed_by_the_clock(self, rate_hz: int) -> None:
        """Frames follow on each other on both sides of the one interruption, and those after it
        stand where the clock says.
        """
        starts, lengths = self.result["starts"], self.result["lengths"]
        times_s = self.result["times_s"]
        ((_, cut, _, _),) = self.result["interruptions"]
        assert starts[:cut] == [0, *itertools.accumulate(lengths[: cut - 1])]
        assert starts[cut:] == list(itertools.accumulate(lengths[cut:-1], initial=starts[cut]))
        # A device that was frozen may give at once what it has kept. Later a frame comes as soon
        # as it is full.
        late = len(starts) - 3
        late_s = times_s[late] - times_s[0] + lengths[0] / rate_hz
        assert (starts[late] + lengths[late]) / rate_hz == pytest.approx(late_s, abs=0.3)


Hear = Callable[..., Heard]


def hear_into(path: Path) -> Hear:
    """``hear(environment, *options, **options_with_values)``; the options are the listener's."""

    def hear(environment: dict[str, str], *options: str | Path, **named: Any) -> Heard:
        process = start_listener(path, environment, *options, **named)
        return finish_listener(path, process)

    return hear


def start_listener(
    path: Path, environment: dict[str, str], *options: str | Path, **named: Any
) -> subprocess.Popen[str]:
    words = [str(word) for name, value in named.items() for word in (f"--{name}", value)]
    path.with_suffix(".began").write_text(str(time.monotonic()))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.capture.listener", path, *options, *words],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish_listener(path: Path, process: subprocess.Popen[str]) -> Heard:
    with process:
        try:
            _, stderr = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 0, stderr
    took_s = time.monotonic() - float(path.with_suffix(".began").read_text())
    samples = np.frombuffer(path.with_suffix(".pcm").read_bytes(), "<i2")
    return Heard(json.loads(path.read_text()), samples, stderr, took_s)
