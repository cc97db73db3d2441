"""Standard streams that are closed or full, readers that have gone, Ctrl-C at the edges of a run:
the real process, as a shell starts it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping

import pytest

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, command, environment, sayd
from tests.render.emulator import Emulator
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("its shell closes no descriptors", allow_module_level=True)

import termios

from tests.cli.test_terminal import on_terminal

BECKETT = str(recording("beckett.wav"))


def redirected(
    line: list[str], redirections: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command line with redirections of the shell's."""
    return subprocess.run(
        ["bash", "-c", f"{shlex.join(line)} {redirections}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(env),
        timeout=LIMIT_S,
        check=False,
    )


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


PRINTING = (
    ["--version"],
    ["--help"],
    ["sessions", "--help"],
    ["sessions", "list", "--json"],
    ["listen", BECKETT, "--local", "-q"],
)


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
def test_what_is_not_needed_may_be_closed(redirections: str) -> None:
    # Not quiet: that there is no key is told on stderr.
    result = redirected(command("listen", BECKETT), redirections)
    assert result.returncode == 0
    assert result.stdout.startswith("Ever tried.")
    kept = redirected(command("sessions", "show", "last"), redirections)
    assert (kept.returncode, kept.stdout) == (0, result.stdout)


def test_no_standard_input_to_listen_to() -> None:
    result = redirected(command("listen", "-", "--local"), "<&-")
    assert (result.returncode, result.stdout) == (5, "")
    assert result.stderr.splitlines()[0] == "sayd: there is no standard input"


@pytest.mark.parametrize("arguments", PRINTING)
def test_no_standard_output(arguments: list[str]) -> None:
    result = redirected(command(*arguments), ">&-")
    assert result.returncode == 2, result.stderr
    first, remedy = result.stderr.splitlines()
    assert first == "sayd: standard output is closed"
    assert "/dev/null" in remedy
    assert redirected(command(*arguments), "<&- >&- 2>&-").returncode == 2


def test_a_server_needs_no_standard_output() -> None:
    result = redirected(command("serve", "--host", "0.0.0.0", "--port", "0"), ">&-")
    assert "without keys" in result.stderr


@pytest.mark.parametrize("arguments", PRINTING)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk(arguments: list[str], unbuffered: str) -> None:
    result = redirected(command(*arguments), ">/dev/full", {"PYTHONUNBUFFERED": unbuffered})
    assert result.returncode == 1, result.stderr
    first, remedy = result.stderr.splitlines()
    assert first == "sayd: the results cannot be written: No space left on device"
    assert "send it elsewhere" in remedy


@pytest.mark.parametrize("arguments", PRINTING)
def test_a_reader_that_has_gone(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_no_file_lands_on_a_standard_descriptor() -> None:
    code = (
        "import os; from sayd_cli.cli.streams import adopt_streams; adopt_streams();"
        "raise SystemExit(100 + os.open(os.devnull, os.O_RDONLY))"
    )
    assert redirected(python(code), "<&- 2>&-").returncode == 103
    assert redirected(python(code), "<&- >&- 2>&-").returncode == 103


def test_standard_output_stays_what_it_was() -> None:
    code = (
        "import sys; from sayd_cli.cli.streams import adopt_streams\n"
        "def told(): return [getattr(sys.stdout, name) for name in "
        "('encoding', 'errors', 'line_buffering', 'write_through')]\n"
        "before = told(); adopt_streams(); assert told() == before, (before, told())\n"
        "assert type(sys.stdout.buffer.raw).__name__ == '_Results'"
    )
    for encoding in ("ascii:backslashreplace", "utf-16"):
        buffered = {"PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": ""}
        result = redirected(python(code), "", buffered)
        assert (result.returncode, result.stderr) == (0, "")


def test_ctrl_c_while_it_loads_is_not_lost_in_a_library() -> None:
    # A library that takes every exception during its import for a part that is missing.
    code = """if True:
        import os, signal, sys

        class Finder:
            def find_spec(name, path, target=None):
                if name == "sayd_cli.cli.app":
                    try:
                        os.kill(os.getpid(), signal.SIGINT)
                    except BaseException:
                        pass

        sys.meta_path.insert(0, Finder)
        from sayd_cli.cli.main import main
        main()
    """
    result = redirected(python(code, "--help"), "")
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_ctrl_c_after_the_last_word_changes_nothing() -> None:
    code = (
        "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT);"
        "from sayd_cli.cli.main import main; main()"
    )
    result = redirected(python(code, "sessions", "list", "--json"), "")
    assert (result.returncode, result.stdout, result.stderr) == (0, "[]\n", "")


def test_who_wants_ctrl_c_ignored_has_it_ignored() -> None:
    code = (
        "import signal; import sayd_cli.cli.app as app;"
        "app.run = lambda arguments, begin: (begin(), signal.raise_signal(signal.SIGINT), 7)[2];"
        "from sayd_cli.cli.main import main; main()"
    )
    assert redirected(["env", "--ignore-signal=INT", *python(code, "x")], "").returncode == 7
    assert redirected(python(code, "x"), "").returncode == 130


def test_the_view_beside_a_pipe_takes_no_keys() -> None:
    # At the other end of the pipe may be a pager, which reads keys from the same terminal.
    arguments = ("listen", BECKETT, "--local", "--pace", "realtime")
    with Emulator() as terminal, on_terminal(terminal, *arguments):
        wait_until(lambda: "q stops" in terminal.status())
    reading, writing = os.pipe()
    with Emulator() as terminal, on_terminal(terminal, *arguments, stdout=writing):
        wait_until(lambda: "listening" in terminal.status())
        assert "q stops" not in terminal.status()
        assert termios.tcgetattr(terminal.stream.fileno())[3] & termios.ICANON
    os.close(reading)
    os.close(writing)


def test_the_version_is_told_wherever_it_is_asked_for() -> None:
    assert sayd("--debug", "--version").stdout == sayd("--version").stdout


def test_a_stop_before_the_streams_are_looked_at_ends_in_good_order() -> None:
    early = (
        "import sayd_cli.cli.main as entry\n"
        "def stopped(): raise KeyboardInterrupt\n"
        "entry.adopt_streams = stopped\n"
        "entry.main()"
    )
    assert redirected(python(early), "2>&-").returncode == 130
