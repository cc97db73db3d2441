"""The desktop's real path: PortAudio, ALSA's plugin, a PulseAudio server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.capture.hearing import ROOT, Hear, hear_into
from tests.microphone.pulse import MONITOR, PulseServer, pulseaudio_missing

pytestmark = pytest.mark.microphone


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PulseServer]:
    reason = pulseaudio_missing()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"in CI nothing that needs a microphone is skipped: {reason}")
        pytest.skip(reason)
    with PulseServer(tmp_path) as running:
        yield running


@pytest.fixture
def hear(tmp_path: Path) -> Hear:
    return hear_into(tmp_path / "result.json")


def share_of(frequency_hz: float, samples: NDArray[np.int16], rate_hz: int) -> float:
    """The part of the power that lies within 20 Hz of a frequency."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(samples), 1 / rate_hz) - frequency_hz) < 20
    return float(power[near].sum() / power.sum())


def test_what_the_machine_plays_is_found_and_heard(server: PulseServer, hear: Hear) -> None:
    script = """
import json
from sayd_cli.capture.devices import list_inputs
print(json.dumps([[device.name, device.kind] for device in list_inputs()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **server.environment()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [MONITOR, "monitor"] in json.loads(done.stdout)
    played = np.rint(9000 * np.sin(2 * np.pi * 440 * np.arange(48000 * 30) / 48000))
    with server.playing(played.astype(np.int16), 48000):
        heard = hear(server.environment(), device="monitor", seconds=3)
    heard.assert_continuous()
    assert heard.result["notices"] == []
    assert share_of(440, heard.samples[-16000:], 16000) > 0.99
    assert np.abs(heard.samples[-16000:]).max() == pytest.approx(9000, rel=0.05)


def test_a_sound_server_that_freezes_is_waited_for(server: PulseServer, hear: Hear) -> None:
    heard = hear(
        server.environment(), lose=f"kill -STOP {server.pid}", back=f"kill -CONT {server.pid}"
    )
    ((noticed_s, *_),) = heard.result["interruptions"]
    assert noticed_s < 2
    assert len(heard.before_and_after()[1]) >= 16000
    assert heard.stderr == ""


@pytest.mark.parametrize("fate", ["STOP", "KILL"])
def test_stopping_without_a_sound_server_ends_at_once(
    server: PulseServer, hear: Hear, fate: str
) -> None:
    heard = hear(server.environment(), lose=f"kill -{fate} {server.pid}")
    assert heard.result["interruptions"][0][0] < 2
    assert heard.result["stopping_s"] < 1
    assert heard.result["closing_s"] < 2
    assert heard.took_s < 10
    assert heard.stderr == ""


def test_what_a_sound_server_has_kept_while_the_program_was_held_up_is_no_gap(
    server: PulseServer, hear: Hear
) -> None:
    held_up = "kill -STOP $PPID; sleep 4; kill -CONT $PPID"
    heard = hear(server.environment(), disturb=held_up, seconds=8)
    assert heard.result["interruptions"] == []
    heard.assert_continuous()
    assert heard.result["notices"] == []
    # All of it came: what is captured is as long as it took.
    starts, times_s = heard.result["starts"], heard.result["times_s"]
    assert (starts[-1] - starts[0]) / 16000 == pytest.approx(times_s[-1] - times_s[0], abs=0.5)
