from __future__ import annotations

import contextlib
import io
import os
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sayd_cli.model.report import Ended, EndReason, Heard, Interim, Notice, Phase, Progress
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.live import LiveView
from tests.render.emulator import Emulator
from tests.waiting import wait_until

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BEST = "It was the best of times, it was the worst of times."
WISDOM = "It was the age of wisdom."
SILENCE = "──────────"
HINT = "local  Ctrl-C to stop"
WEATHER = "今天天气很好我们去公园散步吧然后再去吃饭看电影"


def heard(index: int, text: str, start_s: float = 0.0) -> Heard:
    return Heard(Sentence(index, text, start_s, start_s + 1))


def interim(text: str) -> Interim:
    return Interim(text, 0.0, 1.0)


def listening(captured_s: float, level_dbfs: float | None = -30.0) -> Progress:
    return Progress(Phase.LISTENING, captured_s, captured_s, level_dbfs)


def local_view(terminal: Emulator, *, timestamps: bool = False) -> LiveView:
    return LiveView(terminal.stream, backend=BackendName.LOCAL, timestamps=timestamps)


@pytest.fixture
def terminal() -> Iterator[Emulator]:
    with Emulator() as terminal:
        yield terminal


def test_sentences_stay_and_what_goes_on_is_below_them(terminal: Emulator) -> None:
    with local_view(terminal) as view:
        view.take(listening(65.4))
        view.take(heard(0, BEST))
        view.take(interim("it was"))
        view.take(interim("it was the age"))
        wait_until(lambda: "it was the age" in terminal.shown())
        wait_until(lambda: len(terminal.shown()) == 4)
        assert terminal.shown() == [
            BEST,
            "",
            "it was the age",
            "● listening  01:05  ━━━━━─────  local  Ctrl-C to stop",
        ]
        view.take(heard(1, WISDOM))
        wait_until(lambda: terminal.shown()[:2] == [BEST, WISDOM])
        wait_until(lambda: len(terminal.shown()) == 4)
        assert terminal.shown()[2] == ""
        assert terminal.cursor_hidden
        view.take(interim("it was the epoch"))
        view.take(Ended(EndReason.EOF, 70, 2, 16))
    wait_until(lambda: not terminal.cursor_hidden)
    assert terminal.shown() == [BEST, WISDOM]
    assert terminal.cursor == (0, 2)


def test_the_phases_are_told(terminal: Emulator) -> None:
    with local_view(terminal) as view:
        wait_until(lambda: terminal.status() == f"○ loading the engine…  00:00  {SILENCE}  {HINT}")
        assert terminal.shown()[:-1] == [""]
        view.take(Progress(Phase.STARTING, 1.0, 0.0, -20.0))
        wait_until(lambda: "━━━━━━━───" in terminal.status())
        view.take(listening(2.0))
        wait_until(lambda: terminal.status().startswith("● listening  00:02"))
        view.take(Progress(Phase.FINISHING, 3725.0, 3725.0, -20.0))
        wait_until(
            lambda: (
                terminal.status() == "○ finishing…  1:02:05  local  Ctrl-C again to leave at once"
            )
        )


def test_the_cloud_is_connected_to(terminal: Emulator) -> None:
    with LiveView(terminal.stream, backend=BackendName.CLOUD):
        wait_until(
            lambda: terminal.status() == "○ connecting…  00:00  ──────────  cloud  Ctrl-C to stop"
        )


@pytest.mark.parametrize(
    ("level_dbfs", "meter"),
    [
        (None, "──────────"),
        (float("-inf"), "──────────"),
        (-90.0, "──────────"),
        (-60.0, "──────────"),
        (-30.0, "━━━━━─────"),
        (0.0, "━━━━━━━━━━"),
        (3.0, "━━━━━━━━━━"),
    ],
)
def test_the_meter_shows_the_level(
    terminal: Emulator, level_dbfs: float | None, meter: str
) -> None:
    with local_view(terminal) as view:
        view.take(listening(1.0, level_dbfs))
        wait_until(lambda: f"00:01  {meter}  local" in terminal.status())


def test_timestamps_stand_beside_their_sentences(terminal: Emulator) -> None:
    with Emulator(columns=40) as terminal, local_view(terminal, timestamps=True) as view:
        view.take(heard(0, BEST, start_s=61.26))
        wait_until(
            lambda: (
                terminal.shown()[:3]
                == [
                    "[00:01:01.3] It was the best of times,",
                    "             it was the worst of times.",
                    "",
                ]
            )
        )


def test_a_narrow_screen_puts_times_above(terminal: Emulator) -> None:
    with Emulator(columns=20) as terminal, local_view(terminal, timestamps=True) as view:
        view.take(heard(0, WISDOM))
        wait_until(lambda: terminal.shown()[:3] == ["[00:00:00.0]", "It was the age of", "wisdom."])


def test_a_notice_stays(terminal: Emulator) -> None:
    with local_view(terminal) as view:
        view.take(Notice("no key found:\x1b[2J the local engine listens"))
        view.take(heard(0, BEST))
    assert_finally(terminal, ["no key found: the local engine listens", BEST])


def assert_finally(terminal: Emulator, rows: list[str]) -> None:
    wait_until(lambda: not terminal.cursor_hidden and terminal.scrolled() == rows)


def test_twenty_columns() -> None:
    with Emulator(columns=20, rows=12) as terminal:
        with local_view(terminal) as view:
            view.take(listening(5.0))
            view.take(heard(0, BEST))
            view.take(interim(WISDOM.lower()))
            wait_until(
                lambda: (
                    terminal.shown()
                    == [
                        "It was the best of",
                        "times, it was the",
                        "worst of times.",
                        "",
                        "it was the age of",
                        "wisdom.",
                        "● listening  00:05",
                    ]
                )
            )
        assert_finally(terminal, ["It was the best of", "times, it was the", "worst of times."])


def test_wide_characters() -> None:
    with Emulator(columns=21, rows=12) as terminal:
        with local_view(terminal) as view:
            view.take(listening(5.0))
            view.take(heard(0, WEATHER))
            view.take(interim(WEATHER))
            wait_until(lambda: len(terminal.shown()) == 8)
            rows = [WEATHER[:10], WEATHER[10:20], WEATHER[20:]]
            shown = [row.replace(" ", "") for row in terminal.shown()]
            assert shown == [*rows, "", *rows, "●listening00:05"]
        wait_until(lambda: not terminal.cursor_hidden)
        assert [row.replace(" ", "") for row in terminal.scrolled()] == rows


def test_of_interim_text_longer_than_the_screen_the_newest_is_shown() -> None:
    words = [f"word{number:03d}" for number in range(400)]
    with Emulator(columns=40, rows=10) as terminal:
        with local_view(terminal) as view:
            view.take(heard(0, WISDOM))
            for count in (5, 100, 400):
                view.take(interim(" ".join(words[:count])))
                wait_until(lambda count=count: any(words[count - 1] in r for r in terminal.shown()))  # type: ignore[misc]
            shown = terminal.shown()
            assert len(shown) == 6
            assert shown[0] == WISDOM
            assert shown[2].startswith("… ")
            assert " ".join(shown[2:-1]).split()[1:] == words[-12:]
            view.take(interim("short again"))
            wait_until(lambda: terminal.shown()[2:3] == ["short again"])
        assert_finally(terminal, [WISDOM])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_screen_of_hardly_any_rows(rows: int) -> None:
    with Emulator(columns=40, rows=rows) as terminal:
        with local_view(terminal) as view:
            for index in range(5):
                view.take(interim(f"{BEST} {BEST}"))
                view.take(heard(index, f"Sentence {index}."))
                view.take(listening(index))
        assert_finally(terminal, [f"Sentence {index}." for index in range(5)])


def test_the_scrollback_holds_each_sentence_once_and_nothing_else() -> None:
    with Emulator(columns=60, rows=8) as terminal:
        with local_view(terminal) as view:
            for index in range(200):
                view.take(interim(f"interim {index} {BEST} {BEST}"))
                view.take(listening(index / 10))
                view.take(heard(index, f"Sentence {index}."))
                if index % 20 == 0:
                    wait_until(lambda i=index: f"Sentence {i}." in terminal.shown())  # type: ignore[misc]
        assert_finally(terminal, [f"Sentence {index}." for index in range(200)])


def test_a_resize_leaves_nothing_behind() -> None:
    with Emulator(columns=80, rows=12) as terminal:
        with local_view(terminal) as view:
            view.take(listening(1.0))
            view.take(heard(0, WISDOM))
            view.take(interim(f"{BEST} {BEST}".lower()))
            wait_until(lambda: len(terminal.shown()) == 5)
            for columns, rows in ((40, 12), (30, 12), (90, 20), (26, 20)):
                terminal.resize(columns, rows)
                view.take(listening(2.0))
                view.take(interim(f"resized to {columns}"))
                wait_until(lambda c=columns: f"resized to {c}" in terminal.shown())  # type: ignore[misc]
                assert len(terminal.shown()) == 4
                view.take(interim(f"{BEST} {BEST}".lower()))
                wait_until(lambda: len(terminal.shown()) > 4)
            view.take(heard(1, WISDOM))
        assert_finally(terminal, [WISDOM, WISDOM])


def test_what_others_write_meanwhile_lands_on_its_own_row(terminal: Emulator) -> None:
    with local_view(terminal) as view:
        view.take(listening(1.0))
        view.take(interim(BEST.lower()))
        wait_until(lambda: len(terminal.shown()) == 3)
        print("from the other end of the pipe", file=terminal.stream, flush=True)
        view.take(heard(0, WISDOM))
    assert_finally(terminal, ["from the other end of the pipe", WISDOM])


def test_an_exception_gives_the_terminal_back(terminal: Emulator) -> None:
    def fail() -> None:
        with local_view(terminal) as view:
            view.take(heard(0, BEST))
            view.take(interim("it was"))
            wait_until(lambda: terminal.cursor_hidden)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert_finally(terminal, [BEST])


def test_sentences_can_be_left_to_another_sink(terminal: Emulator) -> None:
    with LiveView(terminal.stream, backend=BackendName.LOCAL, show_finals=False) as view:
        view.take(interim("it was"))
        view.take(heard(0, BEST))
        view.take(Notice("a notice"))
        wait_until(lambda: terminal.shown()[:1] == ["a notice"])
    assert_finally(terminal, ["a notice"])


def test_however_much_is_reported_the_screen_is_redrawn_ten_times_a_second(
    terminal: Emulator,
) -> None:
    began = time.monotonic()
    with local_view(terminal) as view:
        reported = 0
        while time.monotonic() < began + 1.0 or reported < 2000:
            view.take(listening(reported / 10))
            view.take(interim(f"interim {reported}"))
            reported += 1
        wait_until(lambda: f"interim {reported - 1}" in terminal.shown())
    took_s = time.monotonic() - began
    redrawn = terminal.raw.count(b"\x1b[?2026h")
    assert 3 <= redrawn <= took_s * 11 + 5


def test_a_burst_of_sentences_is_a_few_writes(terminal: Emulator) -> None:
    with local_view(terminal) as view:
        for index in range(3000):
            view.take(heard(index, f"Sentence {index}."))
    assert_finally(terminal, [f"Sentence {index}." for index in range(3000)])
    assert terminal.raw.count(b"\x1b[?2026h") < 300


def test_no_colour_when_none_is_wanted(terminal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_view(terminal) as view:
        view.take(listening(1.0))
        wait_until(lambda: len(terminal.shown()) == 2 and "listening" in terminal.shown()[1])
        assert terminal.colours(1) > {"default"}
    monkeypatch.setenv("NO_COLOR", "1")
    with Emulator() as plain, local_view(plain) as view:
        view.take(listening(1.0))
        wait_until(lambda: len(plain.shown()) == 2 and "listening" in plain.shown()[1])
        assert plain.colours(1) == {"default"}


def test_no_colour_leaves_apart_what_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Emulator() as terminal, local_view(terminal) as view:
        view.take(interim("it was the"))
        view.take(interim("it was the best of times"))
        wait_until(lambda: terminal.shown()[1:2] == ["it was the best of times"])
        assert terminal.dim().startswith(" best of times")


@pytest.mark.parametrize("term", ["linux", "vt100", "screen", "tmux-256color", "xterm-kitty"])
@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR"])
def test_every_terminal_shows_the_same(
    monkeypatch: pytest.MonkeyPatch, term: str, variable: str
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv(variable, "1")
    with Emulator() as terminal:
        with local_view(terminal) as view:
            view.take(Notice("a notice"))
            view.take(heard(0, BEST))
            view.take(listening(1.0))
            view.take(interim(WISDOM))
            status = f"● listening  00:01  ━━━━━─────  {HINT}"
            wait_until(
                lambda: (
                    [row for row in terminal.shown() if row] == ["a notice", BEST, WISDOM, status]
                )
            )
            assert terminal.cursor == (0, 2)
        assert_finally(terminal, ["a notice", BEST])


@pytest.mark.parametrize(
    ("term", "tmux", "is_anchored"),
    [
        ("xterm-256color", None, False),
        ("xterm-256color", "", False),
        ("linux", None, False),
        ("xterm-256color", "/tmp/tmux-1000/default,1,0", True),
        ("tmux-256color", None, True),
        ("screen.xterm-256color", None, True),
    ],
)
def test_what_goes_on_stands_at_the_bottom_under_tmux_only(
    monkeypatch: pytest.MonkeyPatch, term: str, tmux: str | None, is_anchored: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    if tmux is not None:
        monkeypatch.setenv("TMUX", tmux)
    with Emulator() as terminal:
        with local_view(terminal) as view:
            view.take(heard(0, BEST))
            view.take(interim(WISDOM))
            wait_until(lambda: WISDOM in terminal.shown())
            assert terminal.shown().index(WISDOM) == (22 if is_anchored else 2)
        assert_finally(terminal, [BEST])


def test_while_tmux_makes_the_screen_narrower_only_what_stays_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "tmux-256color")
    monkeypatch.setattr("sayd_cli.render.live._HIDDEN_S", 3.0)  # however slow this machine
    with Emulator(columns=80, rows=12) as terminal:
        with local_view(terminal) as view:
            view.take(interim("it was"))
            wait_until(lambda: "it was" in terminal.shown())
            terminal.resize(70, 12)
            wait_until(lambda: not terminal.shown())
            for number in range(20):
                terminal.resize(60 - number, 12)
                view.take(heard(number, f"Sentence {number}."))
                view.take(interim("it was the age"))
                wait_until(lambda number=number: f"Sentence {number}." in terminal.shown())  # type: ignore[misc]
                assert "it was the age" not in terminal.shown()
            # Nothing is reported any more.
            wait_until(lambda: "it was the age" in terminal.shown())
            terminal.resize(90, 12)
            view.take(interim("it was the epoch"))
            wait_until(lambda: "it was the epoch" in terminal.shown())
            terminal.resize(50, 12)
            wait_until(lambda: "it was the epoch" not in terminal.shown())
            view.take(heard(20, "Sentence 20."))
        assert_finally(terminal, [f"Sentence {number}." for number in range(21)])


@pytest.mark.parametrize(("term", "asked"), [("linux", False), ("xterm-256color", True)])
def test_only_who_may_know_it_is_asked_to_show_an_update_as_a_whole(
    monkeypatch: pytest.MonkeyPatch, term: str, asked: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    with Emulator() as terminal:
        with local_view(terminal) as view:
            view.take(heard(0, BEST))
        assert_finally(terminal, [BEST])
        assert (b"?2026" in terminal.raw) == asked


class CountedFile(io.FileIO):
    writes: list[bytes]

    def write(self, data: ReadableBuffer, /) -> int:
        self.writes.append(bytes(data))
        return super().write(data)


def test_every_refresh_is_one_write(terminal: Emulator) -> None:
    raw = CountedFile(terminal.stream.fileno(), "w", closefd=False)
    raw.writes = []
    stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True)
    with LiveView(stream, backend=BackendName.LOCAL) as view:
        for number in range(20):
            view.take(heard(number, f"Sentence {number}."))
            view.take(interim(f"interim {number}"))
            view.take(listening(number))
            wait_until(lambda number=number: f"interim {number}" in terminal.shown())  # type: ignore[misc]
        view.suspend()
        view.take(heard(20, "Sentence 20."))
        view.resume()
        view.take(interim("the last"))
        wait_until(lambda: "the last" in terminal.shown())
    # Each is whole: it begins where the cursor waits, and leaves it there or gives it back.
    assert len(raw.writes) >= 22
    assert all(write.startswith(b"\x1b[?2026h") for write in raw.writes)
    assert all(write.endswith((b"\x1b[?2026l", b"\x1b[?25h")) for write in raw.writes)
    assert all(write.count(b"\x1b[?2026h") == 1 for write in raw.writes)


@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_gets_lines(monkeypatch: pytest.MonkeyPatch, force: bool) -> None:
    if force:
        monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with LiveView(stream, backend=BackendName.LOCAL) as view:
        view.take(listening(1.0))
        view.take(interim("it was"))
        view.take(heard(0, BEST))
        view.take(Notice("a notice"))
        view.suspend()
        view.resume()
    assert stream.getvalue() == f"{BEST}\na notice\n"


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    terminal: Emulator, monkeypatch: pytest.MonkeyPatch, term: str | None
) -> None:
    if term is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", term)
    with local_view(terminal, timestamps=True) as view:
        view.take(listening(1.0))
        view.take(interim("it was"))
        view.take(Notice("a notice"))
        view.take(heard(0, BEST))
        wait_until(lambda: terminal.shown() == ["a notice", f"[00:00:00.0] {BEST}"])
    assert b"\x1b" not in terminal.raw


def test_a_terminal_of_few_characters() -> None:
    with Emulator(encoding="ascii") as terminal:
        with local_view(terminal) as view:
            view.take(listening(1.0))
            view.take(heard(0, "naïve"))
            wait_until(
                lambda: (
                    terminal.shown()
                    == ["na\\u00efve", "", "* listening  00:01  #####-----  local  Ctrl-C to stop"]
                )
            )
        assert_finally(terminal, ["na\\u00efve"])


def test_text_is_never_taken_for_markup(terminal: Emulator) -> None:
    with local_view(terminal) as view:
        view.take(interim("[bold]:smile: [/oops] 1234"))
        wait_until(lambda: "[bold]:smile: [/oops] 1234" in terminal.shown())
        view.take(heard(0, "[red]:smile:[/red] [link=x]"))
    assert_finally(terminal, ["[red]:smile:[/red] [link=x]"])


def test_a_terminal_that_takes_nothing_holds_up_nobody_until_it_takes_all() -> None:
    master, slave = os.openpty()
    received = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while True:
                received.extend(os.read(master, 65536))

    reader = threading.Thread(target=read, daemon=True)
    with (
        open(slave, "w", encoding="utf-8") as stream,  # noqa: PTH123
        LiveView(stream, backend=BackendName.LOCAL) as view,
    ):
        for index in range(500):
            view.take(heard(index, f"Sentence {index}. {BEST * 40}"))
        reader.start()
    reader.join(timeout=10)
    os.close(master)
    assert all(f"Sentence {index}.".encode() in received for index in range(500))
    assert received.endswith(b"\x1b[?25h")


def test_a_terminal_that_goes_away_ends_the_showing_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    master, slave = os.openpty()
    stream = open(slave, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    with LiveView(stream, backend=BackendName.LOCAL) as view:
        view.take(heard(0, BEST))
        while BEST.encode() not in os.read(master, 65536):
            pass
        os.close(master)
        for index in range(1, 3000):
            view.take(heard(index, BEST))
    with pytest.raises(OSError, match="Input/output error"):
        stream.close()
    assert "the terminal has gone" in caplog.text


def test_a_fault_of_our_own_is_not_swallowed(terminal: Emulator) -> None:
    broken = Heard(Sentence(0, None, 0, 0))  # type: ignore[arg-type]
    with pytest.raises(AttributeError), local_view(terminal) as view:
        view.take(broken)
    wait_until(lambda: not terminal.cursor_hidden)
