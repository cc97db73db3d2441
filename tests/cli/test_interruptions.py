"""A microphone that goes and comes back, a pause, a recording: the real process."""

from __future__ import annotations

import json
import os
import signal
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, running, sayd
from tests.cli.test_terminal import on_terminal
from tests.conftest import PlugIn
from tests.engine.wer import normalized_words
from tests.microphone.virtual import VirtualMicrophone
from tests.render.emulator import Emulator
from tests.waiting import wait_until

BECKETT = recording("beckett.wav")


@pytest.mark.microphone
@pytest.mark.parametrize(
    ("lose", "give_back"),
    [
        (VirtualMicrophone.die, VirtualMicrophone.revive),
        (VirtualMicrophone.freeze, VirtualMicrophone.thaw),
    ],
)
def test_a_microphone_that_goes_and_comes_back(
    plug_in: PlugIn,
    tmp_path: Path,
    lose: Callable[[VirtualMicrophone], None],
    give_back: Callable[[VirtualMicrophone], None],
) -> None:
    microphone = plug_in(BECKETT, 48000, 2, plug=False)
    taped = tmp_path / "taped.wav"
    with running(
        "listen", "--local", "-f", "jsonl", "--record", str(taped), env=microphone.environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        lose(microphone)
        assert "went away" in process.stderr.readline()
        give_back(microphone)
        while lines[-1]["type"] != "gap":
            lines.append(json.loads(process.stdout.readline()))
        gap = lines[-1]
        # The virtual microphone goes on where real time is by now, or begins anew.
        while lines[-1]["type"] != "sentence" or lines[-1]["start"] < gap["end"] - 0.001:
            lines.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=LIMIT_S)
        lines.extend(map(json.loads, rest.splitlines()))
    assert process.returncode == 0
    assert lines[0]["type"] == "session"
    assert gap["reason"] == "device"
    assert 0 < gap["start"] < gap["end"]
    # A service that is behind tells of a sentence before the gap when the gap is known already.
    sentences = [line for line in lines if line["type"] == "sentence"]
    before = [line for line in sentences if line["end"] <= gap["start"] + 0.001]
    after = [line for line in sentences if line["start"] >= gap["end"] - 0.001]
    assert before
    assert after
    assert len(before) + len(after) == len(sentences)
    (end,) = (line for line in lines if line["type"] == "end")
    assert end["reason"] == "interrupt"
    with wave.open(str(taped)) as tape:
        taped_s = tape.getnframes() / tape.getframerate()
    # A second of silence is put in where the microphone went.
    assert taped_s == pytest.approx(end["duration"] - (gap["end"] - gap["start"]) + 1, abs=0.01)


@pytest.mark.microphone
def test_space_pauses_and_q_stops(plug_in: PlugIn, tmp_path: Path) -> None:
    microphone = plug_in(BECKETT, 16000)
    taped = tmp_path / "taped.wav"
    with Emulator() as terminal:
        line = ("listen", "--local", "--record", str(taped))
        with on_terminal(terminal, *line, env=microphone.environment()) as process:
            wait_until(lambda: "Space pauses" in terminal.status())
            terminal.press(" ")
            wait_until(lambda: "paused" in terminal.status())
            paused_bytes = taped.stat().st_size
            wait_until(lambda: "Space to go on" in terminal.status())
            assert taped.stat().st_size == paused_bytes
            terminal.press(" ")
            wait_until(lambda: "listening" in terminal.status())
            wait_until(lambda: taped.stat().st_size > paused_bytes)
            terminal.press("q")
            assert process.wait(LIMIT_S) == 0
        assert not terminal.cursor_hidden


def test_a_recording_is_what_was_sent(tmp_path: Path) -> None:
    taped = tmp_path / "taped.wav"
    heard = sayd("listen", str(BECKETT), "--local", "--record", str(taped))
    assert heard.returncode == 0
    original, _ = soundfile.read(BECKETT, dtype="int16")
    again, rate_hz = soundfile.read(taped, dtype="int16")
    assert rate_hz == 16000
    assert np.array_equal(original, again)
    assert normalized_words(sayd("listen", str(taped), "--local").stdout) == normalized_words(
        heard.stdout
    )


def test_a_recording_is_whole_after_being_killed(tmp_path: Path) -> None:
    taped = tmp_path / "taped.wav"
    line = ["listen", str(BECKETT), "--local", "--pace", "realtime", "--record", str(taped)]
    with running(*line) as process:
        wait_until(lambda: taped.exists() and taped.stat().st_size > 32_000)
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
    original, _ = soundfile.read(BECKETT, dtype="int16")
    with wave.open(str(taped)) as tape:
        frames = tape.readframes(tape.getnframes())
    assert len(frames) >= 31_900
    assert original.tobytes().startswith(frames)


def test_a_recording_that_cannot_be_made_is_refused_before_anything_is_heard(
    tmp_path: Path,
) -> None:
    for path in (tmp_path, tmp_path / "no" / "folder.wav"):
        result = sayd("listen", str(BECKETT), "--local", "--record", str(path))
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) <= 2
    copy = tmp_path / "speech.wav"
    copy.write_bytes(BECKETT.read_bytes())
    os.link(copy, tmp_path / "link.wav")
    result = sayd("listen", str(copy), "--local", "--record", str(tmp_path / "link.wav"))
    assert result.returncode == 2
    assert copy.read_bytes() == BECKETT.read_bytes()
