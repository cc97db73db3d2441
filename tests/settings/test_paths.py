from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sayd_cli.settings.environment import Environment, read_environment
from sayd_cli.settings.paths import (
    config_directory,
    config_path,
    credentials_path,
    data_directory,
    history_path,
    server_path,
    spool_directory,
    state_directory,
)

FOLDERS = [data_directory, state_directory, config_directory]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_home_that_is_set_is_every_folder(folder: Callable[[Environment], Path]) -> None:
    assert folder(read_environment({"SAYD_HOME": "/tmp/some-home"})) == Path("/tmp/some-home")
    tilde = folder(read_environment({"SAYD_HOME": "~/sayd"}))
    assert tilde == Path.home() / "sayd"


@pytest.mark.parametrize("folder", FOLDERS)
def test_without_one_it_is_the_platforms(folder: Callable[[Environment], Path]) -> None:
    assert folder(read_environment({})).name == "sayd"


def test_everything_has_a_name_of_its_own() -> None:
    environment = read_environment({"SAYD_HOME": "/h"})
    paths = [history_path, server_path, spool_directory, config_path, credentials_path]
    found = {path(environment) for path in paths}
    assert len(found) == len(paths)
    assert {path.parent for path in found} == {Path("/h")}
