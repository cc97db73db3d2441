from __future__ import annotations

from pathlib import Path

import pytest

from sayd_cli.errors import UsageError
from sayd_cli.settings.config import Config, load_config
from sayd_cli.settings.environment import BackendChoice


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refused(path: Path, text: str) -> UsageError:
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message + caught.value.remedy
    return caught.value


def test_no_file_says_nothing(path: Path) -> None:
    assert load_config(path) == Config(path)
    path.write_text("# nothing yet\n")
    assert load_config(path) == Config(path)


def test_what_it_says(path: Path) -> None:
    text = '[service]\nbase_url = "http://h"\nbackend = "local"\n[listen]\nno_history = true\n'
    path.write_text(text + 'output = ["a.srt"]\n', encoding="utf-8-sig")
    assert load_config(path) == Config(
        path, "http://h", BackendChoice.LOCAL, {"no-history": True, "output": ["a.srt"]}
    )


def test_what_is_not_toml_is_told_with_its_line(path: Path) -> None:
    assert "line 2" in refused(path, "[listen]\nrate = = 8000\n").message
    path.write_bytes(b"[listen]\nname = '\xff'\n")
    with pytest.raises(UsageError, match="UTF-8"):
        load_config(path)


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("[lisen]\n", "no section [lisen]", "did you mean listen?"),
        ("[zzz]\n", "no section [zzz]", "there is listen, service"),
        ("[service]\nbase-ulr = 'http://h'\n", "'base-ulr' in [service]", "base-url"),
        ("rate = 8000\n", "rate stands outside of a section", "[listen]"),
        ("base_url = 'http://h'\n", "outside of a section", "[service]"),
        ("[service]\nbase-url = 5\n", "base-url in [service] must be a URL", ""),
        ("[service]\nbase-url = ' '\n", "base-url in [service] must be a URL", ""),
        ("[service]\nbackend = 'moon'\n", 'one of "auto", "cloud", "local"', ""),
        ("[service]\nbackend = true\n", 'one of "auto", "cloud", "local"', ""),
        ("[listen]\nno-history = true\nno_history = true\n", "no-history", "keep one"),
        ("listen = 5\n", "listen stands outside", ""),
    ],
)
def test_what_it_may_not_say(path: Path, text: str, said: str, remedy: str) -> None:
    error = refused(path, text)
    assert said in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize("name", ["key", "api_key", "API-KEY", "SAYD_API_KEY", "token"])
@pytest.mark.parametrize("section", ["", "[service]\n", "[listen]\n"])
def test_no_key_is_taken_from_it(path: Path, section: str, name: str) -> None:
    error = refused(path, f'{section}{name} = "sk-very-secret"\n')
    assert "sayd auth login" in error.remedy
    assert "sk-very-secret" not in error.message + error.remedy
