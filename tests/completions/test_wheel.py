"""What the wheel brings beside the package: the man page, and the scripts where shells look."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = {
    "man/sayd.1": "share/man/man1/sayd.1",
    "completions/sayd.bash": "share/bash-completion/completions/sayd",
    "completions/_sayd": "share/zsh/site-functions/_sayd",
    "completions/sayd.fish": "share/fish/vendor_completions.d/sayd.fish",
}


def test_every_file_has_its_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"] == SHARED
    assert all((ROOT / name).is_file() for name in SHARED)


@pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="only in CI: building wants the network, for hatchling"
)
def test_they_are_in_the_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests"))
    # Built and looked into, not installed: pip would take away the sayd that is being tested.
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, source],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        # What is below data/ goes below the prefix of the installation.
        brought = {
            name.partition(".data/data/")[2]: wheel.read(name)
            for name in wheel.namelist()
            if ".data/data/" in name
        }
    assert brought == {place: (ROOT / name).read_bytes() for name, place in SHARED.items()}
