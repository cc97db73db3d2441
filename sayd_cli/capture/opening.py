"""Opening a device, first and again after it was lost. Everything here may block for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from sayd_cli.capture.devices import InputDevice, choose_input, find_again, query_inputs
from sayd_cli.capture.native import NativeFormat, formats_to_try
from sayd_cli.capture.portaudio import look_again, portaudio
from sayd_cli.capture.stream import DeviceStream
from sayd_cli.errors import DeviceError

_log = logging.getLogger(__name__)

_REFUSALS = (-9997, -9998)  # paInvalidSampleRate, paInvalidChannelCount
_FIRST_BLOCK_LIMIT_S = 5.0
_NEXT_BLOCK_LIMIT_S = 2.0
# A device that was frozen gives all that it has kept at once: only then is it known when it began.
_SETTLING_S = 0.2

StreamMaker = Callable[[InputDevice, NativeFormat], DeviceStream]


def open_first(spec: str | int | None, sample_rate_hz: int, make: StreamMaker) -> DeviceStream:
    """Find the device that is meant and have it run.

    Raises:
        DeviceError: There is none such, or it cannot be opened, or it gives no audio.
    """
    with portaudio() as sounddevice:
        device = choose_input(query_inputs(sounddevice), spec)
        return _run(sounddevice, device, sample_rate_hz, make, _FIRST_BLOCK_LIMIT_S)


def open_again(
    lost: InputDevice, sample_rate_hz: int, make: StreamMaker, *, or_default: bool
) -> DeviceStream:
    """Have a device that was lost run again, once.

    Args:
        lost: The device.
        sample_rate_hz: As before.
        make: As before.
        or_default: Whatever is the default by now will do as well.

    Raises:
        DeviceError: Not yet.
    """
    with portaudio() as sounddevice:
        look_again(sounddevice)
        inputs = query_inputs(sounddevice)
        device = choose_input(inputs, None) if or_default else find_again(inputs, lost)
        if device is None:
            raise DeviceError(f"the microphone {lost.name!r} is still away")
        stream = _run(sounddevice, device, sample_rate_hz, make, _NEXT_BLOCK_LIMIT_S)
        time.sleep(_SETTLING_S)
        return stream


def _run(
    sounddevice: Any,
    device: InputDevice,
    sample_rate_hz: int,
    make: StreamMaker,
    first_block_limit_s: float,
) -> DeviceStream:
    """Have the device run in the first form that it takes."""
    refusal: Exception | None = None
    for native in formats_to_try(device, sample_rate_hz):
        stream = make(device, native)
        try:
            stream.start(first_block_limit_s)
        except sounddevice.PortAudioError as exc:
            stream.close()
            refusal = exc
            if len(exc.args) < 2 or exc.args[1] not in _REFUSALS:
                break
            _log.debug("%s refuses %s: %s", device.name, native, exc)
        except DeviceError:
            stream.close()
            raise
        else:
            _log.debug("capturing %s as %s", device.name, native)
            return stream
    raise DeviceError(
        f"the microphone {device.name!r} cannot be opened: {refusal}",
        "close programs that use it, allow access to it, or choose another: `sayd devices`",
    ) from refusal
