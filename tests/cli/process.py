"""The real ``sayd``, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LIMIT_S = 90.0
"""No run here takes a tenth of it on an idle machine."""


def command(*arguments: str) -> list[str]:
    """The command line that runs it with this interpreter."""
    return [sys.executable, "-m", "sayd_cli.cli.main", *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, with warnings as errors, and more."""
    return {**os.environ, "PYTHONWARNINGS": "error", **(more or {})}


def sayd(
    *arguments: str,
    stdin: Path | bytes | None = None,
    without: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end.

    Args:
        arguments: What follows ``sayd``.
        stdin: A file to read from, or bytes in a pipe; nothing for None.
        without: Packages that cannot be imported, as if they were not installed.
        env: More environment.
    """
    line = command(*arguments)
    if without:
        hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in without)
        code = f"import sys; {hidden}; from sayd_cli.cli.main import main; main()"
        line = [sys.executable, "-c", code, *arguments]
    with contextlib.ExitStack() as stack:
        given = stack.enter_context(stdin.open("rb")) if isinstance(stdin, Path) else None
        result = subprocess.run(
            line,
            input=stdin if isinstance(stdin, bytes) else None,
            stdin=subprocess.DEVNULL if stdin is None else given,
            capture_output=True,
            env=environment(env),
            timeout=LIMIT_S,
            check=False,
        )
    return subprocess.CompletedProcess(
        result.args, result.returncode, result.stdout.decode(), result.stderr.decode()
    )


@contextlib.contextmanager
def running(
    *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run it while the context is open; killed on leaving if it has not ended."""
    process = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(env),
        text=True,
        bufsize=1,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
