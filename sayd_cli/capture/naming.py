"""What inputs are called, and which of them are no microphones: from PortAudio's names alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

_ALSA_ADDRESS = re.compile(r"\s*\((?:plug)?hw:[^()]*\)$")
_ALSA_GENERIC = re.compile(r":\s*(?:USB Audio|Audio|-|)\s*$", re.IGNORECASE)
# Windows, for Bluetooth: Headset (@System32\drivers\bthhfenum.sys,#2;%1 Hands-Free%0 ;(Buds))
_WINDOWS_RESOURCE = re.compile(r"\(@System32\\.*?;\s*\((.*?)\)\)", re.IGNORECASE)
_MME_NAME_LIMIT = 31
_MONITOR = re.compile(
    r"\bmonitor of\b"  # PulseAudio, PipeWire
    r"|[._ -]monitor$|^monitor$"  # PulseAudio's source names, and PCMs named after them
    r"|\bstereo ?mix\b|\bwhat u hear\b|\bwave out mix\b"  # Windows, by the maker of the card
    r"|\bcable(?:-[a-d])? output\b|\bvoicemeeter\b.*\bout\b"  # VB-Audio
    r"|\bloopback\b"  # WASAPI, ALSA's snd-aloop, Rogue Amoeba
    r"|\bblackhole\b|\bsoundflower\b",  # macOS
    re.IGNORECASE,
)


class InputKind(StrEnum):
    """What an input hears."""

    MICROPHONE = "microphone"
    MONITOR = "monitor"
    """What the machine itself plays."""


def kind_of(native_name: str) -> InputKind:
    """What an input of this name hears. A guess, as names are all there is."""
    return InputKind.MONITOR if _MONITOR.search(native_name) else InputKind.MICROPHONE


def readable_names(native_names: Sequence[str]) -> list[str]:
    """PortAudio's names of the inputs of one audio system, as people would call them.

    An address, as in ``(hw:1,0)``, stays where two would be called the same without it.
    """
    names = [_readable(name) for name in native_names]
    often = Counter(names)
    return [
        name if often[name] == 1 else " ".join(native.split())
        for name, native in zip(names, native_names, strict=True)
    ]


def without_address(name: str) -> str:
    """A name without the part that may change when the device is plugged in again."""
    return _ALSA_ADDRESS.sub("", name)


def _readable(native_name: str) -> str:
    name = " ".join(native_name.split())
    addressless = without_address(name)
    if addressless != name:
        name = _ALSA_GENERIC.sub("", addressless)
    name = _WINDOWS_RESOURCE.sub(r"(\1)", name)
    if len(native_name) == _MME_NAME_LIMIT and name.count("(") > name.count(")"):
        name += "…)"
    return name
