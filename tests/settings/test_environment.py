from __future__ import annotations

import pytest

from sayd_cli.errors import KeyRefusedError, UsageError
from sayd_cli.settings.environment import DEFAULT_BASE_URL, BackendChoice, read_environment


def test_nothing_set() -> None:
    environment = read_environment({})
    assert environment.key is None
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
    assert environment.key is not None
    assert environment.key.reveal() == "sk-1"
    assert environment.base_url == "http://h"
    assert environment.backend is BackendChoice.LOCAL
    assert environment.log == "debug"
    assert "sk-1" not in repr(environment)


@pytest.mark.parametrize("key", ["sk 1", "sk\n1", "k\u00e9y", "sk\x00"])
def test_a_key_that_cannot_be_one_is_refused_without_being_quoted(key: str) -> None:
    environment = read_environment({"SAYD_API_KEY": key})
    with pytest.raises(KeyRefusedError) as caught:
        assert environment.key
    assert key not in caught.value.message + caught.value.remedy


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="SAYD_BACKEND"):
        read_environment({"SAYD_BACKEND": "moon"})
