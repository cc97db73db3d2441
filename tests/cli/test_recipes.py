"""The recipes of the README, as they stand there, in a real shell: the words come from the virtual
microphone or a bundled recording, through the engine on this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import webvtt
from numpy.typing import NDArray

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, command, environment, running, sayd
from tests.conftest import PlugIn
from tests.engine.wer import normalized_words
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("the recipes are for a POSIX shell", allow_module_level=True)

README = Path(__file__).parents[2] / "README.md"
BECKETT = recording("beckett.wav")
RECIPE = re.compile(r"<!-- recipe: (?P<name>[a-z-]+) -->\n```sh\n(?P<lines>.*?)```", re.DOTALL)
CAPTIONS_PORT = 8766

EVER_TRIED = (0.0, 2.9)
"""In ``beckett.wav``: "Ever tried. Ever failed." """
LIGHT = (13.2, 17.4)
WINTER = (13.2, 21.0)
"""In ``two_cities.wav``: "It was the season of light, it was the season of darkness. It was the
spring of hope, it was the winter of despair." """


def section() -> str:
    _, _, rest = README.read_text(encoding="utf-8").partition("\n## Recipes\n")
    return rest.partition("\n## ")[0]


RECIPES = {found["name"]: found["lines"] for found in RECIPE.finditer(section())}


def test_every_recipe_has_its_test() -> None:
    assert len(RECIPES) == section().count("```sh") == section().count("<!--") > 10
    for name in RECIPES:
        assert f"test_{name.replace('-', '_')}" in globals(), name


class Desk:
    """A folder to work in, and a shell that has ``sayd`` on its path.

    Attributes:
        folder: The working folder of whatever is run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "desk"
        self.folder.mkdir()
        self._programs = folder / "bin"
        self._programs.mkdir()
        self.program("sayd", 'exec {} "$@"'.format(" ".join(command())))

    def program(self, name: str, line: str) -> None:
        """Put a program on the path: a line of the shell's."""
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def run(
        self, recipe: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a recipe to its end; nobody types anything."""
        with self.running(recipe, env) as process:
            out, errors = process.communicate(timeout=LIMIT_S)
        return subprocess.CompletedProcess(recipe, process.returncode, out, errors)

    @contextmanager
    def running(
        self, recipe: str, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a recipe while the context is open, as a terminal's foreground job."""
        path = os.pathsep.join([str(self._programs), os.environ["PATH"]])
        process = subprocess.Popen(
            ["bash", "-c", RECIPES[recipe]],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment({**(env or {}), "PATH": path}),
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def ctrl_c(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """What the terminal does: SIGINT for all of the job. Gives what is left of its output."""
        os.killpg(process.pid, signal.SIGINT)
        return process.communicate(timeout=LIMIT_S)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def cut(name: str, seconds: tuple[float, float]) -> tuple[NDArray[np.int16], int]:
    """A part of a recording, with its rate."""
    samples, rate_hz = soundfile.read(recording(name), dtype="int16")
    begins, ends = (int(second * rate_hz) for second in seconds)
    return samples[begins:ends], rate_hz


def hearing(plug_in: PlugIn, name: str, seconds: tuple[float, float]) -> dict[str, str]:
    """The environment in which the microphone hears a part of a recording."""
    samples, rate_hz = cut(name, seconds)
    return plug_in(samples, rate_hz).environment()


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def last_session() -> str:
    return sayd("sessions", "show", "last").stdout


@pytest.mark.microphone
@pytest.mark.parametrize(
    ("name", "seconds", "understood"),
    [
        ("two_cities.wav", LIGHT, "switching the light"),
        ("beckett.wav", EVER_TRIED, "I did not understand"),
    ],
)
def test_voice_command(
    desk: Desk, plug_in: PlugIn, name: str, seconds: tuple[float, float], understood: str
) -> None:
    result = desk.run("voice-command", hearing(plug_in, name, seconds))
    assert (result.returncode, result.stdout) == (0, f"{understood}\n"), result.stderr


@pytest.mark.microphone
def test_alarm(desk: Desk, plug_in: PlugIn) -> None:
    with desk.running("alarm", hearing(plug_in, "two_cities.wav", WINTER)) as process:
        assert process.stdout is not None
        # It rings while listening goes on, and not before the word.
        rung = process.stdout.readline()
        assert re.match(r"\a\d\d:\d\d:\d\d  ", rung)
        assert "winter of despair" in rung
        assert desk.ctrl_c(process)[0] == ""
    assert "season of darkness" in last_session()


@pytest.mark.microphone
def test_notes(desk: Desk, plug_in: PlugIn) -> None:
    with desk.running("notes", hearing(plug_in, "beckett.wav", (0.0, 10.0))) as process:
        wait_until(lambda: list(desk.folder.glob("*.md")))
        (notes,) = desk.folder.glob("*.md")
        with subprocess.Popen(
            ["tail", "-n", "+1", "-f", notes], stdout=subprocess.PIPE, text=True
        ) as tail:
            assert tail.stdout is not None
            followed = [tail.stdout.readline() for _ in range(5)]
            tail.kill()
        out, errors = desk.ctrl_c(process)
    assert process.returncode == 0, errors
    assert followed[0] == "# Weekly meeting\n"
    assert followed[4].startswith("`00:00:00.")
    assert "Ever tried." in followed[4]
    assert notes.read_text().startswith("".join(followed))
    assert out.splitlines()[0].endswith("] Ever tried.")
    with wave.open(str(notes.with_suffix(".wav"))) as taped:
        assert taped.getnframes() > 16_000


@pytest.mark.microphone
@pytest.mark.timeout(180)
def test_diary(desk: Desk, plug_in: PlugIn) -> None:
    (desk.folder / "diary.txt").write_text("Yesterday.\n")
    result = desk.run("diary", hearing(plug_in, "beckett.wav", EVER_TRIED))
    assert result.returncode == 0, result.stderr
    yesterday, *today = (desk.folder / "diary.txt").read_text().splitlines()
    assert yesterday == "Yesterday."
    assert normalized_words(" ".join(today)) == ["ever", "tried", "ever", "failed"]


@pytest.mark.microphone
def test_dictation(desk: Desk, plug_in: PlugIn) -> None:
    needs("git")
    git = ["git", "-C", str(desk.folder), "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q"], check=True)
    me = {"GIT_AUTHOR_NAME": "I", "GIT_AUTHOR_EMAIL": "i@example.com"}
    me |= {"GIT_COMMITTER_NAME": "I", "GIT_COMMITTER_EMAIL": "i@example.com"}
    result = desk.run("dictation", {**hearing(plug_in, "beckett.wav", EVER_TRIED), **me})
    assert result.returncode == 0, result.stderr
    told = subprocess.run([*git, "log", "--format=%B"], capture_output=True, text=True, check=True)
    assert normalized_words(told.stdout) == ["ever", "tried", "ever", "failed"]


@pytest.mark.microphone
def test_jq(desk: Desk, plug_in: PlugIn) -> None:
    needs("jq")
    with desk.running("jq", hearing(plug_in, "beckett.wav", EVER_TRIED)) as process:
        assert process.stdout is not None
        start, text = process.stdout.readline().rstrip("\n").split("\t")
        assert 0 < float(start) < 3
        assert text == "Ever tried."
        assert process.poll() is None
        desk.ctrl_c(process)


def test_subtitles(desk: Desk) -> None:
    samples, rate_hz = soundfile.read(BECKETT)
    soundfile.write(desk.folder / "talk.flac", samples, rate_hz)
    result = desk.run("subtitles")
    assert result.returncode == 0, result.stderr
    srt = webvtt.from_srt(str(desk.folder / "talk.srt")).captions
    vtt = webvtt.read(str(desk.folder / "talk.vtt")).captions
    for captions in (srt, vtt):
        assert [cue.text for cue in captions] == result.stdout.splitlines()
    assert [cue.start for cue in srt] == [cue.start for cue in vtt]
    assert srt[-1].end_in_seconds <= 11


def test_video(desk: Desk) -> None:
    needs("ffmpeg")
    film = ["-f", "lavfi", "-i", "color=c=black:s=64x64:r=5", "-i", str(BECKETT), "-shortest"]
    coded = ["-c:v", "mpeg4", "-c:a", "aac", "-ar", "44100", "-ac", "2"]
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error"]
    subprocess.run([*quiet, *film, *coded, desk.folder / "talk.mp4"], check=True)
    result = desk.run("video")
    assert result.returncode == 0, result.stderr
    texts = [cue.text for cue in webvtt.from_srt(str(desk.folder / "talk.srt")).captions]
    assert texts == result.stdout.splitlines()
    assert normalized_words(" ".join(texts))[:4] == ["ever", "tried", "ever", "failed"]


def page(host: str, path: str = "/") -> str:
    with urllib.request.urlopen(f"http://{host}:{CAPTIONS_PORT}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def shown(host: str) -> str:
    """What the page shows now; empty while it is not there."""
    try:
        return json.dumps(json.loads(page(host, "/captions.json")))
    except OSError:
        return ""


@pytest.fixture
def _free_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", CAPTIONS_PORT))
        except OSError:
            pytest.skip(f"somebody else uses port {CAPTIONS_PORT}")


@pytest.mark.microphone
@pytest.mark.usefixtures("_free_port")
def test_obs_page(desk: Desk, plug_in: PlugIn) -> None:
    with desk.running("obs-page", hearing(plug_in, "beckett.wav", (0.0, 10.0))) as process:
        wait_until(lambda: "Ever tried" in shown("127.0.0.1"))
        assert "<html" in page("127.0.0.1", "/?background=transparent&lines=2")
        _, errors = desk.ctrl_c(process)
    assert process.returncode == 0, errors
    assert f"captions at http://127.0.0.1:{CAPTIONS_PORT}\n" in errors
    assert "network" not in errors


@pytest.mark.microphone
@pytest.mark.usefixtures("_free_port")
def test_captions_elsewhere(desk: Desk, plug_in: PlugIn) -> None:
    with desk.running(
        "captions-elsewhere", hearing(plug_in, "beckett.wav", (0.0, 10.0))
    ) as process:
        # Another address than the one of the machine's own page.
        wait_until(lambda: "Ever tried" in shown("127.0.0.2"))
        _, errors = desk.ctrl_c(process)
    assert process.returncode == 0, errors
    assert "anybody on this network can read the captions" in errors


@pytest.mark.microphone
def test_obs_file(desk: Desk, plug_in: PlugIn) -> None:
    caption = desk.folder / "caption.txt"
    with desk.running("obs-file", hearing(plug_in, "beckett.wav", (0.0, 10.0))) as process:
        wait_until(lambda: caption.exists() and caption.read_text() != "")
        assert caption.read_text().casefold().startswith("ever")
        _, errors = desk.ctrl_c(process)
    assert process.returncode == 0, errors
    assert caption.read_text() == ""
    assert list(desk.folder.iterdir()) == [caption]


@pytest.mark.microphone
def test_notifications(desk: Desk, plug_in: PlugIn) -> None:
    # There is no desktop here that could show one.
    desk.program("notify-send", f'printf "%s\\n" "$#" "$@" >> {desk.folder}/notified')
    notified = desk.folder / "notified"
    with desk.running("notifications", hearing(plug_in, "beckett.wav", EVER_TRIED)) as process:
        wait_until(notified.exists)
        assert process.poll() is None
        _, errors = desk.ctrl_c(process)
    assert process.returncode == 0, errors
    assert notified.read_text().splitlines()[:3] == ["2", "--", "Ever tried."]


@pytest.mark.microphone
def test_recover(desk: Desk, plug_in: PlugIn) -> None:
    line = ("listen", "--local", "-f", "jsonl", "--interim")
    with running(*line, env=hearing(plug_in, "beckett.wav", EVER_TRIED)) as process:
        assert process.stdout is not None
        said = ""
        while "failed" not in said.lower():
            said = process.stdout.readline()
            assert said, process.stderr and process.stderr.read()
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
    result = desk.run("recover")
    assert result.returncode == 0, result.stderr
    assert "failed" in last_session().lower()
    assert normalized_words(last_session()) == ["ever", "tried", "ever", "failed"]
    again = desk.run("recover")
    assert (again.returncode, again.stdout) == (0, ""), again.stderr


def test_search(desk: Desk) -> None:
    heard = sayd("listen", str(recording("two_cities.wav")), "--local").stdout.splitlines()
    sayd("listen", str(BECKETT), "--local")
    (newest, _) = (
        row.split("\t")[0] for row in sayd("sessions", "list", "--local").stdout.splitlines()
    )
    found, *shown_again = desk.run("search").stdout.splitlines()
    assert found.split("\t")[-1] in heard
    assert "season of light" in found
    assert newest not in found
    assert shown_again[0].endswith("] Ever tried.")
