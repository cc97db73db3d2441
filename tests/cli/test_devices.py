"""``sayd devices`` and its test of a microphone, in a real process with a virtual one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, command, environment, sayd
from tests.conftest import PlugIn
from tests.microphone.virtual import NAME
from tests.render.emulator import Emulator
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal is POSIX's", allow_module_level=True)

pytestmark = pytest.mark.microphone

BECKETT = recording("beckett.wav")
ZEROS = np.zeros((48000, 1), np.int16)
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def on_terminal(terminal: Emulator, *arguments: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *command("devices", "test", *arguments)],
        stdin=terminal.stream,
        stdout=terminal.stream,
        stderr=terminal.stream,
        env=environment({"TERM": "xterm-256color", **env}),
        text=True,
        start_new_session=True,
    )


def test_the_list_is_what_it_was(plug_in: PlugIn) -> None:
    env = plug_in(ZEROS, 48000).environment()
    plain = sayd("devices", env=env)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert any(
        line.split("\t")[2:5] == [NAME, "the room", "ALSA"] for line in plain.stdout.splitlines()
    )
    devices = json.loads(sayd("devices", "--json", env=env).stdout)
    assert {"index", "name", "kind", "host_api", "default", "sample_rate", "channels"} == set(
        devices[0]
    )


def test_in_a_pipe_there_is_a_line_a_second(plug_in: PlugIn) -> None:
    env = plug_in(BECKETT, 48000).environment()
    result = sayd("devices", "test", "--device", NAME, "--seconds", "3", env=env)
    assert result.returncode == 0, result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["1 s", "2 s", "3 s"]
    for _, level, peak in rows:
        assert -60 < float(level.split()[0]) < float(peak.split()[1]) < 0
    opening, verdict = result.stderr.splitlines()
    assert opening == f"sayd: {NAME}, ALSA, 48000 Hz natively"
    assert verdict.endswith("it hears well")


def test_without_a_limit_five_seconds_in_a_pipe(plug_in: PlugIn) -> None:
    result = sayd("devices", "test", env=plug_in(BECKETT, 16000).environment())
    assert len(result.stdout.splitlines()) == 5


def test_nothing_but_silence_is_an_error(plug_in: PlugIn) -> None:
    env = plug_in(ZEROS, 48000).environment()
    result = sayd("devices", "test", "--device", NAME, "--seconds", "2", env=env)
    assert result.returncode == 5
    assert [line.split("\t")[3] for line in result.stdout.splitlines()] == ["muted?"] * 2
    _, warning, error, remedy = result.stderr.splitlines()
    assert "is it muted" in warning
    assert error.startswith(f"sayd: nothing but silence: '{NAME}' gave 2")
    assert "`sayd devices`" in remedy


def test_clipping_and_quiet_are_told(plug_in: PlugIn) -> None:
    n = np.arange(48000 * 2)
    tone = np.sin(2 * np.pi * 300 * n / 48000)[:, np.newaxis]
    for gain, told in ((90000, "it clips, lower its gain"), (100, "very quiet, raise its gain")):
        samples = np.clip(tone * gain, -32768, 32767).astype(np.int16)
        env = plug_in(samples, 48000).environment()
        result = sayd("devices", "test", "--device", NAME, "--seconds", "2", env=env)
        assert result.returncode == 0
        assert told in result.stderr.splitlines()[-1]
        assert ("the microphone clips" in result.stderr) is (gain > 32768)


@pytest.mark.parametrize("end", ["key", "signal", "time"])
def test_on_a_terminal_there_is_a_meter_and_nothing_of_it_stays(plug_in: PlugIn, end: str) -> None:
    env = plug_in(BECKETT, 48000).environment()
    arguments = ("--seconds", "2") if end == "time" else ()
    with Emulator(columns=100) as terminal:
        with on_terminal(terminal, *arguments, env=env) as process:
            # Of two digits that begin with 1: speech.
            wait_until(lambda: "dBFS  peak -1" in terminal.status())
            assert "━" in terminal.status()
            assert "┃" in terminal.status()
            assert terminal.status().endswith("q stops")
            if end == "key":
                terminal.press("q")
            elif end == "signal":
                process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == 0
        wait_until(lambda: "hears well" in terminal.status() and not terminal.cursor_hidden)
        assert len(terminal.shown()) == 2


def test_a_muted_microphone_is_seen_on_a_terminal(plug_in: PlugIn) -> None:
    env = plug_in(ZEROS, 48000).environment()
    with Emulator(columns=100) as terminal, on_terminal(terminal, env=env) as process:
        wait_until(lambda: "muted?" in terminal.status())
        wait_until(lambda: "is it muted" in "\n".join(terminal.shown()))
        terminal.press("q")
        assert process.wait(LIMIT_S) == 5
        wait_until(lambda: terminal.status().startswith("      unmute it"))


def test_what_cannot_be_tested_is_said(plug_in: PlugIn) -> None:
    env = plug_in(ZEROS, 48000).environment()
    for arguments, status in (
        (("--device", "nobody"), 5),
        (("--seconds", "0"), 2),
        (("--seconds", "nan"), 2),
    ):
        result = sayd("devices", "test", *arguments, env=env)
        assert result.returncode == status
        assert 1 <= len(result.stderr.splitlines()) <= 2
        assert result.stdout == ""


def test_a_device_that_dies_does_not_hang_a_test_of_so_many_seconds(plug_in: PlugIn) -> None:
    microphone = plug_in(BECKETT, 48000)
    with subprocess.Popen(
        command("devices", "test", "--device", NAME, "--seconds", "3"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment(microphone.environment()),
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("1 s")
        microphone.die()
        _, said = process.communicate(timeout=LIMIT_S)
    assert "went away" in said
    assert process.returncode in (0, 5)
