import io

import pytest
from rich.console import Console

from sayd_cli.model.report import Phase, Progress
from sayd_cli.model.session import BackendName
from sayd_cli.render.view import View


def status(*reports: Progress, columns: int = 80, keys: bool = True) -> str:
    view = View(BackendName.LOCAL, keys=keys)
    for report in reports:
        view.take(report)
    console = Console(file=io.StringIO(), width=columns, legacy_windows=False)
    (row,) = view.rows(console, columns=columns, height=5)
    assert row.cell_len <= columns
    return row.plain


def listening(at_s: float, peak_dbfs: float, warning: str | None = None) -> Progress:
    return Progress(Phase.LISTENING, at_s, at_s, -30.0, peak_dbfs, warning)


def test_keys_are_told_of_where_they_work() -> None:
    assert status(listening(1, -90)).endswith("local  Space pauses, q stops")
    assert status(listening(1, -90), keys=False).endswith("local  Ctrl-C to stop")
    assert status(listening(1, -90), columns=60).endswith("local  Space pauses, q stops")
    assert status(listening(1, -90), columns=59).endswith("local  Ctrl-C to stop")
    assert status(listening(1, -90), columns=52).endswith("─  local")


def test_a_pause_is_told_and_the_way_out_of_it() -> None:
    paused = Progress(Phase.PAUSED, 65.0, 65.0, -20.0, -10.0)
    assert status(listening(64, -10), paused) == "○ paused  01:05  local  Space to go on"


def test_waiting_for_a_microphone_is_told() -> None:
    waiting = Progress(Phase.WAITING, 65.0, 65.0, -20.0, -10.0, "muted?")
    expected = "○ waiting for the microphone…  01:05  local  Ctrl-C to stop"
    assert status(listening(64, -10, "muted?"), waiting) == expected


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("columns", [1, 5, 20, 40, 200])
def test_every_phase_fits_every_width(phase: Phase, columns: int) -> None:
    status(Progress(phase, 3600.0, 3600.0, -30.0, -10.0, "clipping"), columns=columns)


def test_the_peak_stays_for_a_moment() -> None:
    loud = listening(1.0, -12.0)
    assert "━━━━━───┃─" in status(loud, listening(1.1, -40.0))
    assert "━━━━━───┃─" in status(loud, listening(2.4, -40.0))
    assert "━━━━━─┃───" in status(loud, listening(3.0, -90.0))
    assert "━━━━━─────" in status(loud, listening(6.0, -90.0))


def test_a_warning_stands_beside_the_meter_while_it_lasts() -> None:
    warned = status(listening(1.0, -90.0, "muted?"))
    assert warned == "● listening  00:01  ━━━━━─────  muted?  local  Space pauses, q stops"
    assert "muted?" not in status(listening(1.0, -90.0, "muted?"), listening(1.1, -90.0))
    assert status(listening(1.0, -90.0, "muted?"), columns=38).endswith("─  muted?")
