"""A process that is stopped for a while and goes on, as a laptop makes it that sleeps; and one
whose machine is slow.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, environment, running, sayd
from tests.conftest import PlugIn
from tests.engine.wer import normalized_words

BECKETT = recording("beckett.wav")
TALE = recording("two_cities.wav")
STOPPED_S = 6.0


def sentences(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == "sentence"]


def words_between(lines: list[dict[str, Any]], start_s: float, end_s: float) -> list[str]:
    """Of the sentences that are there, whole or in part."""
    inside = [s for s in sentences(lines) if s["start"] < end_s and s["end"] > start_s]
    return normalized_words(" ".join(sentence["text"] for sentence in inside))


@pytest.mark.microphone
def test_a_listening_that_was_stopped_for_a_while_goes_on_in_its_place(plug_in: PlugIn) -> None:
    # Told from the whole, what is heard and when.
    whole = sayd("listen", str(TALE), "--local", "-f", "jsonl", "--no-history")
    reference = [json.loads(line) for line in whole.stdout.splitlines()]
    microphone = plug_in(TALE, 16000)
    lines: list[dict[str, Any]] = []
    with running("listen", "--local", "-f", "jsonl", env=microphone.environment()) as process:
        assert process.stdout is not None

        def read() -> None:
            assert process.stdout is not None
            lines.append(json.loads(process.stdout.readline()))

        while not sentences(lines):
            read()
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        process.send_signal(signal.SIGCONT)
        while not sentences(lines) or sentences(lines)[-1]["end"] < 28:
            read()
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=LIMIT_S)
        lines.extend(map(json.loads, rest.splitlines()))
    assert process.returncode == 0
    # One gap, as long as it was stopped; the connection of its own server bore it.
    (gap,) = (line for line in lines if line["type"] == "gap")
    assert gap["reason"] == "device"
    assert gap["end"] - gap["start"] == pytest.approx(STOPPED_S, abs=1.0)
    assert "nothing came from the microphone" in told
    assert "went away" not in told
    assert not [line for line in lines if line["type"] == "reconnected"]
    for sentence in sentences(lines):
        assert sentence["end"] <= gap["start"] + 0.05 or sentence["start"] >= gap["end"] - 0.05
    # What follows is heard, where it was said.
    after = [s for s in sentences(reference) if s["start"] > gap["end"] + 0.5 and s["end"] < 27]
    assert after
    said = kept = 0
    for sentence in after:
        words = normalized_words(sentence["text"])
        heard = words_between(lines, sentence["start"], sentence["end"])
        said += len(words)
        kept += sum(word in heard for word in words)
    # The engine takes a word for another where the audio before it is missing.
    assert kept >= 0.75 * said, lines


SLOWLY = (
    "import time;"
    "from sayd_cli.cli.main import main;"
    "from sayd_cli.engine.moonshine import MoonshineModel as Model;"
    "transcribe = Model.transcribe;"
    "Model.transcribe = lambda self, samples: (time.sleep(12), transcribe(self, samples))[1];"
    "main()"
)
"""Each decode takes longer than a service is waited for at the end."""


def test_the_local_engine_is_waited_for_on_a_machine_that_is_slow() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SLOWLY, "listen", str(BECKETT), "--local", "--duration", "1.5"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT_S,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "Ever tried.\n", "")
