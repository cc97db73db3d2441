import io
from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.cells import cell_len

from sayd_cli.model.session import SessionSummary
from sayd_cli.render.tables import SESSION_COLUMNS, Column, session_row, write_table
from tests.render.emulator import Emulator
from tests.waiting import wait_until

MOMENT = datetime(2026, 3, 4, 23, 6, 7, tzinfo=UTC)
ROWS = [
    session_row(summary, timezone(timedelta(hours=8)))
    for summary in (
        SessionSummary("5f1c2a9e-41d7-4a6e", MOMENT, "multi", 3725.6, "It was the best of times"),
        SessionSummary("c07d", None, None, None, ""),
        SessionSummary("d18e", MOMENT, "zh", 9.4, "今天天气很好我们去公园散步吧然后再去吃饭看电影"),
    )
]


def test_a_session_in_cells() -> None:
    assert ROWS[0] == (
        "5f1c2a9e-41d7-4a6e",
        "2026-03-05 07:06",
        "1:02:06",
        "multi",
        "It was the best of times",
    )
    assert ROWS[1] == ("c07d", "", "", "", "")


def test_a_pipe_gets_tab_separated_lines() -> None:
    stream = io.StringIO()
    write_table(stream, SESSION_COLUMNS, ROWS[:2])
    assert stream.getvalue() == (
        "5f1c2a9e-41d7-4a6e\t2026-03-05 07:06\t1:02:06\tmulti\tIt was the best of times\n"
        "c07d\t\t\t\t\n"
    )


def test_cells_are_made_safe() -> None:
    stream = io.StringIO()
    write_table(stream, [Column("Name"), Column("API")], [["\x1b[31mUSB\tMic\n", "AL\x9bSA"]])
    assert stream.getvalue() == "USB Mic\tALA\n"


def on_a_terminal(columns: int) -> list[str]:
    with Emulator(columns=columns, rows=40) as terminal:
        write_table(terminal.stream, SESSION_COLUMNS, ROWS)
        print("end", file=terminal.stream, flush=True)
        wait_until(lambda: terminal.status() == "end")
        return terminal.shown()[:-1]


def test_a_wide_terminal_shows_a_table() -> None:
    heading, first, second, third = on_a_terminal(120)
    assert heading.split() == ["ID", "Began", "Length", "Language", "Title"]
    assert first.split("  ")[0] == "5f1c2a9e-41d7-4a6e"
    assert first.endswith("1:02:06  multi     It was the best of times")
    assert second == "c07d"
    assert third.replace(" ", "").endswith("0:09zh今天天气很好我们去公园散步吧然后再去吃饭看电影")


def test_the_title_gives_way_first() -> None:
    _, first, _, third = on_a_terminal(75)
    assert first.startswith("5f1c2a9e-41d7-4a6e  2026-03-05 07:06  1:02:06  multi")
    assert first.endswith("  It was the best o…")
    assert third.endswith("…")


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_a_narrow_terminal_shows_every_cell_whole(columns: int) -> None:
    shown = on_a_terminal(columns)
    assert all(cell_len(row) <= columns for row in shown)
    joined = "".join(shown).replace(" ", "")
    for row in ROWS:
        for cell in row:
            assert cell.replace(" ", "") in joined


def test_nothing_to_list() -> None:
    stream = io.StringIO()
    write_table(stream, SESSION_COLUMNS, [])
    assert stream.getvalue() == ""
    with Emulator() as terminal:
        write_table(terminal.stream, SESSION_COLUMNS, [])
        wait_until(lambda: terminal.status().startswith("ID"))
