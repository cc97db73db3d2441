"""The man page: that groff reads it without a warning, and that nothing is missing in it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sayd_cli
from sayd_cli.settings.environment import read_variables
from sayd_cli.settings.paths import (
    config_path,
    credentials_path,
    history_path,
    server_path,
    spool_directory,
)
from tests.completions.command_line import commands_and_options
from tests.completions.shells import COMPLETIONS, need

PAGE = COMPLETIONS.parent / "man" / "sayd.1"


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as a reader has it."""
    need("groff")
    ended = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", PAGE],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert ended.stderr == ""
    return ended.stdout


def section(shown: str, name: str) -> str:
    found = re.search(rf"^{name}$(.*?)(?=^\S)", shown, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def test_it_has_its_sections_and_fits_a_terminal(shown: str) -> None:
    names = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "ENVIRONMENT", "FILES"]
    names += ["EXIT STATUS", "EXAMPLES"]
    assert [line for line in shown.splitlines() if line in names] == names
    assert section(shown, "NAME").strip().startswith("sayd - live transcription")
    # What is to be copied, such as a command, is not wrapped.
    assert max(map(len, shown.splitlines())) <= 88


def test_it_is_of_ascii_alone() -> None:
    assert PAGE.read_bytes().isascii()


def test_every_command_has_its_options(shown: str) -> None:
    told: dict[str, set[str]] = {"sayd": set()}
    where = "sayd"
    for line in (section(shown, "OPTIONS") + section(shown, "COMMANDS")).splitlines():
        if heading := re.match(r" {3}(sayd[a-z ]*[a-z])", line):
            where = heading[1]
            told[where] = {"--help", "-h"}
        elif re.match(r" {7}-", line):
            names = re.match(r" {7}((?:--?[a-z-]+, )*--?[a-z-]+)", line)
            assert names is not None, line
            told[where] |= set(names[1].split(", "))
    assert told == commands_and_options()


def test_the_synopsis_has_every_command_that_does_something(shown: str) -> None:
    lines = [line.strip() for line in section(shown, "SYNOPSIS").splitlines() if line.strip()]
    commands = [re.sub(r" \[.*| [A-Z].*| --.*", "", line) for line in lines]
    groups = {"sayd sessions", "sayd auth", "sayd config"}
    assert set(commands) == set(commands_and_options()) - groups
    assert "sayd sessions delete [option ...] ID ..." in lines
    assert "sayd listen [option ...] [SOURCE]" in lines


def test_every_variable_that_the_program_knows_is_told(shown: str) -> None:
    sources = Path(sayd_cli.__file__).parent.rglob("*.py")
    known = {name for path in sources for name in re.findall(r"\bSAYD_[A-Z_]+", path.read_text())}
    assert len(known) > 10
    assert set(re.findall(r"\bSAYD_[A-Z_]+", section(shown, "ENVIRONMENT"))) == known


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the page tells Linux's places")
def test_the_files_are_where_it_says(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAYD_HOME")
    environment = read_variables(os.environ)
    places = (config_path, credentials_path, history_path, server_path, spool_directory)
    paths = {f"~/{place(environment).relative_to(Path.home())}" for place in places}
    told = re.findall(r"^ +(~/\.\S+)", section(shown, "FILES"), re.MULTILINE)
    assert {each.rstrip("/") for each in told} == paths


def test_the_examples_are_of_commands_and_options_that_there_are(shown: str) -> None:
    known = commands_and_options()
    lines = re.findall(r"^ {11}(\S.*)$", section(shown, "EXAMPLES"), re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        found = re.search(r"sayd .*", line)
        assert found is not None, line
        words = shlex.split(re.split(r"[|)]", found[0])[0].replace('"', "'"))
        path = "sayd"
        for word in words[1:]:
            path = f"{path} {word}" if f"{path} {word}" in known else path
        assert path != "sayd", line
        assert {word for word in words if word.startswith("-")} <= known[path], line


def test_man_shows_it(tmp_path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("no man: apt install man-db")
    (tmp_path / "man1").mkdir()
    shutil.copy(PAGE, tmp_path / "man1")
    ended = subprocess.run(
        ["man", "--warnings", "-M", tmp_path, "sayd"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANPAGER": "cat"},
    )
    assert ended.stderr == ""
    assert "EXIT STATUS" in ended.stdout
