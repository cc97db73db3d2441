"""A microphone without hardware, for tests on Linux.

It is an ALSA device that plays a recording in real time (``wavmic.c``). PortAudio reads ALSA's
configuration once, when ``sounddevice`` is imported: a program under test therefore runs in a
process of its own, with ``environment()`` added to its environment.
"""

from __future__ import annotations

import ctypes.util
import functools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

SOURCE = Path(__file__).with_name("wavmic.c")
NAME = "microphone"
"""What the device is called in a list of devices; the default device is it too."""


@functools.cache
def microphone_missing() -> str | None:
    """Why the virtual microphone cannot run here; None when it can."""
    if not sys.platform.startswith("linux"):
        return "the virtual microphone is an ALSA device, and this is not Linux"
    if shutil.which("cc") is None:
        return "no C compiler: apt install gcc"
    if subprocess.run(["cc", "-fsyntax-only", SOURCE], capture_output=True, check=False).returncode:
        return "no ALSA headers: apt install libasound2-dev"
    if ctypes.util.find_library("portaudio") is None:
        return "no PortAudio: apt install libportaudio2"
    return None


def build_plugin(directory: Path) -> Path:
    """Compile the ALSA plugin; gives the library."""
    library = directory / "libasound_module_pcm_wavmic.so"
    flags = ["-shared", "-fPIC", "-DPIC", "-O2"]
    subprocess.run(["cc", *flags, "-o", library, SOURCE, "-lasound"], check=True)
    return library


class VirtualMicrophone:
    """A device of one rate and one number of channels, and the default device in front of it.

    Args:
        plugin: What ``build_plugin`` gave.
        directory: An empty place of its own.
        recording: What it hears, from the moment it is opened; silence follows. A path is any
            audio file, brought to the rate and the channels; an array is int16, shape (frames,)
            or (frames, channels), taken as it is.
        rate_hz: The only rate the device knows.
        channels: The only number of channels the device knows.
        plug: True: the default device converts to whatever is asked for, as desktops do. False:
            it refuses everything but its own rate and channels, as bare hardware does.

    Attributes:
        gone: While this file exists, the device is unplugged.
        stall: While this file exists, the device is frozen.
    """

    def __init__(
        self,
        plugin: Path,
        directory: Path,
        recording: Path | NDArray[np.int16],
        rate_hz: int,
        channels: int = 1,
        *,
        plug: bool = True,
    ) -> None:
        self._config = directory / "asound.conf"
        self.gone = directory / "gone"
        self.stall = directory / "stall"
        raw = directory / "recording.raw"
        samples = _read(recording, rate_hz, channels) if isinstance(recording, Path) else recording
        raw.write_bytes(samples.astype("<i2").tobytes())
        device = (
            f'type wavmic  file "{raw}"  rate {rate_hz}  channels {channels}'
            f'  gone "{self.gone}"  stall "{self.stall}"'
        )
        default = f"type plug  slave.pcm {NAME}" if plug else device
        self._config.write_text(
            f'pcm_type.wavmic {{ lib "{plugin}" }}\n'
            f"pcm.{NAME} {{ {device} }}\n"
            f"pcm.!default {{ {default} }}\n"
        )

    def environment(self) -> dict[str, str]:
        """What to add to the environment of the program that shall hear it."""
        return {"ALSA_CONFIG_PATH": str(self._config)}

    def die(self) -> None:
        """Unplug it: a running capture ends, and it cannot be opened."""
        self.gone.touch()

    def revive(self) -> None:
        """Plug it in again: it can be opened."""
        self.gone.unlink()

    def freeze(self) -> None:
        """Have it say nothing more, while it claims to run."""
        self.stall.touch()

    def thaw(self) -> None:
        """End the freezing."""
        self.stall.unlink()


def no_microphone(directory: Path) -> dict[str, str]:
    """What to add to the environment of a program that shall find no audio device at all."""
    config = directory / "asound.conf"
    # A card that does not exist. PortAudio 19.6 aborts where the configuration names no device.
    config.write_text("pcm.nothing { type hw  card 77 }\n")
    return {"ALSA_CONFIG_PATH": str(config)}


def _read(path: Path, rate_hz: int, channels: int) -> NDArray[np.int16]:
    samples: NDArray[Any]
    samples, file_rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if file_rate_hz != rate_hz:
        mono = soxr.resample(mono, file_rate_hz, rate_hz)
    steps = np.clip(np.rint(mono * 32768), -32768, 32767).astype(np.int16)
    return np.repeat(steps[:, np.newaxis], channels, axis=1)
