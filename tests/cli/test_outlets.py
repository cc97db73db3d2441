"""Where else a run goes, the whole process: files on a disk that is full, named pipes, commands
that fail, hang or flood, a page on a port that is taken.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
import webvtt

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, command, environment, running, sayd
from tests.cli.test_sessions import serving
from tests.conftest import PlugIn
from tests.waiting import wait_until

if not sys.platform.startswith("linux"):
    pytest.skip("named pipes, limits and processes are looked at", allow_module_level=True)

BECKETT = recording("beckett.wav")
KEY = "sk-distinctive-41c7-key"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)


def listen(*arguments: str) -> subprocess.CompletedProcess[str]:
    return sayd("listen", str(BECKETT), "--local", *arguments)


def lines(name: str) -> list[str]:
    return Path(name).read_text().splitlines()


def cues(name: str) -> list[str]:
    if not Path(name).read_bytes():
        return []  # which the library takes for no subtitles
    read = webvtt.from_srt(name) if name.endswith("srt") else webvtt.read(name)
    return [cue.text.replace("\n", " ") for cue in read.captions]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_in(name: str) -> int:
    wait_until(lambda: Path(name).exists() and Path(name).read_text().endswith("\n"))
    return int(Path(name).read_text())


def test_all_of_them_at_once_have_the_same_words() -> None:
    outputs = [f"talk.{suffix}" for suffix in ("txt", "jsonl", "srt", "vtt", "md")]
    more = [word for name in outputs for word in ("-o", name)]
    more += ["--record", "talk.wav", "--caption-file", "caption.txt", "--captions", "0"]
    result = listen(*more, "--exec", "cat >> said.txt")
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert said[:2] == ["Ever tried.", "Ever failed."]
    assert lines("talk.txt") == lines("said.txt") == said
    objects = [json.loads(line) for line in lines("talk.jsonl")]
    assert [each["text"] for each in objects if each["type"] == "sentence"] == said
    assert objects[-1]["type"] == "end"
    assert cues("talk.srt") == cues("talk.vtt") == said
    assert [line for line in lines("talk.md") if line in said] == said
    assert Path("caption.txt").read_text() == ""
    assert soundfile.info("talk.wav").frames == soundfile.info(BECKETT).frames
    assert re.fullmatch(r"sayd: captions at http://127\.0\.0\.1:\d+\n", result.stderr)


@pytest.mark.microphone
def test_files_can_be_read_at_every_instant(plug_in: PlugIn) -> None:
    microphone = plug_in(BECKETT, 16000)
    names = ("talk.srt", "talk.vtt", "talk.jsonl", "caption.txt")
    more = ("-o", names[0], "-o", names[1], "-o", names[2], "--caption-file", names[3])
    counts = []
    with running("listen", "--local", "-q", *more, env=microphone.environment()) as process:
        wait_until(lambda: all(Path(name).exists() for name in names))
        while len(cues("talk.srt")) < 4:
            assert process.poll() is None
            # What was there a moment ago is still there, and more.
            counts.append(len(cues("talk.vtt")))
            for line in lines("talk.jsonl"):
                json.loads(line)
            assert not Path("caption.txt").read_text().endswith("\n")
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    assert counts == sorted(counts)
    assert len(set(counts)) > 2


def limited(size_bytes: int) -> Callable[[], None]:
    """For a process in which no file can become larger: for it, the disk is full then."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def listen_on_a_full_disk(size_bytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("listen", str(BECKETT), "--local", *arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT_S,
        preexec_fn=limited(size_bytes),
        check=False,
    )


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_a_full_disk_costs_the_file_and_nothing_else(quiet: list[str]) -> None:
    more = ("-o", "talk.srt", "-o", "talk.jsonl", "-o", "talk.vtt", "--exec", "cat > /dev/null")
    result = listen_on_a_full_disk(200, "--no-history", *more, *quiet)
    assert result.returncode == 1
    said = result.stdout.splitlines()
    assert len(said) > 5
    *told, error, remedy = result.stderr.splitlines()
    failures = [f"talk.{kind} is not complete: File too large" for kind in ("srt", "jsonl", "vtt")]
    # Each when it happened; all again at the end, where the exit status wants an explanation.
    assert sorted(told) == sorted(f"sayd: {failure}" for failure in failures)
    assert error == f"sayd: {'; '.join(failures)}"
    assert remedy.strip() == "make room, or name another place"
    for kept in (cues("talk.srt"), cues("talk.vtt")):
        assert 2 < len(kept) < len(said)
        assert " ".join(said).startswith(" ".join(kept))
    for line in lines("talk.jsonl"):
        json.loads(line)


@pytest.mark.parametrize("option", ["--record", "--caption-file", "-o"])
@pytest.mark.parametrize("source", ["-", "talk.wav"])
def test_what_is_listened_to_is_not_written_to(option: str, source: str) -> None:
    name = "talk.txt" if option == "-o" and source == "-" else "talk.wav"
    shutil.copyfile(BECKETT, name)
    with Path(name).open("rb") as audio:
        result = subprocess.run(
            command("listen", source, "--local", option, name),
            stdin=audio,
            capture_output=True,
            text=True,
            env=environment(),
            timeout=LIMIT_S,
            check=False,
        )
    assert (result.returncode, result.stdout) == (2, "")
    assert Path(name).read_bytes() == BECKETT.read_bytes()


def test_two_results_in_one_file_are_refused() -> None:
    result = listen("--record", "a.wav", "--caption-file", "./a.wav")
    assert result.returncode == 2
    assert "--caption-file would overwrite the file of --record" in result.stderr
    with Path("said.txt").open("w") as out:
        result = subprocess.run(
            command("listen", str(BECKETT), "--local", "--record", "said.txt"),
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=LIMIT_S,
            check=False,
        )
    assert result.returncode == 2
    assert "--record would overwrite the results" in result.stderr


def test_a_start_that_is_refused_leaves_the_caption_of_another_run() -> None:
    Path("caption.txt").write_text("somebody else's")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = listen("--captions", address, "--caption-file", "caption.txt")
    assert result.returncode == 2
    assert Path("caption.txt").read_text() == "somebody else's"


def test_a_disk_that_is_full_for_everything_still_prints_every_word() -> None:
    expected = listen("--no-history").stdout
    more = ("-o", "talk.txt", "--record", "talk.wav")
    result = listen_on_a_full_disk(50, *more)
    assert (result.returncode, result.stdout) == (1, expected)
    assert "talk.txt is not complete" in result.stderr
    assert "not kept in the history" in result.stderr
    assert "Traceback" not in result.stderr


@contextmanager
def small_disk() -> Iterator[Sequence[str]]:
    """A disk of two pages at ``disk``; gives what to put before a command line that sees it."""
    Path("disk").mkdir()
    line = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = "mount -t tmpfs -o size=8k none disk"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*line, mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("no disk can be mounted here")
    yield [*line, f'{mount}; "$@"; status=$?; cat disk/*; exit $status', "sh"]


def test_a_disk_without_room() -> None:
    with small_disk() as inside:
        more = ["-o", "disk/a.txt", "-o", "disk/b.txt", "-o", "disk/c.txt"]
        result = subprocess.run(
            [*inside, *command("listen", str(BECKETT), "--local", *more)],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=LIMIT_S,
            check=False,
        )
    # Three times: on standard output, and in the two files that there is room for.
    assert result.returncode == 1
    said = result.stdout.splitlines()
    assert said[: len(said) // 3] * 3 == said
    failure = r"sayd: disk/[abc]\.txt is not complete: No space left on device\n"
    assert re.fullmatch(rf"(?:{failure})+ .*\n", result.stderr)


def test_a_device_without_room() -> None:
    Path("full.txt").symlink_to("/dev/full")
    result = listen("-o", "full.txt", "-o", "talk.txt")
    assert result.returncode == 1
    assert lines("talk.txt") == result.stdout.splitlines()
    assert result.stderr.count("full.txt is not complete: No space left on device") == 2
    assert "sayd sessions show last" in result.stderr.splitlines()[-1]


def test_a_named_pipe_that_nobody_reads_is_a_failure_at_the_end() -> None:
    os.mkfifo("talk.txt")
    result = listen("-o", "talk.txt", "-q")
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) > 4
    assert result.stderr.splitlines()[0] == "sayd: talk.txt is not complete: nobody reads it"
    assert len(result.stderr.splitlines()) == 2


def test_pipes_to_programs() -> None:
    line = '"$@" -o >(tr a-z A-Z > loud.txt) -o >(head -1 > first.txt); wait $!'
    os.mkfifo("talk.srt")
    result = subprocess.run(
        ["bash", "-c", line, "bash", *command("listen", str(BECKETT), "--local")],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    wait_until(lambda: Path("loud.txt").read_text() == result.stdout.upper())
    wait_until(lambda: lines("first.txt") == result.stdout.splitlines()[:1])


def test_a_named_pipe_that_is_read_has_it_all() -> None:
    os.mkfifo("talk.srt")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("talk.srt").read_text()))
    reader.start()
    result = listen("-o", "talk.srt")
    reader.join()
    assert result.returncode == 0, result.stderr
    Path("copy.srt").write_text(read[0])
    assert cues("copy.srt") == result.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cat; exit 3", ["Ever tried.", "the command ended with status 3"]),
        ("no-such-program", [None, "the command ended with status 127, command not found"]),
        ("kill -9 $$", ["the command was killed by SIGKILL"]),
    ],
)
@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_a_command_that_fails_ends_nothing(
    line: str, told: list[str | None], quiet: list[str]
) -> None:
    result = listen("--exec", line, *quiet)
    assert result.returncode == 0
    count = len(result.stdout.splitlines())
    expected = [*told, f"the command failed {count} of {count} times"]
    for found, wanted in itertools.zip_longest(result.stderr.splitlines(), expected):
        assert found.startswith("sayd: exec: ")
        assert wanted is None or found == f"sayd: exec: {wanted}"


def test_a_command_that_floods_is_cut() -> None:
    result = listen("--once", "--exec", "yes 'a long line' | head -c 30000000")
    assert (result.returncode, result.stdout) == (0, "Ever tried.\n")
    assert result.stderr.splitlines() == [
        *(["sayd: exec: a long line"] * 20),
        "sayd: exec: … and more, which is not shown",
    ]


def test_a_command_is_heard_of_unless_it_is_to_be_quiet() -> None:
    assert listen("--once", "--exec", "cat").stderr == "sayd: exec: Ever tried.\n"
    assert listen("--once", "-q", "--exec", "cat").stderr == ""


@pytest.mark.timeout(240)
def test_every_sentence_of_a_file_has_its_command_however_slow() -> None:
    # Longer, all together, than a run waits for its last words.
    result = listen("--exec", "sleep 2.5; cat >> said.txt")
    assert result.returncode == 0
    assert lines("said.txt") == result.stdout.splitlines()
    assert re.fullmatch(
        r"sayd: exec: the command still runs; \d sentences wait for it\n", result.stderr
    )


HANGING = "echo $$ > pid; trap '' TERM INT HUP; while :; do sleep 1; done"


@pytest.mark.timeout(240)
def test_ctrl_c_while_a_command_hangs_ends_in_time() -> None:
    with running("listen", str(BECKETT), "--local", "--exec", HANGING) as process:
        pid = pid_in("pid")
        assert process.stderr is not None
        assert process.stderr.readline().startswith("sayd: exec: the command still runs")
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=LIMIT_S)
    # It has 30 s, and 2 s to tidy up; the others are not begun.
    assert time.monotonic() - began_s < 60
    assert process.returncode == 0
    waiting = len(out.splitlines()) - 1
    assert errors.splitlines() == [
        "sayd: exec: the command took longer than 30 s and was killed",
        f"sayd: exec: the command was not run for {waiting} sentences: it is too slow",
    ]
    wait_until(lambda: not is_running(pid))


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_a_second_ctrl_c_leaves_a_hanging_command_at_once(quiet: list[str]) -> None:
    line = ("listen", str(BECKETT), "--local", "-o", "talk.txt", "--exec", HANGING, *quiet)
    with running(*line) as process:
        pid = pid_in("pid")
        wait_until(lambda: len(lines("talk.txt")) == 6)
        for _ in range(100):
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert process.wait(LIMIT_S) == 130
    wait_until(lambda: not is_running(pid))
    assert len(sayd("sessions", "show", "last").stdout.splitlines()) == 6


@pytest.mark.microphone
def test_ctrl_c_of_the_terminal_does_not_reach_the_command(plug_in: PlugIn) -> None:
    microphone = plug_in(BECKETT, 16000)
    process = subprocess.Popen(
        command("listen", "--local", "--exec", "echo $$ > pid; sleep 4; cat >> said.txt"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(microphone.environment()),
        text=True,
        start_new_session=True,
    )
    with process:
        pid_in("pid")
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    assert lines("said.txt") == out.splitlines()


@pytest.mark.parametrize("kept", [False, True])
def test_a_command_does_not_get_the_key(kept: bool, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    with serving("--keys-file", str(keys), env={"SAYD_HOME": str(tmp_path / "server")}) as url:
        service = {"SAYD_BASE_URL": url}
        if kept:
            login = sayd("auth", "login", stdin=f"{KEY}\n".encode(), env=service)
            assert login.returncode == 0, login.stderr
        else:
            service["SAYD_API_KEY"] = KEY
        # Also under another name.
        env = {**service, "OTHER": f"Bearer {KEY}", "MINE": "stays"}
        more = ("--cloud", "--pace", "max", "--once")
        look = "cat /proc/self/environ /proc/$PPID/cmdline > seen; env > variables"
        result = sayd("listen", str(BECKETT), *more, "--exec", look, env=env)
    assert (result.returncode, result.stdout) == (0, "Ever tried.\n"), result.stderr
    assert KEY.encode() not in Path("seen").read_bytes() + Path("variables").read_bytes()
    assert KEY not in result.stderr
    assert {"MINE=stays", "SAYD_TEXT=Ever tried.", "SAYD_INDEX=0"} <= set(lines("variables"))
    assert not [line for line in lines("variables") if line.startswith("SAYD_API_KEY")]


def test_the_words_are_on_standard_input_and_in_the_environment() -> None:
    result = listen("--once", "--exec", 'printf "%s|" "$SAYD_TEXT" > "$SAYD_INDEX"; cat >> 0')
    assert result.returncode == 0
    assert Path("0").read_text() == "Ever tried.|Ever tried.\n"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody.getsockname()[1]


def test_a_port_in_use_is_refused_before_anything_begins(taken: int) -> None:
    for name in ("talk.txt", "talk.wav"):
        Path(name).write_text("old\n")
    made = ("-o", "talk.txt", "--record", "talk.wav", "--exec", "touch made")
    for quiet in ([], ["-q"]):
        result = listen("--captions", str(taken), *made, *quiet)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.splitlines() == [
            f"sayd: port {taken} is in use",
            "      choose another port",
        ]
    assert {path.name: path.read_text() for path in Path().iterdir()} == {
        "talk.txt": "old\n",
        "talk.wav": "old\n",
    }
    assert sayd("sessions", "list", "--local").stdout == ""
    assert sayd("recover", "--list").stdout == ""


def test_the_page_of_a_quiet_run() -> None:
    # The user knows the port; but not which one is free.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    assert listen("-q", "--captions", str(free), "--once").stderr == ""
    told = listen("-q", "--captions", "0", "--once").stderr
    assert re.fullmatch(r"sayd: captions at http://127\.0\.0\.1:\d+\n", told)
    warned = listen("-q", "--captions", "0.0.0.0:0", "--once").stderr
    assert warned.endswith("sayd: anybody on this network can read the captions\n")


def test_a_page_while_it_listens() -> None:
    line = ("listen", str(BECKETT), "--local", "--pace", "realtime", "--captions", "[::1]:0")
    with running(*line) as process:
        assert process.stderr is not None
        found = re.search(r"http://\[::1\]:\d+", process.stderr.readline())
        assert found

        def shown() -> str:
            with urllib.request.urlopen(f"{found[0]}/captions.json", timeout=10) as answer:
                text: str = answer.read().decode()
            return text

        wait_until(lambda: "Ever failed" in shown())
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--exec", ""], "--exec needs a command"),
        (["--captions", "nonsense"], "no address to listen on"),
        (["-o", "talk.pdf"], "tells no format"),
        (["-o", "-"], "-o takes files"),
        (["-o", "no/such/talk.txt"], "there is no folder"),
        (["-o", "same.txt", "-o", "./same.txt"], "named twice"),
        (["-o", "same.txt", "--caption-file", "same.txt"], "named twice"),
        (["--caption-file", "."], "it is a folder"),
    ],
)
def test_what_will_not_do_is_refused_before_anything_begins(
    arguments: list[str], said: str
) -> None:
    Path("talk.wav").write_text("old\n")
    result = listen("--record", "talk.wav", "-q", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr.splitlines()[0]
    assert len(result.stderr.splitlines()) <= 2
    assert {path.name: path.read_text() for path in Path().iterdir()} == {"talk.wav": "old\n"}
    assert sayd("sessions", "list", "--local").stdout == ""
