"""Real shells with the completions of sayd, and keys pressed in them."""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMPLETIONS = Path(__file__).parents[2] / "completions"

_LIMIT_S = 60.0
_READY = "READY>"

SHELLS = ("bash", "zsh", "fish")

# In place of the program when Enter is pressed: says what it was called with, in words that nobody
# has typed. The scripts themselves start the program on PATH.
_ECHO = 'sayd() { printf "GIVEN"; printf "<%s>" "$@"; printf "END\\n"; }'
_FISH_ECHO = 'function sayd; printf GIVEN; printf "<%s>" $argv; printf "END\\n"; end'
_RC = {
    "bash": f"source {COMPLETIONS}/sayd.bash\n{_ECHO}\nPS1='{_READY} '\n",
    "zsh": (
        f"fpath=({COMPLETIONS} $fpath)\nautoload -Uz compinit\ncompinit -u -D\n"
        f"{_ECHO}\nPS1='{_READY} '\n"
    ),
    "fish": (
        f"source {COMPLETIONS}/sayd.fish\n{_FISH_ECHO}\n"
        f"function fish_prompt; echo '{_READY} '; end; function fish_greeting; end\n"
    ),
}
_START = {
    "bash": ["bash", "--noprofile", "--rcfile", "rc", "-i"],
    "zsh": ["zsh", "-d", "-i"],
    "fish": ["fish", "--no-config", "-i", "-C", "source rc"],
}
# fish wants the terminal to be its own.
_ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def need(shell: str) -> None:
    """Skip the test where the shell is missing; in CI, fail it."""
    if shutil.which(shell) is not None:
        return
    reason = f"no {shell}: apt install {shell}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI nothing that needs a shell is skipped: {reason}", pytrace=False)
    pytest.skip(reason)


def put_on_path(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a ``sayd`` on PATH that is this script of sh."""
    program = folder / "sayd"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def the_real_one() -> str:
    """A script for ``put_on_path`` that is sayd itself."""
    return f'exec {shlex.quote(sys.executable)} -m sayd_cli.cli.main "$@"'


def bash_offers(*words: str) -> list[str]:
    """What the function of the bash script offers for the last of these words.

    ``FILES`` stands for the files that bash itself then offers.
    """
    script = (
        f"compopt() {{ [[ $* == '-o default' ]] && echo FILES; }}; source {COMPLETIONS}/sayd.bash;"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sayd; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return _run("bash", "--noprofile", "--norc", "-c", script, "bash", *words)


def fish_offers(line: str, folder: Path | None = None) -> list[str]:
    """What fish offers after this line, without the descriptions."""
    script = f"source {COMPLETIONS}/sayd.fish; complete -C $argv"
    rows = _run("fish", "--no-config", "-c", script, line, folder=folder)
    return [row.partition("\t")[0].replace("\\", "") for row in rows]


def _run(*command: str, folder: Path | None = None) -> list[str]:
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=_LIMIT_S, check=True, cwd=folder
    )
    assert ended.stderr == ""
    return [line for line in ended.stdout.splitlines() if line]


def typed(shell: str, keys: str, folder: Path) -> list[str]:
    """Press keys in an interactive shell, then Enter; gives the arguments that sayd then gets."""
    import pty

    rc = folder / (".zshrc" if shell == "zsh" else "rc")
    rc.write_text(_RC[shell], encoding="utf-8")
    environment = {
        **os.environ,
        "TERM": "dumb",
        "ZDOTDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
    }
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *_START[shell]],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        with process:
            try:
                _read_to(ours, _READY)
                os.write(ours, f"{keys}\n".encode())
                shown = _read_to(ours, "END")
            finally:
                process.kill()
    finally:
        os.close(ours)
    return _arguments(shown)


def _read_to(terminal: int, mark: str) -> str:
    end_s = time.monotonic() + _LIMIT_S
    shown = ""
    while mark not in shown:
        left_s = end_s - time.monotonic()
        assert left_s > 0, f"no {mark!r} in {shown!r}"
        if select.select([terminal], [], [], left_s)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown


def _arguments(shown: str) -> list[str]:
    found = re.search(r"GIVEN(.*)END", shown)
    assert found is not None, shown
    return re.findall("<([^<>]*)>", found[1])
