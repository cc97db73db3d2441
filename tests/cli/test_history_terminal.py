"""``sayd sessions show, search, delete`` on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pysubs2
import pytest

from sayd_cli.history.store import SessionStore
from tests.cli.process import LIMIT_S
from tests.cli.test_history import keep, kept
from tests.cli.test_terminal import on_terminal
from tests.render.emulator import Emulator
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def path() -> Path:
    path = Path(os.environ["SAYD_HOME"]) / "history.sqlite3"
    with SessionStore(path) as store:
        keep(store, "5f1c2a9e-41d7-4a6e", "It was the best of times,", title="Tale")
        keep(store, "6a0b3c77-0d1e-4f00", "今天天气很好。", "好。")
    return path


@pytest.mark.parametrize(
    ("answer", "deleted"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False)]
)
def test_it_asks_once_before_it_deletes(path: Path, answer: str, deleted: bool) -> None:
    with Emulator(columns=120) as terminal:
        with on_terminal(terminal, "sessions", "delete", "last", "5f") as process:
            wait_until(lambda: terminal.status().endswith("[y/N]"))
            assert len(kept(path)) == 2
            asked = terminal.shown()
            assert asked[0].startswith("sayd: 6a0b3c77-0d1e-4f00, 2026-05-04 ")
            assert asked[0].replace(" ", "").endswith(",2sentences,今天天气很好。")
            assert asked[1].endswith(", 0:03, 1 sentence, Tale")
            terminal.press(answer)
            assert process.wait(LIMIT_S) == 0
        said = "deleted 5f1c2a9e" if deleted else "nothing deleted"
        wait_until(lambda: said in terminal.status())
    assert len(kept(path)) == (0 if deleted else 2)


@pytest.mark.parametrize(("keys", "status"), [("\x03", 130), ("\x04", 0)])
def test_ctrl_c_and_ctrl_d_delete_nothing(path: Path, keys: str, status: int) -> None:
    with (
        Emulator(columns=120) as terminal,
        on_terminal(terminal, "sessions", "delete", "last") as process,
    ):
        wait_until(lambda: terminal.status().endswith("[y/N]"))
        terminal.press(keys)
        assert process.wait(LIMIT_S) == status
    assert len(kept(path)) == 2


def test_matches_are_bold() -> None:
    with Emulator(columns=100) as terminal:
        with on_terminal(terminal, "sessions", "search", "天气") as process:
            assert process.wait(LIMIT_S) == 0
        wait_until(lambda: b"\x1b[1m" + "天气".encode() in terminal.raw)


def test_a_long_export_shows_how_far_it_is(path: Path, tmp_path: Path) -> None:
    with SessionStore(path) as store:
        assert store._database is not None
        store._database.execute("PRAGMA synchronous = OFF")
        keep(store, "long", *(f"This is sentence {number}." for number in range(10_000)))
    file = tmp_path / "long.srt"
    seen: set[int] = set()

    def look(status: str) -> bool:
        seen.update(int(share) for share in re.findall(r"writing .*?(\d+)%", status))
        return any(0 < share < 100 for share in seen)

    with Emulator() as terminal:
        with on_terminal(
            terminal, "sessions", "show", "last", "-o", str(file), stdout=subprocess.DEVNULL
        ) as process:
            wait_until(lambda: look(terminal.status()) or process.poll() is not None)
            assert process.wait(LIMIT_S) == 0
        assert any(0 < share < 100 for share in seen)
        wait_until(lambda: terminal.shown() == [] and not terminal.cursor_hidden)
    assert len(pysubs2.load(str(file))) == 10_000


def test_a_short_export_shows_nothing(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    with Emulator() as terminal:
        with on_terminal(
            terminal, "sessions", "show", "last", "-o", str(file), stdout=subprocess.DEVNULL
        ) as process:
            assert process.wait(LIMIT_S) == 0
        assert terminal.raw == b""
    assert file.exists()
