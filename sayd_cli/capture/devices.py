"""Which inputs there are, and which one is meant. Opens none of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sayd_cli.capture.stderr import native_stderr
from sayd_cli.errors import DeviceError

_log = logging.getLogger(__name__)

_NAMED_IN_A_REMEDY = 6
_WITHOUT = "or do without: `sayd listen FILE`, `sayd demo`"


@dataclass(frozen=True, slots=True)
class InputDevice:
    """An audio input, as PortAudio describes it.

    Attributes:
        index: PortAudio's number for it; changes as devices come and go.
        name: Its name.
        host_api: The audio system it belongs to, such as "ALSA" or "Core Audio".
        is_default: It is the one used when none is named.
        sample_rate_hz: Its native rate.
        channels: The most channels it can be opened with.
    """

    index: int
    name: str
    host_api: str
    is_default: bool
    sample_rate_hz: int
    channels: int


def list_inputs() -> tuple[InputDevice, ...]:
    """All inputs, in PortAudio's order; none is not an error. Blocks: for tens of milliseconds,
    or for ever behind a frozen sound server.

    Raises:
        DeviceError: The audio system cannot be asked.
    """
    with native_stderr(_log):
        return query_inputs()


def find_input(spec: str | int | None) -> InputDevice:
    """The input that is meant. Blocks as ``list_inputs`` does.

    Args:
        spec: An index, or a name or a part of one in any case; None is the default.

    Raises:
        DeviceError: There is none, or there are several; the remedy names the candidates.
    """
    return choose_input(list_inputs(), spec)


def load_sounddevice() -> Any:
    """The module ``sounddevice``; importing it asks the audio system for its devices.

    Raises:
        DeviceError: PortAudio is missing, or does not start.
    """
    try:
        import sounddevice
    except OSError as exc:
        raise DeviceError("the PortAudio library is not installed", _install_portaudio()) from exc
    except Exception as exc:
        # sounddevice.PortAudioError, which has no name yet while its module is imported.
        raise DeviceError(f"the audio system does not start: {exc}", _WITHOUT) from exc
    return sounddevice


def query_inputs() -> tuple[InputDevice, ...]:
    """As ``list_inputs``, but leaves file descriptor 2 to the caller."""
    sounddevice = load_sounddevice()
    try:
        devices = sounddevice.query_devices()
        host_apis = sounddevice.query_hostapis()
        default_index = sounddevice.default.device[0]
    except sounddevice.PortAudioError as exc:
        raise DeviceError(f"the audio system does not answer: {exc}", _WITHOUT) from exc
    return tuple(
        InputDevice(
            index=device["index"],
            name=device["name"],
            host_api=host_apis[device["hostapi"]]["name"],
            is_default=device["index"] == default_index,
            sample_rate_hz=round(device["default_samplerate"]),
            channels=device["max_input_channels"],
        )
        for device in devices
        if device["max_input_channels"] > 0
    )


def choose_input(inputs: Sequence[InputDevice], spec: str | int | None) -> InputDevice:
    """The one of ``inputs`` that is meant, as ``find_input`` says."""
    if not inputs:
        raise DeviceError("no audio input was found", f"plug in a microphone, {_WITHOUT}")
    if spec is None:
        return next((device for device in inputs if device.is_default), inputs[0])
    matches = _matches(inputs, spec)
    if not matches:
        raise DeviceError(f"no audio input matches {str(spec)!r}", _one_of(inputs))
    if len(matches) > 1:
        raise DeviceError(f"several audio inputs match {str(spec)!r}", _one_of(matches))
    return matches[0]


def _matches(inputs: Sequence[InputDevice], spec: str | int) -> list[InputDevice]:
    wanted = str(spec).strip().casefold()
    by_index = [device for device in inputs if str(device.index) == wanted]
    if by_index or isinstance(spec, int) or not wanted:
        return by_index
    named = [device for device in inputs if wanted in device.name.casefold()]
    exact = [device for device in named if device.name.casefold() == wanted]
    matches = exact or named
    # Windows lists one microphone under each of its audio systems: the default one's is meant.
    preferred_api = next((device.host_api for device in inputs if device.is_default), None)
    preferred = [device for device in matches if device.host_api == preferred_api]
    return preferred if len(preferred) == 1 else matches


def _one_of(devices: Iterable[InputDevice]) -> str:
    names = [f"{device.index} ({device.name})" for device in devices]
    shown = ", ".join(names[:_NAMED_IN_A_REMEDY])
    more = ", or another of `sayd devices`" if len(names) > _NAMED_IN_A_REMEDY else ""
    return f"use --device with one of: {shown}{more}"


def _install_portaudio() -> str:
    if sys.platform.startswith("linux"):
        how = "apt install libportaudio2 (Debian, Ubuntu), dnf install portaudio (Fedora)"
    elif sys.platform == "darwin":
        how = "brew install portaudio"
    else:
        how = "pip install --force-reinstall sounddevice"
    return f"{how}; {_WITHOUT}"
