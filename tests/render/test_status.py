import pytest

from sayd_cli.model.report import Phase, Progress
from sayd_cli.model.session import BackendName
from sayd_cli.render.view import View


def status(*reports: Progress, columns: int = 80, keys: bool = True, paced: bool = True) -> str:
    view = View(BackendName.LOCAL, keys=keys, paced=paced)
    for report in reports:
        view.take(report)
    (row,) = view.rows(columns=columns, height=5)
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


def test_what_waits_for_a_lost_service_is_told() -> None:
    lost = Progress(Phase.RECONNECTING, 105.0, 67.4, -30.0, -90.0)
    expected = "○ reconnecting…  37 s waiting  01:45  ━━━━━─────  local  Ctrl-C to stop"
    assert status(lost) == expected
    assert status(Progress(Phase.RECONNECTING, 105.0, 105.0, -30.0)).startswith(
        "○ reconnecting…  01:45"
    )


@pytest.mark.parametrize(
    ("waiting_s", "told"),
    [
        (0.9, ""),
        (1.0, "1 s waiting"),
        (119.9, "119 s waiting"),
        (120.0, "2 min waiting"),
        (7199.0, "119 min waiting"),
        (7200.0, "2 h waiting"),
    ],
)
def test_how_much_waits(waiting_s: float, told: str) -> None:
    parts = status(Progress(Phase.RECONNECTING, waiting_s, 0.0), columns=120).split("  ")
    assert parts[1] == (told or "00:00")


@pytest.mark.parametrize("phase", [Phase.LISTENING, Phase.PAUSED, Phase.WAITING])
def test_a_service_that_is_behind_is_told_of(phase: Phase) -> None:
    assert "12 s behind  01:00" in status(Progress(phase, 60.0, 47.5))
    assert "behind" not in status(Progress(phase, 60.0, 57.1))
    assert "60 s waiting" in status(Progress(Phase.STARTING, 60.0, 0.0))
    assert "6 s waiting" in status(Progress(Phase.FINISHING, 60.0, 54.0))


def test_a_file_that_is_read_ahead_is_not_behind() -> None:
    assert "behind" not in status(Progress(Phase.LISTENING, 60.0, 47.5), paced=False)
    assert "12 s waiting" in status(Progress(Phase.RECONNECTING, 60.0, 47.5), paced=False)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (36, "○ reconnecting…  38 s waiting  01:45"),
        (35, "○ offline  38 s waiting  01:45"),
        (29, "○ reconnecting…  38 s  01:45"),
        (24, "○ offline  38 s  01:45"),
        (20, "○ offline  38 s"),
        (10, "○ offline"),
        (5, "○ off"),
        (1, "○"),
    ],
)
def test_what_is_done_and_what_waits_give_way_last(columns: int, expected: str) -> None:
    assert status(Progress(Phase.RECONNECTING, 105.0, 67.0, -30.0), columns=columns) == expected


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.STARTING, "○ loading…  00:59"),
        (Phase.LISTENING, "● listening  00:59"),
        (Phase.PAUSED, "○ paused  00:59"),
        (Phase.WAITING, "○ no microphone"),
        (Phase.RECONNECTING, "○ offline  00:59"),
        (Phase.FINISHING, "○ finishing…  00:59"),
    ],
)
def test_twenty_columns_say_what_is_done(phase: Phase, expected: str) -> None:
    assert status(Progress(phase, 59.0, 59.0), columns=20) == expected


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
