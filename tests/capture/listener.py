"""A program that captures from the microphone of its environment and writes down what it got.

python -m tests.capture.listener RESULT [options]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sayd_cli.capture.microphone import Microphone
from sayd_cli.capture.stream import DeviceStream
from sayd_cli.errors import SaydError
from sayd_cli.model.audio import Frame, Interruption


@dataclass
class Taken:
    frames: list[Frame] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    interruptions: list[tuple[float, int, str, str]] = field(default_factory=list)


async def capture(source: Microphone, options: argparse.Namespace, taken: Taken) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    result: dict[str, Any] = {}
    lost_at = stopped_at = 0.0
    stop_after_s: float = options.seconds
    began = time.monotonic()
    async with source:
        result["opening_s"] = time.monotonic() - began
        if options.blocked:
            time.sleep(2)  # noqa: ASYNC251 - a loop that is held up is what is wanted
        async for item in source.frames():
            now = time.monotonic()
            if isinstance(item, Interruption):
                taken.interruptions.append(
                    (now - lost_at, len(taken.frames), item.reason, item.message)
                )
                result["device_while_away"] = source.device_name
                if options.lose is None:
                    continue  # it is there all the same
                if options.back is None:
                    stopped_at = time.monotonic()
                    source.stop()
                else:
                    loop.call_later(options.away, command, options.back)
                continue
            taken.frames.append(item)
            taken.times_s.append(now)
            if options.lose is not None and not lost_at:
                if item.end_s > options.seconds:
                    lost_at = time.monotonic()
                    command(options.lose)
                continue
            if lost_at and not taken.interruptions:
                continue
            if lost_at and len(taken.frames) == taken.interruptions[0][1] + 1:
                stop_after_s = item.end_s + options.seconds
                result["device_since"] = source.device_name
            if options.disturb is not None and item.end_s > options.seconds / 2:
                command(options.disturb)
                options.disturb = None
            if not stopped_at and item.end_s > stop_after_s:
                stopped_at = time.monotonic()
                loop.call_soon(source.stop)
        result["stopping_s"] = time.monotonic() - stopped_at
        began = time.monotonic()
    result["closing_s"] = time.monotonic() - began
    result["notices"] = source.notices()
    return result


def command(line: str) -> None:
    subprocess.run(line, shell=True, check=True)


def held_up_until_now_s() -> float:
    """How long this thread has been ready to run, and was not let."""
    schedule = Path("/proc/thread-self/schedstat")
    return int(schedule.read_text().split()[1]) / 1e9 if schedule.exists() else 0.0


def time_callback() -> list[float]:
    """Have the real callback, in PortAudio's thread, add the seconds that it takes.

    Without those in which it was ready to run, and the machine ran something else. That it waits
    for something, such as the interpreter, is its own doing, and counts.
    """
    taken_s: list[float] = []
    callback = DeviceStream._callback

    def timed(stream: DeviceStream, block: Any, frames: int, when: Any, status: Any) -> None:
        held_up_s = held_up_until_now_s()
        began_s, worked_s = time.perf_counter(), time.thread_time()
        callback(stream, block, frames, when, status)
        took_s, worked_s = time.perf_counter() - began_s, time.thread_time() - worked_s
        # It may have been held up just before or after, too.
        taken_s.append(max(worked_s, took_s - (held_up_until_now_s() - held_up_s)))

    setattr(DeviceStream, callback.__name__, timed)
    return taken_s


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("result", type=Path)
    parser.add_argument("--device")
    parser.add_argument("--rate", type=int, default=16000)
    parser.add_argument("--seconds", type=float, default=1.0, help="stop after so much, each time")
    parser.add_argument("--blocked", action="store_true", help="hold the event loop up at first")
    parser.add_argument("--lose", help="a shell command that takes the device away")
    parser.add_argument("--away", type=float, default=1.2, help="seconds, once that is noticed")
    parser.add_argument("--back", help="a shell command that brings it back; without it, stop")
    parser.add_argument("--disturb", help="a shell command to wait for, after half of --seconds")
    parser.add_argument("--time-callback", action="store_true", help="measure PortAudio's callback")
    parser.add_argument("--debug", action="store_true", help="log to standard error")
    options = parser.parse_args()
    if options.debug:
        logging.basicConfig(level=logging.DEBUG)
    callbacks_s = time_callback() if options.time_callback else []
    taken = Taken()
    try:
        result = asyncio.run(capture(Microphone(options.device, options.rate), options, taken))
    except SaydError as exc:
        result = {"opening_error": [type(exc).__name__, exc.message, exc.remedy]}
    result["starts"] = [frame.start_sample for frame in taken.frames]
    result["lengths"] = [frame.length_samples for frame in taken.frames]
    result["times_s"] = taken.times_s
    result["interruptions"] = taken.interruptions
    result["callbacks_s"] = callbacks_s
    result["numpy"] = "numpy" in sys.modules
    options.result.write_text(json.dumps(result))
    pcm = b"".join(frame.pcm for frame in taken.frames)
    options.result.with_suffix(".pcm").write_bytes(pcm)


if __name__ == "__main__":
    main()
