"""How fast ``sayd`` starts, against the least that a program could take.

    python -m tests.benchmarks.startup           print the table
    python -m tests.benchmarks.startup --check   and exit with status 1 when a target is missed

Runs alternate, so that a busy moment of the machine falls on both sides of a pair; what counts is
the median of the pairs' ratios.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_TWO_EMPTY_COMMANDS = """\
import typer

app = typer.Typer({settings})


@app.command()
def one() -> None:
    pass


@app.command()
def two() -> None:
    pass


app()
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two programs that are run in turn, and the most that the first may take of the second."""

    name: str
    ours: Sequence[str]
    reference_name: str
    reference: Sequence[str]
    target: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that each run of a pair took, in the order of the runs."""

    ours_s: tuple[float, ...]
    reference_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(a / b for a, b in zip(self.ours_s, self.reference_s, strict=True))


def installed_sayd() -> str:
    """The console script beside this interpreter."""
    script = shutil.which("sayd", path=str(Path(sys.executable).parent))
    if script is None:
        sys.exit("sayd is not installed beside this interpreter: pip install -e .")
    return script


def pairs(folder: Path) -> tuple[Pair, ...]:
    """What is compared; the programs of the references are written to ``folder``.

    ``sayd --help`` does without rich, so it is compared with a Typer program that does, too.
    """
    sayd = installed_sayd()
    bare = (sys.executable, "-c", "pass")
    typer = _reference(folder / "two_commands.py", settings="")
    plain = _reference(folder / "without_rich.py", settings="rich_markup_mode=None")
    return (
        Pair("sayd --version", (sayd, "--version"), "python -c pass", bare, 2.0),
        Pair("sayd --help", (sayd, "--help"), "Typer, two empty commands", typer, 1.3),
        Pair("sayd --help", (sayd, "--help"), "the same without rich", plain, 1.3),
    )


def _reference(path: Path, settings: str) -> tuple[str, ...]:
    path.write_text(_TWO_EMPTY_COMMANDS.format(settings=settings), encoding="utf-8")
    return (sys.executable, str(path), "--help")


def measure(pair: Pair, runs: int, warm_up: int = 3) -> Timing:
    """Run both programs in turn ``runs`` times, after ``warm_up`` times that do not count."""
    with tempfile.TemporaryDirectory() as home:
        # As a user starts it: nothing of what tests or developers set for Python.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SAYD_"))}
        environment |= {"HOME": home, "SAYD_HOME": home}
        timed = [
            (_run(pair.ours, environment), _run(pair.reference, environment))
            for _ in range(warm_up + runs)
        ][warm_up:]
    return Timing(tuple(ours for ours, _ in timed), tuple(other for _, other in timed))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> float:
    start_s = time.perf_counter()
    subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - start_s


def main(arguments: Sequence[str]) -> int:
    """Print the table; gives the exit status."""
    missed = False
    print(f"{'':26} {'median':>8} {'min':>8} {'max':>8} {'ratio':>7} {'target':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for pair in pairs(Path(folder)):
            timing = measure(pair, runs=21)
            missed = missed or timing.ratio > pair.target
            print(_row(pair.name, timing.ours_s), f"{timing.ratio:7.2f} {pair.target:7.1f}")
            print(_row(pair.reference_name, timing.reference_s))
    return 1 if missed and "--check" in arguments else 0


def _row(name: str, taken_s: Sequence[float]) -> str:
    figures = (median(taken_s), min(taken_s), max(taken_s))
    return f"{name:26}" + "".join(f" {figure * 1000:5.0f} ms" for figure in figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
