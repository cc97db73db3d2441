"""Checks everything, with the tools that are installed beside this interpreter.

    python -m tests.check

Every step runs, whatever became of those before it; the tests come last, so that their summary is
the last that is printed. The exit status is 0 when all of them passed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]

# import-linter has no module that `python -m` runs.
_LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# Real speech is heard at the pace of speech: most of the time is spent in waiting, so more of them
# than there are cores. Those of a file share what is expensive to begin.
_TESTS = ("-m", "pytest", "-n", "4", "--dist", "loadfile")

_STEPS = {
    "ruff check": ("-m", "ruff", "check"),
    "ruff format": ("-m", "ruff", "format", "--check"),
    "mypy": ("-m", "mypy"),
    "import contract": ("-c", _LINT_IMPORTS),
    "completions and man page": ("completions/generate.py", "--check"),
}


def main() -> int:
    """Run the steps; gives the exit status."""
    failed = [name for name, arguments in _STEPS.items() if not _passes(name, arguments)]
    if failed:
        print(f"\n=== FAILED before the tests: {', '.join(failed)}", flush=True)
    tests_pass = _passes("tests", _TESTS)
    return 0 if tests_pass and not failed else 1


def _passes(name: str, arguments: tuple[str, ...]) -> bool:
    print(f"\n=== {name}", flush=True)
    return subprocess.run([sys.executable, *arguments], cwd=_ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
