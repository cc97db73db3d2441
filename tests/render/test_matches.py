import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from sayd_cli.model.match import Match, Span
from sayd_cli.model.session import SessionSummary
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.matches import write_matches
from tests.render.emulator import Emulator
from tests.waiting import wait_until

EAST = timezone(timedelta(hours=8))
SESSION = SessionSummary("5f1c2a9e-41d7", datetime(2026, 3, 4, 23, 6, tzinfo=UTC), title="Tale")
MATCHES = [
    Match(SESSION, "5f1c2a9e", Sentence(3, "the best, the BEST", 61.25, 63), spans)
    for spans in [(Span(4, 8), Span(14, 18))]
] + [
    Match(
        SessionSummary("c07d"),
        "c07d",
        Sentence(0, "今天天气很好", 0, 1, approximate=True),
        (Span(2, 4),),
    )
]


def test_a_pipe_gets_tab_separated_lines() -> None:
    stream = io.StringIO()
    write_matches(stream, MATCHES, EAST)
    assert stream.getvalue() == (
        "5f1c2a9e\t2026-03-05 07:06\t[00:01:01.2]\tthe best, the BEST\n"
        "c07d\t\t[~00:00:00.0]\t今天天气很好\n"
    )


def on_a_terminal(columns: int = 80) -> tuple[list[str], list[str]]:
    """The rows, and of each what is bold in it."""
    with Emulator(columns=columns) as terminal:
        write_matches(terminal.stream, MATCHES, EAST)
        print("end", file=terminal.stream, flush=True)
        wait_until(lambda: terminal.status() == "end")
        screen = terminal._screen
        bold = [
            "".join(cell.data for _, cell in sorted(screen.buffer[row].items()) if cell.bold)
            for row in range(len(terminal.shown()) - 1)
        ]
        return terminal.shown()[:-1], bold


@pytest.mark.parametrize("no_colour", [False, True])
def test_a_terminal_shows_matches_in_bold(no_colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    rows, bold = on_a_terminal()
    assert rows[0] == "5f1c2a9e  2026-03-05 07:06  [00:01:01.2]  the best, the BEST"
    assert rows[1].replace(" ", "").endswith("[~00:00:00.0]今天天气很好")
    assert bold == ["bestBEST", "天气"]


def test_a_dumb_terminal_shows_the_same_without_bold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    rows, bold = on_a_terminal()
    assert rows[0] == "5f1c2a9e  2026-03-05 07:06  [00:01:01.2]  the best, the BEST"
    assert bold == ["", ""]


def test_a_narrow_terminal_wraps_it_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    rows, _ = on_a_terminal(columns=20)
    assert "".join(rows[:3]) == "5f1c2a9e  2026-03-05 07:06  [00:01:01.2]  the best, the BEST"


def test_what_a_terminal_would_obey_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a\x1b[31mred\x9bword\u202e\tend"
    match = Match(SESSION, "5f\x1b1c", Sentence(0, text, 0, 1), (Span(0, 2), Span(5, 8)))
    for forced in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", forced)
        monkeypatch.setenv("TERM", "xterm")
        stream = io.StringIO()
        write_matches(stream, [match], EAST)
        shown = stream.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert not set("\x1b\x9b\u202e") & set(shown)
        assert "end" in shown


def test_nothing_found() -> None:
    stream = io.StringIO()
    write_matches(stream, [])
    assert stream.getvalue() == ""
