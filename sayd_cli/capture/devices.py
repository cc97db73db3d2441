"""Which inputs there are, and which one is meant. Opens none of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sayd_cli.capture.naming import InputKind, kind_of, readable_names, without_address
from sayd_cli.capture.portaudio import DO_WITHOUT, portaudio
from sayd_cli.errors import DeviceError

_NAMED_IN_A_REMEDY = 6


@dataclass(frozen=True, slots=True)
class InputDevice:
    """An audio input, as PortAudio describes it.

    Attributes:
        index: PortAudio's number for it; changes as devices come and go.
        name: Its name, readable.
        host_api: The audio system it belongs to, such as "ALSA" or "Core Audio".
        is_default: It is the one used when none is named.
        sample_rate_hz: Its native rate.
        channels: The most channels it can be opened with.
        kind: Whether it hears a room, or what the machine plays.
        native_name: Its name as PortAudio has it.
    """

    index: int
    name: str
    host_api: str
    is_default: bool
    sample_rate_hz: int
    channels: int
    kind: InputKind
    native_name: str


def list_inputs() -> tuple[InputDevice, ...]:
    """All inputs, in PortAudio's order; none is not an error. Blocks: for tens of milliseconds,
    or for ever behind a frozen sound server.

    Raises:
        DeviceError: The audio system cannot be asked.
    """
    with portaudio() as sounddevice:
        return query_inputs(sounddevice)


def find_input(spec: str | int | None) -> InputDevice:
    """The input that is meant. Blocks as ``list_inputs`` does.

    Args:
        spec: An index, or a name or a part of one in any case; None is the default.

    Raises:
        DeviceError: There is none, or there are several; the remedy names the candidates.
    """
    return choose_input(list_inputs(), spec)


def query_inputs(sounddevice: Any) -> tuple[InputDevice, ...]:
    """As ``list_inputs``, for who is within ``portaudio()``."""
    try:
        devices = [
            device for device in sounddevice.query_devices() if device["max_input_channels"] > 0
        ]
        host_apis = [host_api["name"] for host_api in sounddevice.query_hostapis()]
        default_index = sounddevice.default.device[0]
    except sounddevice.PortAudioError as exc:
        raise DeviceError(f"the audio system does not answer: {exc}", DO_WITHOUT) from exc
    names: dict[int, str] = {}
    for number in range(len(host_apis)):
        of_api = [device for device in devices if device["hostapi"] == number]
        readable = readable_names([device["name"] for device in of_api])
        names.update(zip((device["index"] for device in of_api), readable, strict=True))
    return tuple(
        InputDevice(
            index=device["index"],
            name=names[device["index"]],
            host_api=host_apis[device["hostapi"]],
            is_default=device["index"] == default_index,
            sample_rate_hz=round(device["default_samplerate"]),
            channels=device["max_input_channels"],
            kind=kind_of(device["name"]),
            native_name=device["name"],
        )
        for device in devices
    )


def choose_input(inputs: Sequence[InputDevice], spec: str | int | None) -> InputDevice:
    """The one of ``inputs`` that is meant, as ``find_input`` says."""
    if not inputs:
        raise DeviceError("no audio input was found", f"plug in a microphone, {DO_WITHOUT}")
    if spec is None:
        return next((device for device in inputs if device.is_default), inputs[0])
    matches = _matches(inputs, spec)
    if not matches:
        raise DeviceError(f"no audio input matches {str(spec)!r}", _one_of(inputs))
    if len(matches) > 1:
        raise DeviceError(f"several audio inputs match {str(spec)!r}", _one_of(matches))
    return matches[0]


def find_again(inputs: Sequence[InputDevice], lost: InputDevice) -> InputDevice | None:
    """A device that went away, under whatever index and address it has come back; None while it
    has not.
    """
    of_api = [device for device in inputs if device.host_api == lost.host_api]
    same = [device for device in of_api if device.native_name == lost.native_name]
    wanted = without_address(lost.native_name)
    alike = [device for device in of_api if without_address(device.native_name) == wanted]
    return next(iter(same or alike), None)


def _matches(inputs: Sequence[InputDevice], spec: str | int) -> list[InputDevice]:
    wanted = str(spec).strip().casefold()
    by_index = [device for device in inputs if str(device.index) == wanted]
    if by_index or isinstance(spec, int) or not wanted:
        return by_index
    named = [
        device
        for device in inputs
        if wanted in device.name.casefold() or wanted in device.native_name.casefold()
    ]
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
