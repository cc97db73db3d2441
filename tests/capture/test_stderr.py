from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from sayd_cli.capture.stderr import native_stderr

LOGGER = logging.getLogger("tests.capture")


@contextmanager
def terminal() -> Iterator[IO[bytes]]:
    """What file descriptor 2 leads to, before and after. No fixture: pytest puts its own there
    once the fixtures are made.
    """
    saved_fd = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(saved_fd, 2)
            os.close(saved_fd)


def shown(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), 10_000, 0)


def test_what_is_written_within_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with terminal() as file:
        os.write(2, b"before\n")
        with native_stderr(LOGGER):
            os.write(2, b"ALSA lib pcm.c: no such device\nExpression failed\n")
        os.write(2, b"after\n")
        assert shown(file) == b"before\nafter\n"
    assert caplog.messages == [
        "native: ALSA lib pcm.c: no such device",
        "native: Expression failed",
    ]


def raise_within() -> None:
    with native_stderr(LOGGER):
        raise ValueError("mine")


def test_an_error_passes_through() -> None:
    with terminal() as file:
        with pytest.raises(ValueError, match="mine"):
            raise_within()
        os.write(2, b"after\n")
        assert shown(file) == b"after\n"


def test_overlapping_ones_restore_it_once_the_last_has_left() -> None:
    first, second = native_stderr(LOGGER), native_stderr(LOGGER)
    with terminal() as file:
        first.__enter__()
        second.__enter__()
        os.write(2, b"noise\n")
        first.__exit__(None, None, None)
        os.write(2, b"noise\n")
        second.__exit__(None, None, None)
        os.write(2, b"after\n")
        assert shown(file) == b"after\n"


SCRIPT = """
import contextlib, logging, os, sys, threading
from sayd_cli.capture.stderr import native_stderr
handler = logging.StreamHandler(sys.stderr)  # takes the stream before it is moved
handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
logging.root.addHandler(handler)
logging.root.setLevel({level})
with contextlib.suppress({expected}):
    with native_stderr(logging.getLogger("room")):
        print("python", file=sys.stderr)
        thread = threading.Thread(target=os.write, args=(2, b"native\\nlines\\n"))
        thread.start()
        thread.join()
        logging.getLogger("other").error("logged")
        {within}
print("after", file=sys.stderr)
os.write(2, b"native after\\n")
"""


def written(level: str, within: str = "pass", expected: str = "ValueError") -> list[str]:
    script = SCRIPT.format(level=level, within=within, expected=expected)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stderr.splitlines()


@pytest.mark.parametrize("within", ["pass", "raise ValueError"])
def test_pythons_own_standard_error_stays_where_it_was(within: str) -> None:
    assert written("logging.INFO", within) == ["python", "ERROR logged", "after", "native after"]


def test_native_lines_are_in_the_log_that_goes_to_standard_error() -> None:
    lines = written("logging.DEBUG")
    assert lines[-2:] == ["after", "native after"]
    assert {"DEBUG native: native", "DEBUG native: lines"} < set(lines)
    assert len(lines) == 6


def test_a_library_that_never_stops_writing_neither_waits_nor_fills_the_log() -> None:
    lines = written("logging.DEBUG", "[os.write(2, b'x' * 99 + b'\\n') for _ in range(200)] * 9")
    assert lines[-1] == "native after"
    endless = """for _ in range(20000):
            try: os.write(2, b'x' * 99 + b'\\n')
            except BlockingIOError: pass"""
    lines = written("logging.DEBUG", endless)
    assert lines[-2:] == ["after", "native after"]
    assert len(lines) < 1100


def test_no_descriptor_is_left_open() -> None:
    def open_fds() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = open_fds()
    for _ in range(20):
        with native_stderr(LOGGER):
            os.write(2, b"noise\n")
    assert open_fds() == before
