"""The checks that may hang or take their process with them, each in a process of its own.

A frozen sound server hangs ``import sounddevice``, PortAudio ends the process over some
configurations of ALSA, and native code that was built for another processor is killed. Owns what
is checked there, and the process: how it is started, how long it is waited for, and what its end
means. A process writes one finding a line; which will come, and in which order, is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TextIO

from sayd_cli.cli.finding import Finding, from_line, ok, problem, warning
from sayd_cli.errors import DeviceError, EngineMissingError, SaydError

_STEPS = {
    # What is checked, and the seconds that it may take: a microphone may take 10 to be opened.
    "audio": (("portaudio", 8.0), ("inputs", 8.0), ("microphone", 15.0)),
    "engine": (("engine", 30.0),),
}
_RATE_HZ = 16000
_HEARD_S = 1.0
_SPOKEN_S = 5.0
_LEAVES_WITHIN_S = 1.0
_QUIET_DBFS = -70.0
"""The level of a second in which nobody need speak: below it, a room is hardly heard at all."""
_UNMUTE = "muted? unmute it, and allow programs to use it; `sayd devices test` shows its level"


async def probe(
    name: str, environment: Mapping[str, str], device: str | None = None
) -> tuple[Finding, ...]:
    """Run one of the checks in a process of its own.

    Args:
        name: "audio" or "engine".
        environment: The environment of that process.
        device: The microphone that is meant; None for the default one.

    Returns:
        A finding for each step; no more after the first that is a problem.
    """
    # Isolated from the folder that we happen to be in; and ours is found wherever it lies.
    code = f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        f"{code}from sayd_cli.cli.probes import main; main()",
        name,
        *(() if device is None else (device,)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(environment),
    )
    findings: list[Finding] = []
    try:
        for step, limit_s in _STEPS[name]:
            findings.append(await _next(process, name, step, limit_s))
            if findings[-1].exit_status:
                break
    finally:
        await _end(process)
    return tuple(findings)


async def _end(process: Process) -> None:
    # It goes by itself. Killing it at that moment, asyncio would take its status from itself.
    try:
        async with asyncio.timeout(_LEAVES_WITHIN_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _next(process: Process, name: str, step: str, limit_s: float) -> Finding:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(limit_s):
            if line := await process.stdout.readline():
                return from_line(line)
            how = f"its check ended with {_meaning(await process.wait())}"
    except TimeoutError:
        how = f"no answer within {limit_s:.0f} s"
    return problem(step, _unanswered(name, how))


def main() -> None:
    """The process: the name of the check is its argument."""
    # What libraries print is no finding.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        asyncio.run(_tell_all(out, *sys.argv[1:]))
    # What hangs in a thread or at the end of a library has been heard already.
    os._exit(0)


async def _tell_all(out: TextIO, name: str, device: str | None = None) -> None:
    step = iter(step for step, _ in _STEPS[name])
    try:
        async for finding in _audio(device) if name == "audio" else _engine():
            next(step)
            _tell(out, finding)
    except SaydError as exc:
        _tell(out, problem(next(step), exc))


def _tell(out: TextIO, finding: Finding) -> None:
    out.write(finding.to_line() + "\n")
    out.flush()


async def _audio(device: str | None) -> AsyncIterator[Finding]:
    from sayd_cli.capture.devices import choose_input, query_inputs
    from sayd_cli.capture.portaudio import portaudio

    with portaudio() as sounddevice:
        yield ok("portaudio", sounddevice.get_portaudio_version()[1].partition(",")[0])
        inputs = query_inputs(sounddevice)
        chosen = choose_input(inputs, device)
        count = "1 input" if len(inputs) == 1 else f"{len(inputs)} inputs"
        role = "default" if device is None else "chosen"
        yield ok("inputs", f"{count}, {role}: {chosen.name} ({chosen.host_api})")
    yield await _microphone(device)


async def _microphone(device: str | None) -> Finding:
    """Listen for a second."""
    from sayd_cli.audio.level import peak_dbfs, rms_dbfs
    from sayd_cli.capture.microphone import Microphone
    from sayd_cli.model.audio import Interruption

    pcm = bytearray()
    began_s = time.monotonic()
    async with Microphone(device, _RATE_HZ) as source:
        async for captured in source.frames():
            if isinstance(captured, Interruption):
                raise DeviceError(
                    captured.message.partition(";")[0],
                    "plug it in again, or choose another: `sayd devices`",
                )
            pcm += captured.pcm
            if captured.end_s >= _HEARD_S:
                break
    took_s = time.monotonic() - began_s
    level, peak = rms_dbfs(bytes(pcm)), peak_dbfs(bytes(pcm))
    if peak == -math.inf:
        return warning("microphone", "nothing but digital silence", _UNMUTE)
    heard = f"level {level:.0f} dBFS, peak {peak:.0f} dBFS, {took_s:.1f} s for one of audio"
    if level < _QUIET_DBFS:
        return warning("microphone", f"{heard}: very quiet", _UNMUTE)
    return ok("microphone", heard)


async def _engine() -> AsyncIterator[Finding]:
    """Have the engine understand the beginning of a recording."""
    from sayd_cli.capture.file import FileSource
    from sayd_cli.engine.embedded import EmbeddedEngine
    from sayd_cli.engine.recordings import demo_recording
    from sayd_cli.model.events import Final

    began_s = time.monotonic()
    engine = EmbeddedEngine(workers=1)
    await engine.start()
    loaded_s = time.monotonic() - began_s
    stream = engine.open_stream(_RATE_HZ)
    async with FileSource(demo_recording(), _RATE_HZ) as source:
        async for captured in source.frames():
            await stream.feed(captured.pcm)
            if captured.end_s >= _SPOKEN_S:
                break
    await stream.finish()
    text = " ".join([event.text async for event in stream.events() if isinstance(event, Final)])
    if not text.strip():
        raise EngineMissingError(
            "the local engine understands nothing of a recording of speech",
            "pip install --force-reinstall 'sayd-cli[local]'; or use the service: sayd auth login",
        )
    decoded_s = time.monotonic() - began_s - loaded_s
    yield ok(
        "engine",
        f"{engine.name}, loaded in {loaded_s:.1f} s, {_SPOKEN_S:.0f} s of speech in "
        f"{decoded_s:.1f} s",
    )


def _meaning(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _unanswered(name: str, how: str) -> SaydError:
    if name == "audio":
        return DeviceError(
            f"the audio system cannot be asked: {how}",
            "restart the sound server, or unplug the microphone and plug it in again",
        )
    return EngineMissingError(
        f"the local engine does not work here: {how}",
        "pip install --force-reinstall 'sayd-cli[local]'; or use the service: sayd auth login",
    )
