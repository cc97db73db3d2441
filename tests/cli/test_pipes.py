"""Readers and writers at the other ends of a run's pipes: slow, stuck, gone, or never there."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, command, environment, sayd
from tests.conftest import PlugIn
from tests.engine.wer import normalized_words
from tests.waiting import wait_until

if not sys.platform.startswith("linux"):
    pytest.skip("pipes are made small, which only Linux does", allow_module_level=True)

BECKETT = recording("beckett.wav")
TWO_CITIES = recording("two_cities.wav")
PIPE_BYTES = 1 << 13
"""A small pipe: a few seconds of interim text."""
FULL_AT_ONCE_BYTES = 1 << 12
"""The smallest: once something is in it, it takes no more."""


@contextmanager
def pipe(size_bytes: int = PIPE_BYTES) -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, size_bytes)
    try:
        yield reading, writing
    finally:
        for end in (reading, writing):
            try:
                os.close(end)
            except OSError:
                assert end == writing  # the test has closed it


@contextmanager
def into(
    stdout: int,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("listen", "--local", *arguments),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(env),
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def shell(line: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line in which ``sayd`` is the real command; its status is that of ``sayd``."""
    return subprocess.run(
        ["bash", "-c", f'sayd() {{ {shlex.join(command())} "$@"; }}; set -o pipefail; {line}'],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(env),
        timeout=LIMIT_S,
        check=False,
    )


def tried(plug_in: PlugIn) -> dict[str, str]:
    """A microphone that hears "Ever tried.", and then the faint noise of a quiet room."""
    samples, rate_hz = soundfile.read(BECKETT, dtype="int16")
    room = np.random.default_rng(1).normal(0, 3, 90 * rate_hz).astype(np.int16)
    heard = np.concatenate([samples[: int(1.6 * rate_hz)], room])
    return plug_in(heard, rate_hz).environment()


def read_all(end: int) -> bytes:
    blocks = []
    while block := os.read(end, 1 << 16):
        blocks.append(block)
    return b"".join(blocks)


@pytest.mark.microphone
@pytest.mark.parametrize("more", ["", "-q", "-f jsonl --interim", "-o notes.txt"])
def test_a_reader_that_has_had_enough_is_missed_in_a_silence(
    plug_in: PlugIn, tmp_path: Path, more: str
) -> None:
    result = shell(f"cd {tmp_path}; sayd listen --local {more} | head -1", tried(plug_in))
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1


def test_a_reader_that_has_gone_is_missed_where_nothing_comes_in() -> None:
    with wave.open(str(BECKETT)) as recorded:
        pcm = recorded.readframes(int(2.5 * recorded.getframerate()))
    with pipe() as (reading, writing), pipe(1 << 20) as (sound, speaker):
        with into(writing, "-", stdin=sound) as process:
            os.close(writing)
            os.write(speaker, pcm)
            # The reader of the results leaves, and the sound neither goes on nor ends.
            assert os.read(reading, 100) == b"Ever tried.\n"
            os.close(reading)
            assert process.wait(LIMIT_S) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        os.dup2(sound, reading)  # for ``pipe`` to close


def test_a_reader_that_takes_a_line_a_second_loses_nothing() -> None:
    result = shell(
        f"sayd listen {TWO_CITIES} --local | while IFS= read -r line; do"
        ' sleep 1; printf "%s\\n" "$line"; done'
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == sayd("sessions", "show", "last").stdout
    assert len(result.stdout.splitlines()) > 8


@pytest.mark.microphone
def test_a_stuck_reader_holds_up_neither_the_microphone_nor_the_rest(
    plug_in: PlugIn, tmp_path: Path
) -> None:
    microphone = plug_in(TWO_CITIES, 16000)
    notes = tmp_path / "notes.txt"
    more = ("-f", "jsonl", "--interim", "--duration", "22", "-o", str(notes))
    with (
        pipe() as (reading, writing),
        into(writing, *more, env=microphone.environment()) as process,
    ):
        os.close(writing)
        # Interim text alone would have filled the pipe many times by then.
        wait_until(lambda: notes.exists() and "winter" in notes.read_text(), LIMIT_S)
        assert process.poll() is None
        lines = [json.loads(line) for line in read_all(reading).splitlines()]
        assert process.wait(LIMIT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    kinds = [line["type"] for line in lines]
    assert "gap" not in kinds
    assert lines[-1]["duration"] == pytest.approx(22, abs=0.01)
    sentences = [line["text"] for line in lines if line["type"] == "sentence"]
    assert sentences == notes.read_text().splitlines()
    # What was interim while nobody read is of no use; what was before, and is after, is there.
    assert 5 < kinds.count("partial") < 150


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stuck_reader_is_waited_for_at_the_end_until_somebody_has_enough(
    number: signal.Signals,
) -> None:
    more = (str(BECKETT), "-f", "jsonl", "--interim", "--pace", "realtime")
    with pipe(FULL_AT_ONCE_BYTES) as (reading, writing), into(writing, *more) as process:
        os.close(writing)
        listed = ("sessions", "list", "--local")
        wait_until(lambda: sayd(*listed).stdout.split("\t")[2:3] == ["0:10"], LIMIT_S)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(LIMIT_S) in (130, -number)
        # Nothing of a run is told twice, and nothing is half a line but at the very end.
        for line in read_all(reading).splitlines()[:-1]:
            json.loads(line)


def test_a_second_ctrl_c_leaves_a_stuck_reader_at_once() -> None:
    with pipe(FULL_AT_ONCE_BYTES) as (_, writing), pipe() as (sound, speaker):
        with into(writing, "-", "-f", "jsonl", "--interim", stdin=sound) as process:
            os.close(writing)
            feeding = threading.Thread(target=_feed, args=(speaker,), daemon=True)
            feeding.start()
            wait_until(lambda: _spooled_bytes() > 100_000, LIMIT_S)
            for _ in range(100):
                if process.poll() is not None:
                    break
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
            assert process.wait(LIMIT_S) == 130
        os.close(sound)
        feeding.join()
        os.dup2(0, sound)  # for ``pipe`` to close


def _feed(speaker: int) -> None:
    """Speech at the pace of speech, until nobody listens."""
    with wave.open(str(BECKETT)) as recorded:
        pcm = recorded.readframes(recorded.getnframes())
    try:
        for start in range(0, len(pcm) * 100, 3200):
            os.write(speaker, pcm[start % len(pcm) :][:3200])
            time.sleep(0.1)
    except BrokenPipeError:
        pass


def _spooled_bytes() -> int:
    spool = Path(os.environ["SAYD_HOME"]) / "spool"
    return sum(path.stat().st_size for path in spool.rglob("*") if path.is_file())


PATIENT = """
import os, sys
from sayd_cli.cli.main import adopt_streams
from sayd_cli.cli.streams import PatientOutput
from sayd_cli.errors import StorageError

adopt_streams()
print("before", flush=True)
with PatientOutput() as output:
"""


def patient(code: str, stdout: int) -> subprocess.Popen[str]:
    """Run code inside the context of ``PatientOutput``."""
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    return subprocess.Popen(
        [sys.executable, "-c", PATIENT + indented],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )


def test_what_waits_for_a_reader_is_bounded() -> None:
    code = (
        "try:\n    for n in range(100_000): print('x' * 999, flush=True)\n"
        "except StorageError as exc: sys.exit(f'{n}: {exc.message}')"
    )
    with pipe() as (_, writing), patient(code, writing) as process:
        _, errors = process.communicate(timeout=LIMIT_S)
    number, message = errors.strip().split(": ")
    assert message == "the results are not read"
    assert 16_000 < int(number) < 18_000


def test_what_waits_is_whole_and_in_order_whatever_the_reader_does() -> None:
    lines = "".join(f"{n} {'x' * (n % 300)}\n" for n in range(3000))
    code = f"for n in range(3000): print(n, {'x'!r} * (n % 300), flush=True)"
    with pipe() as (reading, writing), patient(code, writing) as process:
        os.close(writing)
        found = b""
        while block := os.read(reading, 1 + len(found) % 5000):
            found += block
        assert process.wait(LIMIT_S) == 0
    assert found.decode() == f"before\n{lines}"


def test_a_pipe_that_never_waits_itself() -> None:
    # As programs in Node.js open theirs.
    code = "for n in range(9000): print(n, flush=True)"
    with pipe() as (reading, writing), patient(code, writing) as process:
        os.set_blocking(writing, False)
        wait_until(lambda: _waiting_bytes(reading) > 4096)
        os.close(writing)
        found = read_all(reading)
        assert process.wait(LIMIT_S) == 0
    assert found.split() == [b"before", *(b"%d" % n for n in range(9000))]


def _waiting_bytes(reading: int) -> int:
    return int.from_bytes(fcntl.ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.microphone
@pytest.mark.parametrize("more", ["", "-q", "-f jsonl"])
def test_a_full_disk_ends_a_run_at_the_first_result(plug_in: PlugIn, more: str) -> None:
    result = shell(f"sayd listen --local {more} > /dev/full", tried(plug_in))
    assert result.returncode == 1
    assert "sayd: the results cannot be written: No space left on device\n" in result.stderr


def test_a_run_without_standard_output_begins_nothing(tmp_path: Path) -> None:
    for name in ("notes.txt", "talk.wav"):
        (tmp_path / name).write_text("old\n")
    made = "-o notes.txt --record talk.wav --caption-file c.txt --exec 'touch made'"
    result = shell(f"cd {tmp_path}; sayd listen {BECKETT} --local {made} >&-")
    assert result.returncode == 2
    assert result.stderr.startswith("sayd: standard output is closed\n")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "notes.txt": "old\n",
        "talk.wav": "old\n",
    }


@pytest.mark.microphone
@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-", "< /dev/null"])
def test_a_microphone_needs_no_standard_input(plug_in: PlugIn, closed: str) -> None:
    result = shell(f"sayd listen --local --once {closed}", tried(plug_in))
    assert (result.returncode, result.stdout) == (0, "Ever tried.\n"), result.stderr


def slowly(write: Callable[[bytes], object], pcm: bytes) -> None:
    for start in range(0, len(pcm), 7001):
        write(pcm[start : start + 7001])
        time.sleep(0.02)


def test_a_slow_writer_is_heard_as_a_file_is() -> None:
    with subprocess.Popen(
        command("listen", "-", "--local"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # Odd blocks: a sample may come in halves.
        slowly(process.stdin.write, BECKETT.read_bytes())
        process.stdin.close()
        heard = process.stdout.read().decode()
    assert process.returncode == 0
    assert normalized_words(heard) == normalized_words(
        sayd("listen", str(BECKETT), "--local").stdout
    )


AT_HOME = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "from sayd_cli.cli.main import main; main()"
)


@pytest.mark.parametrize("more", [[], ["-q"], ["-f", "jsonl", "--interim"]])
def test_a_terminal_that_is_closed_ends_a_run_in_good_order(more: list[str]) -> None:
    screen, terminal = pty.openpty()
    line = ["listen", str(BECKETT), "--local", "--pace", "realtime", *more]
    with subprocess.Popen(
        [sys.executable, "-c", AT_HOME, *line],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment({"TERM": "xterm"}),
        start_new_session=True,
    ) as process:
        os.close(terminal)
        shown = b""
        while b"Ever failed." not in shown:
            shown += os.read(screen, 1000)
        os.close(screen)
        assert process.wait(LIMIT_S) == 0
    assert sayd("sessions", "show", "last").stdout.startswith("Ever tried.\nEver failed.\n")
    # Nothing is left to be finished.
    assert sayd("recover", "--list").stdout == ""
