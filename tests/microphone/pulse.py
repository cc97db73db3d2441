"""A PulseAudio server of a test's own, with a speaker that nobody hears and its monitor.

PortAudio reaches it through ALSA's plugin, as on a desktop.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tests.waiting import wait_until

MONITOR = "speaker_monitor"
"""What the monitor is called in a list of devices; the default device is it too."""

_CONFIGURATION = """
load-module module-native-protocol-unix socket={socket} auth-anonymous=1
load-module module-null-sink sink_name=speaker norewinds=1
"""
_ALSA_CONFIGURATION = """
pcm_type.pulse {{ lib "libasound_module_pcm_pulse.so" }}
pcm.{name} {{ type pulse  server "unix:{socket}"  device "speaker.monitor" }}
pcm.!default {{ type pulse  server "unix:{socket}"  device "speaker.monitor" }}
"""


def pulseaudio_missing() -> str | None:
    """Why the server cannot run here; None when it can."""
    if not sys.platform.startswith("linux"):
        return "PulseAudio is the sound server of Linux"
    if shutil.which("pulseaudio") is None or shutil.which("pacat") is None:
        return "no PulseAudio: apt install pulseaudio"
    return None


class PulseServer:
    """The server, from entering to leaving."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "native"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        configuration = self._directory / "default.pa"
        configuration.write_text(_CONFIGURATION.format(socket=self._socket))
        (self._directory / "asound.conf").write_text(
            _ALSA_CONFIGURATION.format(name=MONITOR, socket=self._socket)
        )
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Run it, and wait until it can be reached."""
        self._socket.unlink(missing_ok=True)
        options = ["-n", f"--file={self._directory / 'default.pa'}", "--daemonize=no"]
        self._process = subprocess.Popen(
            ["pulseaudio", *options, "--use-pid-file=no", "--exit-idle-time=-1"],
            env={
                **os.environ,
                "HOME": str(self._directory),
                "PULSE_RUNTIME_PATH": str(self._directory / "run"),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._socket.exists)

    def kill(self) -> None:
        """End it at once, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """For signals: SIGSTOP freezes it, and everything that asks it for audio."""
        assert self._process is not None
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """What to add to the environment of the program that shall hear it."""
        return {
            "ALSA_CONFIG_PATH": str(self._directory / "asound.conf"),
            "HOME": str(self._directory),
            "PULSE_RUNTIME_PATH": str(self._directory / "run"),
        }

    @contextmanager
    def playing(self, samples: NDArray[np.int16], rate_hz: int) -> Iterator[None]:
        """Play mono samples on the speaker, from now on, for as long as they last."""
        with tempfile.TemporaryFile() as file:
            file.write(samples.astype("<i2").tobytes())
            file.seek(0)
            with subprocess.Popen(
                ["pacat", "--playback", "--raw", "--format=s16le", "--channels=1",
                 f"--rate={rate_hz}", f"--server=unix:{self._socket}"],
                env={**os.environ, **self.environment()},
                stdin=file,
            ) as player:  # fmt: skip
                try:
                    yield
                finally:
                    player.kill()
