"""``sayd listen``, the real process with the real engine on real speech."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import time
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, command, environment, running, sayd
from tests.conftest import PlugIn
from tests.engine.references import BECKETT as BECKETT_TEXT
from tests.engine.references import TWO_CITIES
from tests.engine.wer import normalized_words, word_error_rate, word_errors
from tests.waiting import wait_until

BECKETT = recording("beckett.wav")
TWO_CITIES_FILE = recording("two_cities.wav")


def words_of(text: str) -> list[str]:
    return normalized_words(text)


def shell(line: str, stdin: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which ``sayd`` is the real command."""
    given = stdin.open("rb") if stdin else None
    try:
        return subprocess.run(
            ["bash", "-c", f'sayd() {{ {shlex.join(command())} "$@"; }}; set -o pipefail; {line}'],
            stdin=given or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(),
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        if given:
            given.close()


@pytest.fixture(scope="module")
def two_cities() -> str:
    """What ``sayd listen FILE --local`` prints for the opening of A Tale of Two Cities."""
    result = sayd("listen", str(TWO_CITIES_FILE), "--local", "-q")
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_a_file_at_44_seconds_of_real_speech(two_cities: str) -> None:
    assert word_error_rate(TWO_CITIES, two_cities) < 0.08


def test_standard_input_gives_the_words_of_the_file(two_cities: str) -> None:
    result = sayd("listen", "-", "--local", stdin=TWO_CITIES_FILE)
    assert result.returncode == 0
    assert result.stdout == two_cities


def test_raw_audio_in_a_pipe(tmp_path: Path) -> None:
    raw = tmp_path / "speech.raw"
    with wave.open(str(BECKETT)) as recorded:
        raw.write_bytes(recorded.readframes(recorded.getnframes()))
    from_file = sayd("listen", str(BECKETT), "--local")
    assert shell(f"cat {raw} | sayd listen - --local").stdout == from_file.stdout
    assert words_of(from_file.stdout)[:4] == ["ever", "tried", "ever", "failed"]


def test_json_lines_into_head(two_cities: str) -> None:
    result = shell(f"sayd listen {TWO_CITIES_FILE} --local -f jsonl | head -3")
    assert (result.returncode, result.stderr) == (0, "")
    session, *sentences = map(json.loads, result.stdout.splitlines())
    assert session["type"] == "session"
    assert session["schema"] == 1
    assert session["backend"] == "local"
    assert [line["type"] for line in sentences] == ["sentence"] * 2
    assert [line["text"] for line in sentences] == two_cities.splitlines()[:2]


@pytest.mark.microphone
@pytest.mark.parametrize(("rate_hz", "channels"), [(16000, 1), (48000, 2)])
def test_a_microphone_gives_the_words_of_the_file(
    plug_in: PlugIn, rate_hz: int, channels: int
) -> None:
    expected = words_of(sayd("listen", str(BECKETT), "--local").stdout)
    microphone = plug_in(BECKETT, rate_hz, channels, plug=False)
    result = sayd("listen", "--local", "--duration", "11", env=microphone.environment())
    assert result.returncode == 0, result.stderr
    # Audio that went through 48 kHz is not the same to the last bit; a doubtful word may tip.
    allowed = 0 if (rate_hz, channels) == (16000, 1) else 1
    assert word_errors(" ".join(expected), result.stdout) <= allowed, result.stdout


@pytest.mark.microphone
@pytest.mark.timeout(180)
def test_a_microphone_gives_the_words_of_the_long_file(plug_in: PlugIn, two_cities: str) -> None:
    microphone = plug_in(TWO_CITIES_FILE, 16000)
    result = sayd("listen", "--local", "--duration", "45", env=microphone.environment())
    assert result.returncode == 0, result.stderr
    assert word_errors(two_cities, result.stdout) <= 1, result.stdout
    assert word_error_rate(TWO_CITIES, result.stdout) < 0.08


@pytest.mark.microphone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_mid_sentence_keeps_the_last_words(
    plug_in: PlugIn, number: signal.Signals
) -> None:
    # Nothing follows the speech but the signal: the last word has no silence behind it.
    samples, rate_hz = soundfile.read(BECKETT, dtype="int16")
    cut = np.asarray(samples[: int(4.0 * rate_hz)])
    # On a machine that is slow to tell of the word, the microphone must not seem to be muted.
    hiss = np.random.default_rng(1).integers(-3, 4, 60 * rate_hz, dtype=np.int16)
    microphone = plug_in(np.concatenate([cut, hiss]), rate_hz)
    with running(
        "listen", "--local", "-f", "jsonl", "--interim", env=microphone.environment()
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not any("failed" in line.lower() for line in lines):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            lines.append(line)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=LIMIT_S)
    last = json.loads(rest.splitlines()[-1])
    assert (process.returncode, errors) == (0, "")
    assert (last["type"], last["reason"]) == ("end", "interrupt")
    texts = [
        found["text"]
        for found in map(json.loads, [*lines, *rest.splitlines()])
        if found["type"] == "sentence"
    ]
    assert words_of(" ".join(texts))[:4] == ["ever", "tried", "ever", "failed"]


@pytest.mark.microphone
def test_the_first_word_is_not_lost_to_start_up(plug_in: PlugIn) -> None:
    # Speech begins with the first sample that the device gives.
    samples, rate_hz = soundfile.read(BECKETT, dtype="int16")
    begins = int(np.argmax(np.abs(samples) > 500))
    microphone = plug_in(np.asarray(samples[max(0, begins - rate_hz // 20) :]), rate_hz)
    result = sayd("listen", "--local", "--duration", "3", env=microphone.environment())
    assert result.returncode == 0, result.stderr
    assert words_of(result.stdout)[:2] == ["ever", "tried"]


def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "audio"
    # A writer that never ends, so that only the signals can.
    listen = shlex.join(command("listen", "-", "--local"))
    line = f"mkfifo {fifo}; sleep 60 > {fifo} 2> /dev/null & exec {listen} < {fifo}"
    process = subprocess.Popen(
        ["bash", "-c", line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({"SAYD_LOG": str(tmp_path / "log")}),
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            # The handlers stand once the run has begun; its log says when.
            wait_until(lambda: _mentions(tmp_path / "log", "listening begins"))
            process.send_signal(signal.SIGINT)
            wait_until(lambda: _mentions(tmp_path / "log", "asked to stop"))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    assert process.returncode in (0, 130)
    if process.returncode == 130:
        assert "left at once" in errors


def _mentions(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text()


def test_a_reader_that_leaves_ends_the_run_quietly() -> None:
    result = shell(f"sayd listen {BECKETT} --local --pace realtime | head -1")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1
    # What was heard until then is finished in the history, too.
    (row,) = sayd("sessions", "list", "--local").stdout.splitlines()
    assert row.split("\t")[2].startswith("0:0")


def test_interrupting_a_long_file_does_not_wait_for_what_is_on_its_way(tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(TWO_CITIES_FILE, dtype="int16")
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(samples, 10), rate_hz)
    with running("listen", str(path), "--local") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        asked_s = time.monotonic()
        assert process.wait(LIMIT_S) == 0
    # It was half a minute when minutes of audio waited in sockets.
    assert time.monotonic() - asked_s < 15


@pytest.mark.skipif(shutil.which("nohup") is None, reason="nohup is not installed")
def test_under_nohup_a_terminal_that_is_closed_ends_nothing() -> None:
    whole = sayd("listen", str(BECKETT), "--local").stdout
    process = subprocess.Popen(
        ["nohup", *command("listen", str(BECKETT), "--local", "--pace", "realtime")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            rest, _ = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert first + rest == whole


def test_sentences_are_flushed_as_they_come() -> None:
    with running("listen", str(BECKETT), "--local", "--pace", "realtime") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        assert process.poll() is None, "the first line came only with the end"
        assert process.wait(LIMIT_S) == 0


def test_eight_kilohertz() -> None:
    result = sayd("listen", str(BECKETT), "--local", "--rate", "8000", "-f", "jsonl")
    session, *rest = map(json.loads, result.stdout.splitlines())
    assert session["sample_rate"] == 8000
    text = " ".join(line["text"] for line in rest if line["type"] == "sentence")
    assert word_error_rate(BECKETT_TEXT, text) < 0.35
    assert rest[-1]["duration"] == pytest.approx(9.963, abs=0.01)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_other_kinds_of_file(suffix: str, tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(BECKETT)
    path = tmp_path / f"speech.{suffix}"
    stereo = np.stack([samples, samples], axis=1)
    soundfile.write(path, stereo, rate_hz)
    heard = words_of(sayd("listen", str(path), "--local").stdout)
    assert heard[:4] == ["ever", "tried", "ever", "failed"]


def test_once_and_duration() -> None:
    once = sayd("listen", str(BECKETT), "--local", "--once")
    assert words_of(once.stdout)[:2] == ["ever", "tried"]
    assert len(once.stdout.splitlines()) == 1
    short = sayd("listen", str(BECKETT), "--local", "--duration", "3.5", "-f", "jsonl")
    end = json.loads(short.stdout.splitlines()[-1])
    assert (end["reason"], end["duration"]) == ("duration", 3.5)


def test_interim_text_is_in_json_lines_when_asked_for() -> None:
    line = ["listen", str(BECKETT), "--local", "-f", "jsonl", "--pace", "realtime"]
    shown = sayd(*line, "--interim", "--duration", "4").stdout
    assert '"type": "partial"' in shown
    assert '"type": "partial"' not in sayd(*line, "--duration", "4").stdout


def test_timestamps() -> None:
    first = sayd("listen", str(BECKETT), "--local", "-t").stdout.splitlines()[0]
    assert first.startswith("[00:00:0")


def test_without_a_key_the_local_engine_is_used_and_said_so() -> None:
    result = sayd("listen", str(BECKETT), "--once")
    assert result.returncode == 0
    assert len(result.stderr.splitlines()) == 1
    assert "no key" in result.stderr
    assert sayd("listen", str(BECKETT), "--once", "-q").stderr == ""


def test_a_locale_that_knows_only_ascii() -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = sayd("listen", str(BECKETT), "--local", env=ascii_only)
    assert result.returncode == 0
    assert words_of(result.stdout)[:2] == ["ever", "tried"]


def test_what_is_heard_is_kept_unless_it_is_not_to_be() -> None:
    sayd("listen", str(BECKETT), "--local", "--no-history")
    assert sayd("sessions", "list", "--local").stdout == ""
    heard = sayd("listen", str(BECKETT), "--local", "--name", "Worstward Ho").stdout
    (row,) = sayd("sessions", "list", "--local").stdout.splitlines()
    assert row.split("\t")[2:] == ["0:10", "multi", "Worstward Ho"]
    assert sayd("sessions", "show", "last").stdout == heard
    session_id = row.split("\t")[0]
    assert sayd("sessions", "show", session_id[:6]).stdout == heard
    shown = sayd("sessions", "show", session_id, "-f", "jsonl").stdout.splitlines()
    assert [json.loads(line)["type"] for line in shown[:2]] == ["session", "sentence"]


def test_silence_gives_no_words(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(16000 * 5, dtype="int16"), 16000)
    result = sayd("listen", str(path), "--local")
    assert (result.returncode, result.stdout) == (0, "")


def test_quiet_speech_is_heard(tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(BECKETT)
    path = tmp_path / "quiet.wav"
    soundfile.write(path, samples * 0.01, rate_hz)
    assert words_of(sayd("listen", str(path), "--local").stdout)[:2] == ["ever", "tried"]
