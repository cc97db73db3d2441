"""A short form of ``python -m tests.benchmarks.capture --minutes 10``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.capture import RATE_HZ, endure

SECONDS = 20.0


@pytest.mark.microphone
def test_no_sample_is_lost_while_a_core_is_busy(wavmic_plugin: Path, tmp_path: Path) -> None:
    result = endure(wavmic_plugin, tmp_path, SECONDS)
    assert result.samples >= SECONDS * RATE_HZ
    assert result.wrong == 0
    assert result.notices == []
