"""What only sayd can tell: sessions, microphones and interrupted listenings, in the real shells.

Names come from outside: a session's from a service, a microphone's from whoever made it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sayd_cli.history.store import SessionStore
from sayd_cli.model.audio import Frame
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.shelf import Shelf
from tests.completions.shells import (
    SHELLS,
    bash_offers,
    fish_offers,
    need,
    put_on_path,
    the_real_one,
    typed,
)
from tests.conftest import PlugIn
from tests.microphone.virtual import NAME

BEGUN = datetime(2026, 5, 4, 12, tzinfo=UTC)
LAPTOP = "HDA Intel PCH: ALC257 Analog"
HOSTILE = 'Bob\'s "mic" $(touch pwned) `touch pwned`; touch pwned & \\ * ~ #! 麦克风'
HOSTILE_ID = "x:$(touch${IFS}pwned)'\"\\%F{red}"

TABLES = """\
case "$*" in
    devices)
        cat <<'ROWS'
*\t0\t{laptop}\tthe room\tALSA\t48000 Hz\t2
\t1\t{hostile}\tthe room\tALSA\t44100 Hz\t1
ROWS
        ;;
    'sessions list --local --limit 50')
        cat <<'ROWS'
5f1c2a9e-41d7\t2026-05-04 12:00\t0:44\tmulti\tA tale: of two cities
{hostile_id}\t2026-05-04 11:00\t\t\t
6a0b3c77-0d1e\t\t\t\t
ROWS
        ;;
    'recover --list')
        echo '20260504T120000-ab12  2026-05-04 12:00, 3 s of audio, Stand  up' ;;
    *) echo "$@" >>{started}; exit 99 ;;
esac
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sayd that tells these tables and does nothing else; gives a folder to be in."""
    (tmp_path / "bin").mkdir()
    script = TABLES.format(
        laptop=LAPTOP, hostile=HOSTILE, hostile_id=HOSTILE_ID, started=tmp_path / "started"
    )
    put_on_path(tmp_path / "bin", script, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        ("sayd listen --device HD\t", ["listen", "--device", LAPTOP]),
        ("sayd listen --device=HD\t", ["listen", f"--device={LAPTOP}"]),
        ("sayd listen --device 'HDA I\t", ["listen", "--device", LAPTOP]),
        ("sayd listen --device HDA\\ Intel\\ P\t -q", ["listen", "--device", LAPTOP, "-q"]),
        ("sayd devices test --device Bo\t", ["devices", "test", "--device", HOSTILE]),
        ("sayd sessions show 5\t -t", ["sessions", "show", "5f1c2a9e-41d7", "-t"]),
        ("sayd sessions show las\t", ["sessions", "show", "last"]),
        ("sayd sessions show x\t", ["sessions", "show", HOSTILE_ID]),
        ("sayd sessions delete 5\t6\t", ["sessions", "delete", "5f1c2a9e-41d7", "6a0b3c77-0d1e"]),
        ("sayd recover 20\t", ["recover", "20260504T120000-ab12"]),
    ],
)
def test_pressing_tab_in_a_terminal(
    shell: str, keys: str, arguments: list[str], tables: Path
) -> None:
    need(shell)
    assert typed(shell, keys, tables) == arguments
    assert not (tables / "pwned").exists()
    assert not (tables / "started").exists()


@pytest.mark.usefixtures("tables")
def test_the_newest_session_is_offered_first() -> None:
    need("bash")
    need("fish")
    ids = ["last", "5f1c2a9e-41d7", "6a0b3c77-0d1e"]
    offered = bash_offers("sayd", "sessions", "show", "")
    assert [name for name in offered if "pwned" not in name] == ids
    offered = fish_offers("sayd sessions show ")
    assert [name for name in offered if "pwned" not in name] == ids


@pytest.mark.parametrize("shell", SHELLS)
def test_a_sayd_that_fails_offers_nothing_and_says_nothing(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(shell)
    put_on_path(tmp_path, "echo a bug in sayd >&2; exit 1", monkeypatch)
    assert typed(shell, "sayd listen --device \t3", tmp_path) == ["listen", "--device", "3"]
    assert typed(shell, "sayd sessions show 5\tf", tmp_path) == ["sessions", "show", "5f"]


def test_a_sayd_that_is_named_by_its_path_is_not_started_by_tab(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("bash")
    need("fish")
    (tables / "sayd").write_text("#!/bin/sh\ntouch pwned\n", encoding="utf-8")
    (tables / "sayd").chmod(0o755)
    monkeypatch.chdir(tables)
    assert bash_offers("./sayd", "recover", "20") == ["20260504T120000-ab12"]
    assert fish_offers("./sayd recover 20", tables) == ["20260504T120000-ab12"]
    assert not (tables / "pwned").exists()


class TestWithTheRealSayd:
    @pytest.fixture(autouse=True)
    def _real(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put_on_path(tmp_path, the_real_one(), monkeypatch)

    @pytest.mark.parametrize("shell", SHELLS)
    def test_sessions(self, shell: str, tmp_path: Path) -> None:
        need(shell)
        with SessionStore(Path(os.environ["SAYD_HOME"]) / "history.sqlite3") as store:
            for session_id in ("5f1c2a9e-41d7", "6a0b3c77-0d1e"):
                store.create(
                    session_id,
                    settings=SessionSettings(),
                    created_at=BEGUN,
                    backend=BackendName.LOCAL,
                    title="A tale: of two cities",
                )
        assert typed(shell, "sayd sessions show 6\t", tmp_path)[2:] == ["6a0b3c77-0d1e"]

    @pytest.mark.parametrize("shell", SHELLS)
    def test_interrupted_listenings(self, shell: str, tmp_path: Path) -> None:
        need(shell)
        label = SpoolLabel(BEGUN, SessionSettings(), BackendName.CLOUD, "Stand up", "sess-1")
        with Shelf(Path(os.environ["SAYD_HOME"]) / "spool").begin(label) as labelled:
            labelled.spool.append(Frame(bytes(3200), 0, 16000))
            spool_id = labelled.spool_id
        assert typed(shell, "sayd recover 2\t", tmp_path) == ["recover", spool_id]

    @pytest.mark.microphone
    @pytest.mark.parametrize("shell", SHELLS)
    def test_microphones(
        self, shell: str, plug_in: PlugIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import numpy as np

        need(shell)
        microphone = plug_in(np.zeros((4800, 1), np.int16), 48000)
        for name, value in microphone.environment().items():
            monkeypatch.setenv(name, value)
        keys = f"sayd listen --device {NAME[:4]}\t"
        assert typed(shell, keys, tmp_path) == ["listen", "--device", NAME]
