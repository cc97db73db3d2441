from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sayd_cli.errors import UsageError
from sayd_cli.hook.command import CommandHook, HookLimits
from sayd_cli.model.report import Ended, EndReason, Interim, Notice, Report
from sayd_cli.model.secret import Secret
from tests.hook.recorder import STARTED, Told, heard, running
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the commands are a shell's, and /proc is read"
)

LONG = HookLimits(run_s=60, finish_s=60)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(
    command: str,
    *reports: Report,
    told: Told | None = None,
    limits: HookLimits = LONG,
    environment: Mapping[str, str] | None = None,
    key: Secret | None = None,
) -> list[str]:
    told = told or Told()
    hook = CommandHook(
        command, told=told, environment=environment or os.environ, key=key, limits=limits
    )
    with hook:
        hook.take(STARTED)
        for report in reports:
            hook.take(report)
    return told.lines


def lines(name: str) -> list[str]:
    return Path(name).read_text().splitlines()


def pid_in(name: str) -> int:
    wait_until(lambda: Path(name).exists() and Path(name).read_text().endswith("\n"))
    return int(Path(name).read_text())


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_each_sentence_is_run_in_order() -> None:
    # The first are the slowest: side by side, they would end last.
    command = 'sleep 0.$((3 - SAYD_INDEX)); cat >> out; echo "$SAYD_TEXT" >> out'
    sentences = [heard(f"sentence {n}", n) for n in range(4)]
    assert run(command, *sentences) == []
    assert lines("out") == [f"sentence {n}" for n in range(4) for _ in range(2)]


def test_only_sentences_are_run() -> None:
    others: list[Report] = [Interim("x", 0, 1), Notice("x"), Ended(EndReason.EOF, 1, 1, 1)]
    assert run("echo x >> out", *others, heard("one"), *others) == []
    assert lines("out") == ["x"]


def test_the_environment_describes_the_sentence() -> None:
    run(
        "env | grep ^SAYD_ | sort > $SAYD_INDEX",
        heard("one", 0),
        heard("two", 1, language="en", lost=True),
        environment={"PATH": os.environ["PATH"], "SAYD_UNCONFIRMED": "1", "SAYD_HOME": "/h"},
    )
    assert lines("0") == [
        "SAYD_END=1.000",
        "SAYD_HOME=/h",
        "SAYD_INDEX=0",
        "SAYD_SESSION_ID=s-1",
        "SAYD_START=0.250",
        "SAYD_TEXT=one",
    ]
    assert lines("1") == [
        "SAYD_END=2.000",
        "SAYD_HOME=/h",
        "SAYD_INDEX=1",
        "SAYD_LANGUAGE=en",
        "SAYD_SESSION_ID=s-1",
        "SAYD_START=1.250",
        "SAYD_TEXT=two",
        "SAYD_UNCONFIRMED=1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned #",
        "' ; touch pwned ; '",
        '" ; touch pwned ; "',
        "x && touch pwned || touch pwned & touch pwned | touch pwned > pwned",
        "-rf --help",
        "%SAYD_TEXT% ${IFS} \\ * ~ !",
        "说话 naïve 🎤",
    ],
)
def test_text_is_never_read_as_a_command(text: str) -> None:
    told = run('printf "%s\\n" "$SAYD_TEXT" > env; cat > stdin', heard(text))
    assert told == []
    assert lines("env") == lines("stdin") == [text]
    assert sorted(entry.name for entry in Path().iterdir()) == ["env", "stdin"]


def test_a_text_is_one_line_whatever_is_in_it() -> None:
    run('cat > stdin; echo "$SAYD_TEXT" > env', heard("one\ntouch pwned\0two\x1b[2J\ud800"))
    assert lines("stdin") == lines("env") == ["one touch pwnedtwo"]


def test_text_is_utf_8_whatever_the_locale() -> None:
    script = """
import sys
from sayd_cli.hook.command import CommandHook
from tests.hook.recorder import Told, heard
told = Told()
with CommandHook('echo "$SAYD_TEXT" > env; cat > stdin', told=told, environment={}) as hook:
    hook.take(heard("\\u8bf4\\u8bdd"))
assert told.lines == [], told.lines
assert sys.getfilesystemencoding() == "ascii"
"""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    root = str(Path(__file__).parents[2])
    env = {**os.environ, **locale, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=60)
    assert Path("env").read_bytes() == Path("stdin").read_bytes() == "说话\n".encode()


def test_a_long_text_is_whole_on_standard_input() -> None:
    text = "word " * 60_000
    assert run('echo "$SAYD_TEXT" > env; cat > stdin', heard(text)) == []
    assert Path("stdin").read_text() == text + "\n"
    assert len(Path("env").read_text()) == 30_001


def test_a_command_need_not_read() -> None:
    assert run("true", heard("x"), heard("long " * 60_000), heard("y")) == []


def test_a_command_never_has_the_key() -> None:
    environment = {**os.environ, "SAYD_API_KEY": "sk-0123456789", "OTHER": "sk-9876543210"}
    run("env > out", heard("x"), environment=environment, key=Secret("sk-9876543210"))
    assert "sk-" not in Path("out").read_text()
    assert "SAYD_TEXT=x" in lines("out")


def test_it_writes_nowhere_but_to_who_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    told = run("cat; echo problem >&2; printf 'no end'", heard("one"), heard("two"))
    assert told == [
        f"exec: {line}" for word in ("one", "two") for line in (word, "problem", "no end")
    ]
    assert capfd.readouterr() == ("", "")


def test_much_output_is_cut(told: Told) -> None:
    run("seq 1000; head -c 10000000 /dev/zero | tr '\\0' x", heard("x"), told=told)
    assert told.lines == [
        *(f"exec: {n}" for n in range(1, 21)),
        "exec: … and more, which is not shown",
    ]


def test_a_long_line_is_cut(told: Told) -> None:
    run("head -c 10000000 /dev/zero | tr '\\0' x", heard("x"), told=told)
    assert told.lines == [
        "exec: " + "x" * 500 + "…",
        "exec: … and more, which is not shown",
    ]


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        ("exit 3", "ended with status 3"),
        ("kill -9 $$", "was killed by SIGKILL"),
        ("/nowhere/at-all 2>/dev/null", "ended with status 127, command not found"),
        ("./data 2>/dev/null", "ended with status 126, not executable"),
    ],
)
def test_a_failure_is_told(command: str, failure: str, told: Told) -> None:
    Path("data").write_text("x")
    run(command, heard("x"), told=told)
    assert told.lines == [f"exec: the command {failure}"]


def test_failures_are_told_rarely_and_counted(told: Told) -> None:
    command = 'echo "why $SAYD_INDEX"; test $SAYD_INDEX = 5'
    run(command, *(heard("x", n) for n in range(17)), told=told)
    assert told.lines == [
        "exec: why 0",
        "exec: the command ended with status 1",
        "exec: why 5",
        "exec: why 10",
        "exec: the command has failed 10 times; the last time it ended with status 1",
        "exec: the command failed 16 of 17 times",
    ]


def test_a_command_that_cannot_be_started_is_a_failure(told: Told) -> None:
    # Linux refuses a variable of more than 128 KiB.
    environment = {**os.environ, "HUGE": "x" * 1_000_000}
    run("true", heard("x"), heard("y"), told=told, environment=environment)
    assert told.lines[0].startswith("exec: the command cannot be started: ")
    assert told.lines[1] == "exec: the command failed 2 of 2 times"


def test_a_slow_command_is_ended_and_the_next_is_run(told: Told) -> None:
    command = "test $SAYD_INDEX = 1 && exec touch done; echo $$ > pid; exec sleep 1000"
    limits = replace(LONG, run_s=1)
    run(command, heard("x", 0), heard("y", 1), told=told, limits=limits)
    assert told.lines == [
        "exec: the command took longer than 1 s and was killed",
        "exec: the command failed 1 of 2 times",
    ]
    assert Path("done").exists()
    assert not running(pid_in("pid"))


def test_a_slow_command_may_tidy_up(told: Told) -> None:
    command = "trap 'echo tidied; exit' TERM; sleep 1000 & wait"
    run(command, heard("x"), told=told, limits=replace(LONG, run_s=1))
    assert told.lines == [
        "exec: tidied",
        "exec: the command took longer than 1 s and was killed",
    ]


def test_a_command_that_will_not_end_is_killed_with_all_that_it_started(told: Told) -> None:
    command = "trap '' TERM; (echo $$ > pid; sh -c 'echo $PPID > child; sleep 1000'); sleep 1000"
    run(command, heard("x"), told=told, limits=replace(LONG, run_s=1, grace_s=0.2))
    assert told.lines == ["exec: the command took longer than 1 s and was killed"]
    wait_until(lambda: not running(pid_in("pid")) and not running(pid_in("child")))


def test_what_outlives_a_command_that_was_asked_to_end_is_killed(told: Told) -> None:
    # The shell obeys; what it started does not.
    command = "(trap '' TERM; sh -c 'echo $$ > child; exec sleep 1000') & sleep 1000"
    run(command, heard("x"), told=told, limits=replace(LONG, run_s=1))
    assert told.lines == ["exec: the command took longer than 1 s and was killed"]
    wait_until(lambda: not running(pid_in("child")))


def test_what_a_command_leaves_in_the_background_goes_on(told: Told) -> None:
    command = 'mkfifo gate 2>/dev/null; (read line < gate; echo late; echo "$line" > done) &'
    run(command, heard("x"), told=told)
    assert told.lines == []
    with Path("gate").open("w") as gate:
        gate.write("go\n")
    wait_until(lambda: Path("done").exists() and lines("done") == ["go"])
    assert told.lines == []


def test_output_that_many_hold_open_is_not_taken_for_ever(told: Told) -> None:
    command = "mkfifo gate 2>/dev/null; echo $SAYD_INDEX; (read line < gate) &"
    before = open_files()
    run(command, *(heard("x", n) for n in range(20)), told=told)
    said = [line for line in told.lines if "still runs" not in line]
    assert said == [f"exec: {n}" for n in range(16)]
    assert open_files() <= before + 16
    os.close(os.open("gate", os.O_WRONLY))
    wait_until(lambda: open_files() <= before)


def test_the_oldest_are_left_out_when_too_many_wait(told: Told) -> None:
    os.mkfifo("gate")
    command = 'echo "$SAYD_INDEX" >> out; test $SAYD_INDEX != 0 || read line < gate'
    limits = replace(LONG, sentences=3)
    hook = CommandHook(command, told=told, environment=os.environ, limits=limits)
    with hook:
        hook.take(heard("x", 0))
        wait_until(lambda: Path("out").exists())
        for n in range(1, 9):
            hook.take(heard("x", n))
        assert told.lines == [
            "exec: the command is too slow: 3 sentences wait, the oldest are left out"
        ]
        with Path("gate").open("w"):
            pass
    assert lines("out") == ["0", "6", "7", "8"]
    # The gate gave no line: `read` failed.
    assert told.lines[1:] == [
        "exec: the command ended with status 1",
        "exec: the command failed 1 of 4 times",
        "exec: the command was not run for 5 sentences: it is too slow",
    ]


def test_at_the_end_what_runs_may_finish_and_what_waits_is_left_out(told: Told) -> None:
    os.mkfifo("gate")
    limits = replace(LONG, finish_s=0)
    opening = threading.Timer(1, lambda: Path("gate").write_text("finished\n"))
    with CommandHook(
        "touch begun; cat gate > out", told=told, environment=os.environ, limits=limits
    ) as hook:
        for n in range(3):
            hook.take(heard("x", n))
        wait_until(lambda: Path("begun").exists())
        opening.start()
    opening.join()
    assert lines("out") == ["finished"]
    assert told.lines == ["exec: the command was not run for 2 sentences: it is too slow"]


def test_whoever_can_wait_has_it_run_for_every_sentence(told: Told) -> None:
    for n in range(3):
        os.mkfifo(f"gate{n}")
    limits = replace(LONG, finish_s=0)
    command = "cat gate$SAYD_INDEX >> out"
    hook = CommandHook(command, told=told, environment=os.environ, limits=limits)
    with hook:
        for n in range(3):
            hook.take(heard("x", n))
        finishing = threading.Thread(target=hook.finish)
        finishing.start()
        wait_until(lambda: "exec: the command still runs; 2 sentences wait for it" in told.lines)
        for n in range(3):
            Path(f"gate{n}").write_text(f"{n}\n")
            wait_until(lambda n=n: lines("out")[n:] == [f"{n}"])  # type: ignore[misc]
        finishing.join()
    assert len(told.lines) == 1


def test_whoever_can_wait_no_longer_says_so(told: Told) -> None:
    os.mkfifo("gate")
    limits = replace(LONG, finish_s=0)
    hook = CommandHook("cat gate", told=told, environment=os.environ, limits=limits)
    with hook:
        for n in range(3):
            hook.take(heard("x", n))
        finishing = threading.Thread(target=hook.finish)
        finishing.start()
        wait_until(lambda: "exec: the command still runs; 2 sentences wait for it" in told.lines)
        hook.hurry()
        Path("gate").write_text("finished\n")
        finishing.join()
    assert told.lines[1:] == [
        "exec: finished",
        "exec: the command was not run for 2 sentences: it is too slow",
    ]


def test_quiet_it_tells_failures_only(told: Told) -> None:
    hook = CommandHook(
        "cat; exit $SAYD_INDEX", told=told, environment=os.environ, limits=LONG, quiet=True
    )
    with hook:
        hook.take(heard("fine", 0))
        hook.take(heard("wrong", 1))
    assert told.lines == [
        "exec: wrong",
        "exec: the command ended with status 1",
        "exec: the command failed 1 of 2 times",
    ]


def test_abandoned_it_leaves_at_once(told: Told) -> None:
    command = "trap '' TERM; sh -c 'echo $$ > child; exec sleep 1000'; echo never"
    hook = CommandHook(command, told=told, environment=os.environ, limits=LONG)
    with hook:
        hook.take(heard("x"))
        hook.take(heard("y"))
        child = pid_in("child")
        hook.abandon()
        hook.abandon()
    assert told.lines == []
    wait_until(lambda: not running(child))


def test_ctrl_c_while_it_finishes_abandons_it(told: Told) -> None:
    hook = CommandHook("echo $$ > pid; exec sleep 1000", told=told, environment=os.environ)
    hook.__enter__()
    hook.take(heard("x"))
    pid = pid_in("pid")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        hook.__exit__(None, None, None)
    timer.join()
    wait_until(lambda: not running(pid))


class Broken(Told):
    def take(self, report: Report) -> None:
        super().take(report)
        raise BrokenPipeError


def test_that_nobody_can_be_told_stops_nothing() -> None:
    told = Broken()
    assert run("echo said; cat >> out", heard("one"), heard("two"), told=told) == ["exec: said"] * 2
    assert lines("out") == ["one", "two"]


@pytest.mark.parametrize("command", ["", " \n", "true\0"])
def test_what_is_no_command_is_refused(command: str, told: Told) -> None:
    with pytest.raises(UsageError, match="--exec needs a command"):
        CommandHook(command, told=told, environment={})
