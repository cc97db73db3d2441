from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sayd_cli.cli.app import COMMANDS
from sayd_cli.transcript.formats import Format
from tests.completions.shells import COMPLETIONS, bash_offers, fish_offers, need, typed

NAMES = sorted(entry.name for entry in COMMANDS)
FORMATS = sorted(format_.value for format_ in Format)


def generate(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_scripts_are_current() -> None:
    ended = generate(COMPLETIONS / "generate.py", "--check")
    assert (ended.stderr, ended.returncode) == ("", 0)


def test_a_script_that_is_not_current_is_named_and_then_written(tmp_path: Path) -> None:
    script = Path(shutil.copy(COMPLETIONS / "generate.py", tmp_path))
    for name in ("_sayd", "sayd.bash"):
        shutil.copy(COMPLETIONS / name, tmp_path)
    (tmp_path / "_sayd").write_text("#compdef sayd\n")
    ended = generate(script, "--check")
    assert ended.returncode == 1
    assert [line.split()[0] for line in ended.stderr.splitlines()] == [
        "completions/_sayd",
        "completions/sayd.fish",
    ]
    assert generate(script).returncode == 0
    assert (tmp_path / "_sayd").read_bytes() == (COMPLETIONS / "_sayd").read_bytes()
    assert generate(script, "--check").returncode == 0


def test_an_unknown_argument_is_refused() -> None:
    assert generate(COMPLETIONS / "generate.py", "--chek").returncode == 2


class TestBash:
    @pytest.fixture(autouse=True)
    def _bash(self) -> None:
        need("bash")

    def test_commands(self) -> None:
        assert sorted(bash_offers("sayd", "")) == NAMES
        assert bash_offers("sayd", "lis") == ["listen"]
        assert bash_offers("sayd", "--debug", "lis") == ["listen"]
        assert bash_offers("sayd", "sessions", "s") == ["show"]

    def test_options(self) -> None:
        assert bash_offers("sayd", "--v") == ["--version"]
        assert bash_offers("sayd", "listen", "--no-i") == ["--no-interim"]
        assert bash_offers("sayd", "sessions", "list", "--li") == ["--limit"]
        assert bash_offers("sayd", "demo", "--format") == []

    def test_values(self) -> None:
        assert sorted(bash_offers("sayd", "listen", "--format", "")) == FORMATS
        assert sorted(bash_offers("sayd", "sessions", "show", "-f", "")) == FORMATS
        assert bash_offers("sayd", "listen", "--pace", "r") == ["realtime"]
        assert bash_offers("sayd", "listen", "--rate", "1") == ["16000"]
        assert bash_offers("sayd", "listen", "--name", "") == []

    def test_values_after_an_equals_sign(self) -> None:
        assert sorted(bash_offers("sayd", "listen", "--format", "=")) == FORMATS
        assert bash_offers("sayd", "listen", "--format", "=", "j") == ["jsonl"]

    def test_files(self) -> None:
        assert bash_offers("sayd", "listen", "") == ["FILES"]
        assert bash_offers("sayd", "serve", "--keys-file", "") == ["FILES"]
        assert bash_offers("sayd", "demo", "") == []

    def test_a_value_that_is_called_like_a_command(self) -> None:
        assert bash_offers("sayd", "listen", "--name", "demo", "--pa") == ["--pace"]


class TestFish:
    @pytest.fixture(autouse=True)
    def _fish(self) -> None:
        need("fish")

    def test_commands(self) -> None:
        assert sorted(fish_offers("sayd ")) == NAMES
        assert fish_offers("sayd lis") == ["listen"]
        assert fish_offers("sayd --debug lis") == ["listen"]
        assert fish_offers("sayd sessions s") == ["show"]

    def test_options(self) -> None:
        assert fish_offers("sayd --v") == ["--version"]
        assert fish_offers("sayd listen --no-i") == ["--no-interim"]
        assert fish_offers("sayd sessions list --li") == ["--limit"]
        assert fish_offers("sayd demo --format") == []

    def test_values(self, tmp_path: Path) -> None:
        (tmp_path / "text.wav").touch()
        assert sorted(fish_offers("sayd listen --format ", tmp_path)) == FORMATS
        assert sorted(fish_offers("sayd sessions show -f ", tmp_path)) == FORMATS
        assert fish_offers("sayd listen --pace r") == ["realtime"]
        assert fish_offers("sayd listen --rate 1") == ["16000"]
        assert fish_offers("sayd listen --name ", tmp_path) == []

    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "two words.wav").touch()
        assert fish_offers("sayd listen tw", tmp_path) == ["two words.wav"]
        assert fish_offers("sayd serve --keys-file tw", tmp_path) == ["two words.wav"]
        assert fish_offers("sayd demo tw", tmp_path) == []

    def test_a_value_that_is_called_like_a_command(self) -> None:
        assert fish_offers("sayd listen --name demo --pa") == ["--pace"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        ("sayd lis\t", ["listen"]),
        ("sayd --de\tdem\t", ["--debug", "demo"]),
        ("sayd sess\tli\t--li\t 3", ["sessions", "list", "--limit", "3"]),
        ("sayd listen --pa\t rea\t", ["listen", "--pace", "realtime"]),
        ("sayd listen -f js\t--no-i\t", ["listen", "-f", "jsonl", "--no-interim"]),
        ("sayd listen two\\ w\t", ["listen", "two words.wav"]),
        ("sayd serve --keys-f\t two\t", ["serve", "--keys-file", "two words.wav"]),
    ],
)
def test_pressing_tab_in_a_terminal(
    shell: str, keys: str, arguments: list[str], tmp_path: Path
) -> None:
    need(shell)
    (tmp_path / "two words.wav").touch()
    assert typed(shell, keys, tmp_path) == arguments


def test_zsh_can_read_its_script() -> None:
    need("zsh")
    subprocess.run(["zsh", "-f", "-n", COMPLETIONS / "_sayd"], check=True, timeout=60)
