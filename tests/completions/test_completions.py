"""What every press of Tab offers that is known beforehand: from the scripts alone, without sayd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayd_cli.cli.app import COMMANDS
from sayd_cli.model.audio import Codec
from sayd_cli.transcript.formats import Format
from tests.completions.shells import (
    COMPLETIONS,
    SHELLS,
    bash_offers,
    fish_offers,
    need,
    put_on_path,
    typed,
)

NAMES = sorted(entry.name for entry in COMMANDS)
FORMATS = sorted(format_.value for format_ in Format)
CODECS = sorted(codec.value for codec in Codec)
LANGUAGES = ["auto", "en", "en-GB", "en-US", "multi", "zh", "zh-CN", "zh-TW"]
FILES = ("-o", "--output", "--record", "--caption-file")


@pytest.fixture(autouse=True)
def _a_sayd_that_fails_loudly(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("bin")
    script = f'echo "$@" >>{folder}/started; echo LOUD; echo LOUD >&2; exit 99'
    put_on_path(folder, script, monkeypatch)
    yield
    assert not (folder / "started").exists()


def generate(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_is_current() -> None:
    ended = generate(COMPLETIONS / "generate.py", "--check")
    assert (ended.stderr, ended.returncode) == ("", 0)


def test_what_is_not_current_is_named_and_then_written(tmp_path: Path) -> None:
    folder = tmp_path / "completions"
    shutil.copytree(COMPLETIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "*.fish"))
    (folder / "_sayd").write_text("#compdef sayd\n")
    ended = generate(folder / "generate.py", "--check")
    assert ended.returncode == 1
    assert [line.split()[0] for line in ended.stderr.splitlines()] == [
        "completions/_sayd",
        "completions/sayd.fish",
        "man/sayd.1",
    ]
    assert generate(folder / "generate.py").returncode == 0
    for written in ("completions/_sayd", "completions/sayd.fish", "man/sayd.1"):
        assert (tmp_path / written).read_bytes() == (COMPLETIONS.parent / written).read_bytes()
    assert generate(folder / "generate.py", "--check").returncode == 0


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
        assert bash_offers("sayd", "sessions", "sh") == ["show"]

    def test_options(self) -> None:
        assert bash_offers("sayd", "--v") == ["--version"]
        assert bash_offers("sayd", "listen", "--no-i") == ["--no-interim"]
        assert bash_offers("sayd", "sessions", "list", "--li") == ["--limit"]
        assert bash_offers("sayd", "listen", "--no-t") == ["--no-timestamps"]
        assert bash_offers("sayd", "listen", "--t") == ["--timestamps"]
        assert bash_offers("sayd", "listen", "--cl") == ["--cloud"]
        assert bash_offers("sayd", "demo", "--format") == []

    def test_values(self) -> None:
        assert sorted(bash_offers("sayd", "listen", "--format", "")) == FORMATS
        assert sorted(bash_offers("sayd", "sessions", "show", "-f", "")) == FORMATS
        assert sorted(bash_offers("sayd", "listen", "--codec", "")) == CODECS
        assert sorted(bash_offers("sayd", "listen", "-l", "")) == LANGUAGES
        assert sorted(bash_offers("sayd", "sessions", "create", "--codec", "")) == CODECS
        assert bash_offers("sayd", "listen", "--pace", "r") == ["realtime"]
        assert bash_offers("sayd", "listen", "--rate", "1") == ["16000"]
        assert bash_offers("sayd", "listen", "--name", "") == []

    def test_values_after_an_equals_sign(self) -> None:
        assert sorted(bash_offers("sayd", "listen", "--format", "=")) == FORMATS
        assert bash_offers("sayd", "listen", "--format", "=", "j") == ["jsonl"]

    def test_files(self) -> None:
        assert bash_offers("sayd", "listen", "") == ["FILES"]
        assert bash_offers("sayd", "serve", "--keys-file", "") == ["FILES"]
        for option in FILES:
            assert bash_offers("sayd", "listen", option, "") == ["FILES"]
        assert bash_offers("sayd", "demo", "") == []

    def test_programs(self) -> None:
        assert "cat" in bash_offers("sayd", "listen", "--exec", "ca")

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
        assert fish_offers("sayd sessions sh") == ["show"]

    def test_options(self) -> None:
        assert fish_offers("sayd --v") == ["--version"]
        assert fish_offers("sayd listen --no-i") == ["--no-interim"]
        assert fish_offers("sayd sessions list --li") == ["--limit"]
        assert fish_offers("sayd listen --no-t") == ["--no-timestamps"]
        assert fish_offers("sayd listen --t") == ["--timestamps"]
        assert fish_offers("sayd listen --cl") == ["--cloud"]
        assert fish_offers("sayd demo --format") == []

    def test_values(self, tmp_path: Path) -> None:
        (tmp_path / "text.wav").touch()
        assert sorted(fish_offers("sayd listen --format ", tmp_path)) == FORMATS
        assert sorted(fish_offers("sayd sessions show -f ", tmp_path)) == FORMATS
        assert sorted(fish_offers("sayd listen --codec ", tmp_path)) == CODECS
        assert sorted(fish_offers("sayd listen -l ", tmp_path)) == LANGUAGES
        assert sorted(fish_offers("sayd sessions create --codec ", tmp_path)) == CODECS
        assert fish_offers("sayd listen --pace r") == ["realtime"]
        assert fish_offers("sayd listen --rate 1") == ["16000"]
        assert fish_offers("sayd listen --name ", tmp_path) == []

    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "two words.wav").touch()
        assert fish_offers("sayd listen tw", tmp_path) == ["two words.wav"]
        assert fish_offers("sayd serve --keys-file tw", tmp_path) == ["two words.wav"]
        for option in FILES:
            assert fish_offers(f"sayd listen {option} tw", tmp_path) == ["two words.wav"]
        assert fish_offers("sayd demo tw", tmp_path) == []

    def test_programs(self) -> None:
        assert "cat" in fish_offers("sayd listen --exec ca")

    def test_a_value_that_is_called_like_a_command(self) -> None:
        assert fish_offers("sayd listen --name demo --pa") == ["--pace"]


@pytest.mark.parametrize("shell", SHELLS)
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
        ("sayd listen --caption-f\t two\t", ["listen", "--caption-file", "two words.wav"]),
        ("sayd listen -o two\t --no-t\t", ["listen", "-o", "two words.wav", "--no-timestamps"]),
        ("sayd listen --exec sayd-not\t", ["listen", "--exec", "sayd-notify"]),
        ("sayd listen --cod\t opus_\t", ["listen", "--codec", "opus_fs320"]),
        ("sayd listen -l zh-C\t", ["listen", "-l", "zh-CN"]),
    ],
)
def test_pressing_tab_in_a_terminal(
    shell: str,
    keys: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need(shell)
    (tmp_path / "two words.wav").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sayd-notify").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert typed(shell, keys, tmp_path) == arguments


def test_zsh_can_read_its_script() -> None:
    need("zsh")
    subprocess.run(["zsh", "-f", "-n", COMPLETIONS / "_sayd"], check=True, timeout=60)
