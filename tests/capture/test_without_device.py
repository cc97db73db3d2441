"""A sound server that hangs, or is not there, is nobody's business who reads a file or a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.capture.hearing import ROOT

HANGING = "import threading; threading.Event().wait()"
FAILING = "raise OSError('PortAudio library not found')"


@pytest.mark.parametrize("sounddevice", [HANGING, FAILING])
@pytest.mark.parametrize("source", ["file", "pipe"])
def test_files_and_pipes_are_heard(tmp_path: Path, sounddevice: str, source: str) -> None:
    (tmp_path / "sounddevice.py").write_text(sounddevice)
    recording = tmp_path / "silence.wav"
    soundfile.write(recording, np.zeros(16000, dtype=np.int16), 16000)
    command = [sys.executable, "-m", "sayd_cli.cli.main", "listen", "--local"]
    with recording.open("rb") as stdin:
        done = subprocess.run(
            [*command, "-" if source == "pipe" else str(recording)],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            cwd=ROOT,
            stdin=stdin if source == "pipe" else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_help_is_given(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text(HANGING)
    done = subprocess.run(
        [sys.executable, "-m", "sayd_cli.cli.main", "devices", "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "devices" in done.stdout
