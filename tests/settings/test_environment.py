from __future__ import annotations

from pathlib import Path

import pytest

from sayd_cli.errors import UsageError
from sayd_cli.model.secret import Secret
from sayd_cli.settings.environment import (
    DEFAULT_BASE_URL,
    BackendChoice,
    read_environment,
    read_variables,
)


def test_nothing_set() -> None:
    environment = read_environment({})
    assert environment.given_key is None
    assert environment.base_url == DEFAULT_BASE_URL
    assert environment.backend is BackendChoice.AUTO


def test_what_is_set_is_read() -> None:
    environment = read_environment(
        {
            "SAYD_API_KEY": " sk-1 \n",
            "SAYD_BASE_URL": "http://h",
            "SAYD_BACKEND": "local",
            "SAYD_HOME": "/h",
            "SAYD_LOG": "debug",
        }
    )
    assert environment.given_key == Secret("sk-1")
    assert environment.base_url == "http://h"
    assert environment.backend is BackendChoice.LOCAL
    assert environment.log == "debug"
    assert "sk-1" not in repr(environment)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="SAYD_BACKEND"):
        read_environment({"SAYD_BACKEND": "moon"})


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    text = '[service]\nbase-url = "http://from-file"\nbackend = "cloud"\n'
    (tmp_path / "config.toml").write_text(text, "utf-8")
    return {"SAYD_HOME": str(tmp_path)}


def test_the_config_file_comes_after_the_variables(home: dict[str, str]) -> None:
    environment = read_environment(home)
    assert environment.base_url == "http://from-file"
    assert environment.backend is BackendChoice.CLOUD
    given = {"SAYD_BASE_URL": "http://given", "SAYD_BACKEND": "auto"}
    environment = read_environment({**home, **given})
    assert environment.base_url == "http://given"
    assert environment.backend is BackendChoice.AUTO


def test_the_variables_alone_can_be_read(home: dict[str, str]) -> None:
    assert read_variables(home).base_url == DEFAULT_BASE_URL
