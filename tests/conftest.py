from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.microphone.virtual import VirtualMicrophone, build_plugin, microphone_missing

# How long an example takes says nothing on a machine that does other things too.
hypothesis.settings.register_profile("sayd", deadline=None)
hypothesis.settings.load_profile("sayd")

_OF_A_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TMUX")
_OF_PYTHON = ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8")
"""What would give a started ``sayd`` other streams than a user's has."""

PlugIn = Callable[..., VirtualMicrophone]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("microphone") is None:
        return
    reason = microphone_missing()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI nothing that needs a microphone is skipped: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _temporary_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith(("SAYD_", "XDG_")) or name in _OF_A_TERMINAL + _OF_PYTHON:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SAYD_HOME", str(home / "sayd"))


@pytest.fixture(autouse=True)
def _signals_are_put_back() -> Iterator[None]:
    """A handler that stays would act in the tests after this one, on what is gone by then."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture(scope="session")
def wavmic_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_plugin(tmp_path_factory.mktemp("wavmic"))


@pytest.fixture
def plug_in(wavmic_plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> PlugIn:
    """Make virtual microphones: ``plug_in(recording, rate_hz, channels=1, plug=True)``."""

    def make(
        recording: Path | NDArray[np.int16], rate_hz: int, channels: int = 1, *, plug: bool = True
    ) -> VirtualMicrophone:
        directory = tmp_path_factory.mktemp("microphone")
        return VirtualMicrophone(wavmic_plugin, directory, recording, rate_hz, channels, plug=plug)

    return make
