"""The config file and ``sayd config``: every option of ``sayd listen`` has its setting."""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer

from sayd_cli.cli.app import build
from sayd_cli.cli.defaults import Setting, configured, settings_of
from sayd_cli.cli.listen import command
from sayd_cli.engine.recordings import recording
from sayd_cli.errors import UsageError
from sayd_cli.settings.config import Config
from tests.cli.process import sayd
from tests.cli.test_errors import assert_clear

SETTINGS = settings_of(command)
BECKETT = str(recording("beckett.wav"))


def other_value(setting: Setting) -> object:
    """One that TOML has, and that is not the default."""
    if setting.kind is bool:
        return setting.default is not True
    if issubclass(setting.kind, Enum):
        return next(item.value for item in setting.kind if item is not setting.default)
    one: object = "some-text"
    if setting.kind in (int, float):
        one = setting.kind(8 if setting.least is None else setting.least)
    return [one, one] if setting.repeatable else one


def plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def parsed(defaults: dict[str, Any], *arguments: str) -> dict[str, Any]:
    """What the command's function would be given, by parameter."""
    group: Any = typer.main.get_command(build("listen"))
    with group.make_context("sayd", ["listen"]) as context:
        context.default_map = {"listen": defaults}
        listen = group.commands["listen"]
        words = list(arguments)
        with listen.make_context("listen", words, parent=context) as below:
            return {name: plain(value) for name, value in below.params.items()}


def config(**listen: object) -> Config:
    return Config(Path("/c/config.toml"), listen=listen)


def test_every_option_is_a_setting() -> None:
    group: Any = typer.main.get_command(build("listen"))
    shown = [item for item in group.commands["listen"].params if item.param_type_name == "option"]
    names = {item.name: item.opts for item in shown if item.name != "help"}
    assert {setting.parameter for setting in SETTINGS} == set(names)
    for setting in SETTINGS:
        assert f"--{setting.name}" in names[setting.parameter]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_reaches_the_command_and_an_option_goes_before_it(setting: Setting) -> None:
    value = other_value(setting)
    values = configured(config(**{setting.name: value}), SETTINGS)
    without = parsed({})
    assert parsed(dict(values)) == {**without, setting.parameter: value}
    if setting.kind is bool:
        option = [f"--{setting.name if value is False else setting.opposite or setting.name}"]
        given = value is False or not setting.opposite
    elif setting.default is None or setting.repeatable:
        text = "5" if setting.kind in (int, float) else "given"
        if issubclass(setting.kind, Enum):
            text = [item.value for item in setting.kind][-1]
        option = [f"--{setting.name}", text]
        given = parsed({}, *option)[setting.parameter]
    else:
        option = [f"--{setting.name}", str(plain(setting.default))]
        given = plain(setting.default)
    assert parsed(dict(values), *option)[setting.parameter] == given


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], "\u2603", 1.5, True, float("nan")])
def test_a_value_of_another_kind_is_told_with_its_name(setting: Setting, value: object) -> None:
    fits = {
        bool: isinstance(value, bool),
        float: isinstance(value, float) and value == value,
        int: False,
        str: isinstance(value, str),
        Path: isinstance(value, str),
    }
    if fits.get(setting.kind, False):
        configured(config(**{setting.name: value}), SETTINGS)
        return
    with pytest.raises(UsageError) as caught:
        configured(config(**{setting.name: value}), SETTINGS)
    assert caught.value.message.startswith(f"/c/config.toml: {setting.name} in [listen] must be ")


def test_a_device_of_the_config_file_is_for_the_microphone_only() -> None:
    home = Path(os.environ["SAYD_HOME"])
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text('[listen]\ndevice = "microphone"\n')
    assert sayd("listen", str(BECKETT), "--local", "--once").returncode == 0
    typed = sayd("listen", str(BECKETT), "--local", "--device", "1")
    assert typed.returncode == 2
    assert "--device is for the microphone" in typed.stderr


def test_help_needs_no_config_file_that_is_right() -> None:
    home = Path(os.environ["SAYD_HOME"])
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text('[listen]\nformat = "srtt"\n')
    assert sayd("listen", "--help").returncode == 0
    assert sayd("listen", str(BECKETT)).returncode == 2


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/beckett")
    values = configured(config(record="~/notes.wav", name="~/notes"), SETTINGS)
    assert values == {"record": "/home/beckett/notes.wav", "name": "~/notes"}


def test_a_device_may_be_a_number() -> None:
    assert configured(config(device=2), SETTINGS) == {"device": "2"}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("lanugage", "did you mean language?"),
        ("cloud", "write local = false"),
        ("source", "there is device, language, "),
        ("zzz", "there is device, language, "),
    ],
)
def test_a_name_that_no_option_has(name: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=rf"/c/config.toml: .*'{name}' in \[listen\]") as caught:
        configured(config(**{name: True}), SETTINGS)
    assert remedy in caught.value.remedy


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config file; its folder is the home."""
    monkeypatch.setenv("SAYD_HOME", str(tmp_path))
    return tmp_path / "config.toml"


def sources(*arguments: str, **env: str) -> dict[str, tuple[object, str]]:
    told = json.loads(sayd("config", "show", "--json", env=env).stdout)
    return {row["name"]: (row["value"], row["source"]) for row in told["settings"]}


def test_the_file_sets_what_the_command_line_does_not(file: Path) -> None:
    file.write_text('[listen]\nlocal = true\ntimestamps = true\nformat = "jsonl"\n')
    assert sayd("listen", BECKETT).stdout.startswith('{"type": "session"')
    assert sayd("listen", BECKETT, "-f", "text").stdout.startswith("[00:00")


def test_it_is_for_listen_alone(file: Path) -> None:
    file.write_text("[listen]\nno-such-option = 1\n")
    assert_clear(sayd("listen", BECKETT), 2, f"{file}: there is no 'no-such-option' in [listen]")
    assert_clear(sayd("config", "show"), 2, str(file))
    assert sayd("config", "path").stdout == f"{file}\n"
    assert sayd("sessions", "list", "--local", "--json").stdout == "[]\n"


def test_a_broken_file_is_told_wherever_it_is_read(file: Path) -> None:
    file.write_text("[listen\n")
    for arguments in (["listen", BECKETT], ["sessions", "list"], ["config", "show"]):
        assert_clear(sayd(*arguments), 2, str(file), "line 1")
    assert sayd("config", "path").returncode == 0
    assert sayd("--version").returncode == 0
    assert sayd("auth", "logout").returncode == 0


def test_the_service_is_set_for_every_command(file: Path) -> None:
    file.write_text('[service]\nbase-url = "http://127.0.0.1:9"\nbackend = "cloud"\n')
    assert_clear(sayd("sessions", "list"), 3, "no key")
    env = {"SAYD_API_KEY": "k"}
    assert_clear(sayd("sessions", "list", env=env), 4, "127.0.0.1")
    assert sayd("sessions", "list", env={"SAYD_BACKEND": "local"}).returncode == 0


def test_where_each_value_comes_from(file: Path) -> None:
    assert set(sources().values()) >= {(16000, "default"), ("auto", "default")}
    assert {source for _, source in sources().values()} == {"default"}
    file.write_text('[listen]\nrate = 8000\nlocal = true\n[service]\nbase-url = "http://me:pw@h"\n')
    told = sources()
    assert told["listen.rate"] == (8000, "config file")
    assert told["listen.local"] == (True, "config file")
    assert told["listen.language"] == ("multi", "default")
    assert told["service.base-url"] == ("http://***@h", "config file")
    told = sources(SAYD_BASE_URL="http://given", SAYD_BACKEND="cloud")
    assert told["listen.local"] == (False, "SAYD_BACKEND")
    assert told["service.base-url"] == ("http://given", "SAYD_BASE_URL")
    assert told["service.backend"] == ("cloud", "SAYD_BACKEND")
    assert len(told) == len(SETTINGS) + 2


def test_the_environment_goes_before_the_file(file: Path) -> None:
    file.write_text("[listen]\nlocal = true\n")
    assert sayd("listen", BECKETT).returncode == 0
    assert_clear(sayd("listen", BECKETT, env={"SAYD_BACKEND": "cloud"}), 3, "no key")
    result = sayd("listen", BECKETT, "--local", env={"SAYD_BACKEND": "cloud"})
    assert result.returncode == 0


def test_it_is_shown_to_a_person_and_to_a_pipe(file: Path) -> None:
    file.write_text('[listen]\nlanguage = "en"\n')
    rows = [line.split("\t") for line in sayd("config", "show").stdout.splitlines()]
    assert ["listen.language", '"en"', "config file"] in rows
    assert ["key", "not set", ""] in rows
    assert {len(row) for row in rows} == {3}
    told = json.loads(sayd("config", "show", "--json").stdout)
    assert (told["path"], told["exists"], told["key"]) == (str(file), True, None)


def test_a_home_without_a_file(file: Path) -> None:
    assert json.loads(sayd("config", "show", "--json").stdout)["exists"] is False
    assert sayd("config", "path").stdout == f"{file}\n"
    assert list(file.parent.iterdir()) == []
