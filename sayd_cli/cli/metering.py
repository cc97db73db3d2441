"""The test of a microphone behind ``sayd devices test``: levels as they come, then a verdict."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from contextlib import ExitStack
from typing import Protocol

from sayd_cli.audio.health import Condition, SignalHealth
from sayd_cli.audio.level import peak_dbfs, rms_dbfs
from sayd_cli.capture.daemon import in_daemon_thread
from sayd_cli.capture.devices import InputDevice, find_input
from sayd_cli.capture.microphone import Microphone
from sayd_cli.cli.keys import key_presses, keys_work
from sayd_cli.cli.messages import say
from sayd_cli.cli.signals import stop_on_signals
from sayd_cli.errors import AbandonedError, DeviceError
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import Interruption
from sayd_cli.model.report import EndReason
from sayd_cli.render.level import LevelView, figure
from sayd_cli.render.terminal import can_move_cursor, write

_RATE_HZ = 16000
_IN_A_PIPE_S = 5.0
_LONGER_THAN_ASKED_S = 3.0
"""When the test ends though the device has not given as much audio as was asked for."""
_FIND_LIMIT_S = 10.0
_TOO_QUIET_DBFS = -40.0
"""A peak below this over a whole test: speech at arm's length reaches -30 to -10."""


class _Display(Protocol):
    def show(self, level: float, peak: float, at_s: float, warning: str | None) -> None: ...

    def wait(self, why: str) -> None: ...

    def say(self, text: str) -> None: ...


class _Lines:
    """A line a second, for a pipe: the loudest of it."""

    def __init__(self) -> None:
        self._second = 1
        self._energies: list[float] = []
        self._peak = -math.inf

    def show(self, level: float, peak: float, at_s: float, warning: str | None) -> None:
        self._energies.append(10 ** (level / 10))
        self._peak = max(self._peak, peak)
        if at_s < self._second:
            return
        mean = sum(self._energies) / len(self._energies)
        whole = 10 * math.log10(mean) if mean else -math.inf
        fields = (f"{at_s:.0f} s", figure(whole).strip(), f"peak {figure(self._peak).strip()}")
        write(sys.stdout, "\t".join((*fields, warning) if warning else fields) + "\n")
        self._second, self._energies, self._peak = int(at_s) + 1, [], -math.inf

    def wait(self, why: str) -> None:
        say(why)

    def say(self, text: str) -> None:
        say(text)


class _Test:
    """One test of one device: what it has shown so far."""

    def __init__(self, device: InputDevice, display: _Display, stop: StopSignal) -> None:
        self._device = device
        self._display = display
        self._stop = stop
        self._found: set[Condition] = set()
        self._heard_s = 0.0
        self._loudest_dbfs = -math.inf

    async def run(self, source: Microphone, seconds: float | None) -> None:
        health = SignalHealth(_RATE_HZ)
        async for captured in source.frames():
            if isinstance(captured, Interruption):
                health.reset()
                self._display.wait(captured.message)
                continue
            for finding in health.push(captured.pcm):
                self._found.add(finding.condition)
                self._display.say(finding.text)
            level, peak = rms_dbfs(captured.pcm), peak_dbfs(captured.pcm)
            self._heard_s = captured.end_s
            self._loudest_dbfs = max(self._loudest_dbfs, peak)
            self._display.show(level, peak, captured.end_s, health.warning)
            if seconds is not None and captured.end_s >= seconds:
                self._stop.request(EndReason.DURATION)
                return

    def verdict(self) -> str:
        """What came of it, in a line.

        Raises:
            DeviceError: It gave nothing but zeros.
        """
        if not self._heard_s:
            return "ended before anything was heard"
        if self._loudest_dbfs == -math.inf:
            raise DeviceError(
                f"nothing but silence: {self._device.name!r} gave {self._heard_s:.1f} s of zeros",
                "unmute it, allow programs to use it, or choose another: `sayd devices`",
            )
        loudest = f"{self._heard_s:.1f} s heard, loudest {self._loudest_dbfs:.1f} dBFS"
        if Condition.CLIPPING in self._found:
            return f"{loudest}: it clips, lower its gain"
        if self._loudest_dbfs < _TOO_QUIET_DBFS:
            return f"{loudest}: very quiet, raise its gain or come closer"
        return f"{loudest}: it hears well"


async def meter_microphone(spec: str | None, seconds: float | None) -> None:
    """Show the levels of a microphone until somebody stops it.

    Args:
        spec: An index, or a part of a name; None is the default input.
        seconds: How much to listen to; None for no end on a terminal, 5 s in a pipe.

    Raises:
        DeviceError: It cannot be opened, or gave nothing but digital silence.
    """
    device = await _find(spec)
    on_screen = can_move_cursor(sys.stdout)
    if seconds is None and not on_screen:
        seconds = _IN_A_PIPE_S
    stop = StopSignal()
    with ExitStack() as stack:
        view = None
        if on_screen:
            hint = "q stops" if keys_work() else "Ctrl-C to stop"
            view = stack.enter_context(LevelView(sys.stdout, hint=hint))
        test = _Test(device, view or _Lines(), stop)

        def leave_at_once() -> None:
            stack.close()
            os._exit(AbandonedError.exit_status)

        def on_key(key: str) -> None:
            if key in "qQ" and stop.reason is None:
                signal.raise_signal(signal.SIGINT)

        stack.enter_context(stop_on_signals(stop, leave_at_once))
        if view is not None:
            stack.enter_context(key_presses(on_key, view))
        say(f"{device.name}, {device.host_api}, {device.sample_rate_hz} Hz natively")
        async with Microphone(spec, _RATE_HZ) as source:
            ending = asyncio.create_task(_end(source, stop, seconds))
            try:
                await test.run(source, seconds)
            finally:
                ending.cancel()
        notices = source.notices()
    for notice in notices:
        say(notice)
    say(test.verdict())


async def _end(source: Microphone, stop: StopSignal, seconds: float | None) -> None:
    """Stop the source when somebody asks, or when it takes too long."""
    limit_s = None if seconds is None else seconds + _LONGER_THAN_ASKED_S
    try:
        async with asyncio.timeout(limit_s):
            await stop.wait()
    except TimeoutError:
        stop.request(EndReason.DURATION)
    source.stop()


async def _find(spec: str | None) -> InputDevice:
    try:
        return await in_daemon_thread(
            lambda: find_input(spec), name="device-find", limit_s=_FIND_LIMIT_S
        )
    except TimeoutError as exc:
        raise DeviceError(
            "the audio system does not answer",
            "restart the sound server, or unplug the microphone and plug it in again",
        ) from exc
