from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sayd_cli.capture.devices import InputDevice, choose_input, find_again
from sayd_cli.capture.naming import InputKind
from sayd_cli.errors import DeviceError
from tests.conftest import PlugIn

ROOT = Path(__file__).parents[2]


def device(
    index: int, name: str, *, default: bool = False, api: str = "ALSA", channels: int = 1
) -> InputDevice:
    name, native = name.partition(" (hw:")[0], name
    return InputDevice(index, name, api, default, 48000, channels, InputKind.MICROPHONE, native)


INPUTS = [
    device(0, "HDA Intel PCH: ALC257 Analog (hw:0,0)"),
    device(2, "USB Headset: Audio (hw:1,0)"),
    device(3, "USB Camera: Audio (hw:2,0)"),
    device(7, "default", default=True),
]


@pytest.mark.parametrize(
    ("spec", "index"),
    [
        (None, 7),
        (2, 2),
        ("2", 2),
        (" 3 ", 3),
        ("headset", 2),
        ("INTEL", 0),
        ("hw:2,0", 3),
        ("default", 7),
    ],
)
def test_the_meant_one_is_found(spec: str | int | None, index: int) -> None:
    assert choose_input(INPUTS, spec).index == index


@pytest.mark.parametrize("spec", [1, 99, "99", "bluetooth", "", "  "])
def test_an_unknown_one_lists_all(spec: str | int) -> None:
    with pytest.raises(DeviceError) as caught:
        choose_input(INPUTS, spec)
    assert caught.value.exit_status == 5
    assert "matches" in caught.value.message
    assert all(f"{wanted.index} ({wanted.name})" in caught.value.remedy for wanted in INPUTS)


def test_an_ambiguous_one_lists_the_candidates_only() -> None:
    with pytest.raises(DeviceError) as caught:
        choose_input(INPUTS, "usb")
    assert "several" in caught.value.message
    assert "2 (USB Headset" in caught.value.remedy
    assert "3 (USB Camera" in caught.value.remedy
    assert "Intel" not in caught.value.remedy


def test_a_whole_name_wins_over_a_part_of_another() -> None:
    inputs = [device(0, "Microphone Array"), device(1, "Microphone")]
    assert choose_input(inputs, "microphone").index == 1


def test_of_one_microphone_under_several_systems_the_default_systems_is_meant() -> None:
    inputs = [
        device(1, "Headset", api="MME"),
        device(5, "Headset", api="Windows WASAPI"),
        device(6, "Array", api="Windows WASAPI", default=True),
    ]
    assert choose_input(inputs, "headset").index == 5


def test_a_device_that_is_back_is_known_by_its_name() -> None:
    lost = INPUTS[1]
    back = [device(0, "USB Headset: Audio (hw:4,0)"), device(1, "default", default=True)]
    assert find_again(back, lost) == back[0]
    same = device(5, lost.native_name)
    assert find_again([*back, same], lost) == same
    assert find_again([device(1, lost.native_name, api="JACK"), INPUTS[2]], lost) is None


def test_a_long_list_is_cut_short() -> None:
    inputs = [device(i, f"input {i}") for i in range(40)]
    with pytest.raises(DeviceError) as caught:
        choose_input(inputs, "none")
    assert "`sayd devices`" in caught.value.remedy
    assert len(caught.value.remedy) < 200


def test_without_a_default_the_first_is_it() -> None:
    assert choose_input(INPUTS[:2], None).index == 0


@pytest.mark.parametrize("spec", [None, "usb", 0])
def test_no_input_at_all(spec: str | int | None) -> None:
    with pytest.raises(DeviceError) as caught:
        choose_input([], spec)
    assert "no audio input" in caught.value.message
    assert "sayd listen FILE" in caught.value.remedy


def run(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.microphone
def test_inputs_are_listed_as_they_are(plug_in: PlugIn) -> None:
    microphone = plug_in(np.zeros((10, 2), dtype=np.int16), 48000, 2, plug=False)
    script = "from sayd_cli.capture.devices import *; print(*list_inputs(), sep='\\n')"
    done = run(script, microphone.environment())
    assert done.stdout.splitlines() == [
        str(InputDevice(index, name, "ALSA", is_default, 48000, 2, InputKind.MICROPHONE, name))
        for index, name, is_default in [(0, "microphone", False), (1, "default", True)]
    ]
    assert done.stderr == ""


def test_a_missing_portaudio_says_how_to_install_it() -> None:
    script = """
import ctypes.util, sys
ctypes.util.find_library = lambda name: None
sys.platform = "linux"
from sayd_cli.capture.devices import list_inputs
from sayd_cli.errors import DeviceError
try:
    list_inputs()
except DeviceError as exc:
    print(exc.message, exc.remedy, type(exc.__cause__).__name__, sep="\\n")
"""
    message, remedy, cause = run(script, {}).stdout.splitlines()
    assert message == "the PortAudio library is not installed"
    assert "apt install libportaudio2" in remedy
    assert cause == "OSError"


def test_importing_the_room_imports_no_audio_library() -> None:
    script = """
import sys
import sayd_cli.capture.devices, sayd_cli.capture.microphone
import sayd_cli.capture.file, sayd_cli.capture.pipe
print(sorted({"sounddevice", "_sounddevice", "soundfile", "soxr", "numpy"} & set(sys.modules)))
"""
    assert run(script, {}).stdout.strip() == "[]"
