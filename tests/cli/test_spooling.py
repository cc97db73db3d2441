from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sayd_cli.cli.spooling import KeptAudio
from sayd_cli.model.audio import Frame
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.spool.shelf import Shelf

LABEL = SpoolLabel(datetime(2026, 1, 1, tzinfo=UTC), SessionSettings(), BackendName.LOCAL)


@pytest.mark.parametrize(("unconfirmed_s", "kept"), [(0.0, False), (0.1, False), (1.0, True)])
def test_whether_there_is_something_to_recover(
    tmp_path: Path, unconfirmed_s: float, kept: bool
) -> None:
    shelf = Shelf(tmp_path)
    with shelf.begin(LABEL) as labelled:
        labelled.spool.append(Frame(b"\1\0" * 16000, 0, 16000))
        audio = KeptAudio(labelled.spool, labelled)
        assert audio.on_disk
        told = audio.settle(unconfirmed_s)
        assert audio.on_disk is kept
        assert ("sayd recover" in told) is kept
    assert len(shelf.interrupted()) == kept


def test_what_is_in_memory_only_is_not_on_disk() -> None:
    assert not KeptAudio(MemorySpool(16000)).on_disk
