from __future__ import annotations

import pytest

from sayd_cli.capture.naming import InputKind, kind_of, readable_names, without_address


@pytest.mark.parametrize(
    ("native", "readable"),
    [
        ("HDA Intel PCH: ALC257 Analog (hw:0,0)", "HDA Intel PCH: ALC257 Analog"),
        ("Blue Yeti: USB Audio (hw:2,0)", "Blue Yeti"),
        ("sof-hda-dsp: - (hw:1,6)", "sof-hda-dsp"),
        ("Loopback: PCM (hw:3,1)", "Loopback: PCM"),
        ("default", "default"),
        ("MacBook Pro Microphone", "MacBook Pro Microphone"),
        ("Microphone (Realtek(R) Audio)", "Microphone (Realtek(R) Audio)"),
        ("Microphone (2- High Definition ", "Microphone (2- High Definition…)"),
        (
            "Headset (@System32\\drivers\\bthhfenum.sys,#2;%1 Hands-Free%0\r\n;(WH-1000XM4))",
            "Headset (WH-1000XM4)",
        ),
        ("麦克风 (USB Audio Device)", "麦克风 (USB Audio Device)"),
        ("", ""),
    ],
)
def test_names_are_readable(native: str, readable: str) -> None:
    assert readable_names([native]) == [readable]


def test_two_of_a_kind_keep_their_addresses() -> None:
    names = ["Yeti: USB Audio (hw:1,0)", "Yeti: USB Audio (hw:2,0)", "Camera: USB Audio (hw:3,0)"]
    assert readable_names(names) == [*names[:2], "Camera"]


def test_the_address_is_what_changes() -> None:
    assert without_address("Yeti: USB Audio (hw:1,0)") == "Yeti: USB Audio"
    assert without_address("Microphone (Realtek)") == "Microphone (Realtek)"


@pytest.mark.parametrize(
    "name",
    [
        "Monitor of Built-in Audio Analog Stereo",
        "alsa_output.pci-0000_00_1f.3.analog-stereo.monitor",
        "speaker_monitor",
        "Stereo Mix (Realtek(R) Audio)",
        "What U Hear (Sound Blaster)",
        "CABLE Output (VB-Audio Virtual Cable)",
        "CABLE-A Output (VB-Audio Cable A)",
        "Speakers (Realtek(R) Audio) [Loopback]",
        "Loopback: PCM (hw:3,1)",
        "BlackHole 2ch",
        "Loopback Audio",
        "Soundflower (2ch)",
    ],
)
def test_what_the_machine_plays_is_known(name: str) -> None:
    assert kind_of(name) is InputKind.MONITOR


@pytest.mark.parametrize(
    "name",
    [
        "default",
        "pulse",
        "HDA Intel PCH: ALC257 Analog (hw:0,0)",
        "MacBook Pro Microphone",
        "Microphone Array (Intel Smart Sound)",
        "Dell Monitor Webcam Microphone",
        "Line In (Cable)",
    ],
)
def test_a_microphone_is_none(name: str) -> None:
    assert kind_of(name) is InputKind.MICROPHONE
