import math

import pytest

from sayd_cli.render.meter import PeakHold, meter


def test_a_peak_stays_and_then_falls() -> None:
    peak = PeakHold()
    assert peak.at(0) == -math.inf
    peak.take(-6.0, 10.0)
    assert peak.at(10.0) == peak.at(11.5) == -6.0
    assert peak.at(12.0) == pytest.approx(-16.0)
    assert peak.at(100.0) < -1000


def test_a_lower_peak_counts_only_once_the_mark_has_fallen_to_it() -> None:
    peak = PeakHold()
    peak.take(-6.0, 10.0)
    peak.take(-20.0, 11.0)
    assert peak.at(11.0) == -6.0
    peak.take(-20.0, 12.5)
    assert peak.at(12.5) == peak.at(14.0) == -20.0
    peak.take(-3.0, 14.0)
    assert peak.at(14.0) == -3.0


def test_digital_silence_leaves_the_mark_alone() -> None:
    peak = PeakHold()
    peak.take(-math.inf, 0.0)
    assert peak.at(5.0) == -math.inf
    peak.take(-30.0, 5.0)
    peak.take(-math.inf, 5.1)
    assert peak.at(6.0) == -30.0


@pytest.mark.parametrize(
    ("level_dbfs", "held_dbfs", "shown"),
    [
        (None, None, "────────────"),
        (-math.inf, -math.inf, "────────────"),
        (-30.0, None, "━━━━━━──────"),
        (-30.0, -30.0, "━━━━━━┃─────"),
        (-30.0, -12.0, "━━━━━━───┃──"),
        (-30.0, 0.0, "━━━━━━─────┃"),
        (0.0, 0.0, "━━━━━━━━━━━┃"),
        (-59.9, -59.9, "┃───────────"),
        (-90.0, -60.0, "────────────"),
        (3.0, 3.0, "━━━━━━━━━━━┃"),
    ],
)
def test_bar_and_mark(level_dbfs: float | None, held_dbfs: float | None, shown: str) -> None:
    assert meter(level_dbfs, held_dbfs, cells=12).plain == shown
    in_ascii = shown.translate(str.maketrans("━─┃", "#-|"))
    assert meter(level_dbfs, held_dbfs, cells=12, ascii_only=True).plain == in_ascii


@pytest.mark.parametrize(
    ("level_dbfs", "held_dbfs", "colours"),
    [
        (-30.0, -12.0, ["green", "green"]),
        (-10.0, -3.0, ["yellow", "yellow"]),
        (-2.0, -0.1, ["red", "red"]),
    ],
)
def test_too_loud_is_red(level_dbfs: float, held_dbfs: float, colours: list[str]) -> None:
    row = meter(level_dbfs, held_dbfs, cells=20)
    spans = [str(span.style) for span in row.spans]
    assert [style for style in spans if style != "bright_black"] == colours
