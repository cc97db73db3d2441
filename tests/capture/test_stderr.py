from __future__ import annotations

import logging
import os
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


def test_no_descriptor_is_left_open() -> None:
    def open_fds() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = open_fds()
    for _ in range(20):
        with native_stderr(LOGGER):
            os.write(2, b"noise\n")
    assert open_fds() == before
