"""A program that captures from the microphone of its environment and writes down what it got.

python -m tests.capture.listener RESULT SCENARIO DEVICE RATE_HZ SECONDS [FILE_TO_TOUCH]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from sayd_cli.capture.microphone import Microphone
from sayd_cli.errors import SaydError
from sayd_cli.listening.ports import Source
from sayd_cli.model.audio import Frame, Interruption


async def capture(
    source: Source, scenario: str, seconds: float, touch: Path | None, frames: list[Frame]
) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    result: dict[str, Any] = {}
    touched_at = stopped_at = 0.0
    began = time.monotonic()
    async with source:
        result["opening_s"] = time.monotonic() - began
        if scenario == "blocked":
            time.sleep(2)  # noqa: ASYNC251 - a loop that is held up is what is wanted
        try:
            async for frame in source.frames():
                if isinstance(frame, Interruption):
                    continue
                frames.append(frame)
                if touch is not None and not touched_at and frame.end_s > seconds:
                    touched_at = time.monotonic()
                    loop.call_soon(touch.touch)
                    continue
                if touch is None and not stopped_at and frame.end_s > seconds:
                    stopped_at = time.monotonic()
                    loop.call_soon(source.stop)
        except SaydError as exc:
            result["noticed_s"] = time.monotonic() - touched_at
            result["error"] = [type(exc).__name__, exc.message, exc.remedy]
        result["stopping_s"] = time.monotonic() - stopped_at
        began = time.monotonic()
    result["closing_s"] = time.monotonic() - began
    result["notices"] = source.notices()
    return result


def main(
    result_path: str, scenario: str, device: str, rate_hz: str, seconds: str, touch: str = ""
) -> None:
    frames: list[Frame] = []
    source = Microphone(device or None, int(rate_hz))
    try:
        result = asyncio.run(
            capture(source, scenario, float(seconds), Path(touch) if touch else None, frames)
        )
    except SaydError as exc:
        result = {"opening_error": [type(exc).__name__, exc.message, exc.remedy]}
    result["starts"] = [frame.start_sample for frame in frames]
    result["lengths"] = [frame.length_samples for frame in frames]
    result["numpy"] = "numpy" in sys.modules
    path = Path(result_path)
    path.write_text(json.dumps(result))
    path.with_suffix(".pcm").write_bytes(b"".join(frame.pcm for frame in frames))


if __name__ == "__main__":
    main(*sys.argv[1:])
