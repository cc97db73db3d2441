from __future__ import annotations

import numpy as np
import pytest

from sayd_cli.engine.level import (
    SILENCE_DBFS,
    LevelConfig,
    LevelControl,
    amplified,
    pcm_level_dbfs,
    speech_gain_db,
)

CONFIG = LevelConfig()


def test_levels() -> None:
    assert pcm_level_dbfs(np.zeros(512, np.int16)) == SILENCE_DBFS
    assert pcm_level_dbfs(np.zeros(0, np.int16)) == SILENCE_DBFS
    assert pcm_level_dbfs(np.full(512, -32768, np.int16)) == pytest.approx(0)
    assert pcm_level_dbfs(np.full(512, 3277, np.int16)) == pytest.approx(-20, abs=0.01)


def test_amplified_samples_stay_in_range() -> None:
    loud = amplified(np.array([-32768, -100, 0, 100, 32767], np.int16), 60)
    assert loud.dtype == np.float32
    assert loud.min() == -1
    assert loud.max() == 1
    assert amplified(np.array([16384], np.int16), 0) == pytest.approx(0.5)


def test_the_running_gain_falls_at_once_and_rises_slowly() -> None:
    control = LevelControl(0.032)
    assert control.gain_db(SILENCE_DBFS) == CONFIG.max_gain_db
    assert control.gain_db(-10) == CONFIG.target_dbfs + 10
    after = [control.gain_db(SILENCE_DBFS) for _ in range(1000)]
    assert after[0] - (CONFIG.target_dbfs + 10) < 0.2
    assert after == sorted(after)
    assert after[-1] == CONFIG.max_gain_db


def test_an_utterance_is_brought_to_the_target_by_its_loud_hops() -> None:
    hops = [np.full(512, 33, np.int16)] * 5 + [np.full(512, 1, np.int16)] * 5
    gain_db = speech_gain_db(np.concatenate(hops), 512)
    assert gain_db == pytest.approx(CONFIG.target_dbfs + 60, abs=0.5)


@pytest.mark.parametrize("length", [0, 1, 511, 512, 5000])
def test_silence_gets_no_more_than_the_most(length: int) -> None:
    gain_db = speech_gain_db(np.zeros(length, np.int16), 512)
    assert gain_db <= CONFIG.max_gain_db + 1e-6
