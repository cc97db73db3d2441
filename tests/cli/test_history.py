"""``sayd sessions show, search, delete`` of what was heard on this machine, as real processes."""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysubs2
import pytest
import webvtt

from sayd_cli.history.schema import MIGRATIONS
from sayd_cli.history.store import SessionStore
from sayd_cli.model.audio import Frame
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.shelf import Shelf
from tests.cli.process import LIMIT_S, sayd

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TALE, WEATHER = "5f1c2a9e-41d7-4a6e", "6a0b3c77-0d1e-4f00"
BEST, WORST = "It was the best of times,", "it was the worst of times."
TODAY = "今天天气很好。"


@pytest.fixture(autouse=True)
def path() -> Path:
    """The history of this test's home: two sessions."""
    path = Path(os.environ["SAYD_HOME"]) / "history.sqlite3"
    with SessionStore(path) as store:
        keep(store, TALE, BEST, WORST, title="A tale of two cities")
        keep(store, WEATHER, TODAY, "天气预报说 Tuesday's café.")
    return path


def keep(store: SessionStore, session_id: str, *texts: str, title: str = "") -> None:
    store.create(
        session_id,
        settings=SessionSettings(),
        created_at=NOON,
        backend=BackendName.LOCAL,
        title=title,
    )
    for index, text in enumerate(texts):
        store.add_sentence(session_id, Sentence(index, text, 3 * index, 3 * index + 2.5))
    store.finish(session_id, 3.0 * len(texts))


def kept(path: Path) -> list[str]:
    with SessionStore(path) as store:
        return [row.session_id for row in store.list()]


class TestSearch:
    def test_a_line_for_each_match(self) -> None:
        result = sayd("sessions", "search", "TIMES", env={"TZ": "UTC"})
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == (
            f"5f1c2a9e\t2026-05-04 12:00\t[00:00:03.0]\t{WORST}\n"
            f"5f1c2a9e\t2026-05-04 12:00\t[00:00:00.0]\t{BEST}\n"
        )
        shown = sayd("sessions", "show", result.stdout.split("\t")[0])
        assert shown.stdout == f"{BEST}\n{WORST}\n"

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            (["天气", "很好"], TODAY),
            (["天气很"], TODAY),
            (["best", "it"], BEST),
            (["best it"], BEST),
            (['"best of"'], BEST),
            (["--", "-worst*"], WORST),
        ],
    )
    def test_words_and_phrases(self, query: list[str], text: str) -> None:
        lines = sayd("sessions", "search", *query).stdout.splitlines()
        assert [line.split("\t")[-1] for line in lines] == [text]

    def test_json(self) -> None:
        result = sayd("sessions", "search", "天气 cafe", "--json")
        (row,) = json.loads(result.stdout)
        assert row == {
            "session_id": WEATHER,
            "title": TODAY,
            "created_at": "2026-05-04T12:00:00+00:00",
            "index": 1,
            "text": "天气预报说 Tuesday's café.",
            "start": 3.0,
            "end": 5.5,
            "approximate": False,
            "unconfirmed": False,
            "matches": [{"start": 0, "end": 2}, {"start": 16, "end": 20}],
        }

    def test_nothing_found(self) -> None:
        result = sayd("sessions", "search", "nowhere")
        assert (result.returncode, result.stdout) == (0, "")
        assert result.stderr == "sayd: nothing found for nowhere\n"
        assert sayd("sessions", "search", "nowhere", "--json").stdout == "[]\n"

    def test_more_than_are_shown(self) -> None:
        result = sayd("sessions", "search", "times", "--limit", "1")
        assert result.stdout.endswith(f"\t{WORST}\n")
        assert result.stdout.count("\n") == 1
        assert "--limit" in result.stderr
        assert sayd("sessions", "search", "times", "--limit", "2").stderr == ""

    @pytest.mark.parametrize("query", ["", '"', "*", "( - )", "。"])
    def test_no_word_at_all(self, query: str) -> None:
        result = sayd("sessions", "search", query)
        assert (result.returncode, result.stdout) == (2, "")
        assert "no word" in result.stderr


class TestShow:
    def test_files_in_the_format_of_their_suffix(self, tmp_path: Path) -> None:
        files = [tmp_path / f"tale.{suffix}" for suffix in ("txt", "jsonl", "srt", "vtt", "md")]
        options = [word for file in files for word in ("-o", str(file))]
        result = sayd("sessions", "show", TALE[:6], "-t", *options)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == f"[00:00:00.0] {BEST}\n[00:00:03.0] {WORST}\n"
        text, jsonl, srt, vtt, md = files
        assert text.read_text() == result.stdout
        lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
        assert [line["type"] for line in lines] == ["session", "sentence", "sentence"]
        assert [cue.start for cue in pysubs2.load(str(srt))] == [0, 3000]
        assert [cue.text for cue in webvtt.read(str(vtt)).captions] == [BEST, WORST]
        assert md.read_text().startswith("# A tale of two cities\n")
        for format_, file in zip(("jsonl", "srt", "vtt", "md"), files[1:], strict=True):
            printed = sayd("sessions", "show", TALE, "-t", "-f", format_).stdout
            assert printed.rstrip("\n") == file.read_text().rstrip("\n")

    def test_subtitles_on_stdout_can_be_parsed(self) -> None:
        shown = sayd("sessions", "show", TALE, "-f", "vtt").stdout
        assert len(webvtt.from_buffer(io.StringIO(shown))) == 2

    def test_a_file_is_replaced_as_a_whole(self, tmp_path: Path) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("something much longer than a tale of two cities" * 10)
        file.chmod(0o640)
        link = tmp_path / "link.txt"
        link.symlink_to(file)
        assert sayd("sessions", "show", TALE, "-o", str(link)).returncode == 0
        assert file.read_text() == f"{BEST}\n{WORST}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert sorted(tmp_path.iterdir()) == [link, file]

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
    def test_a_disk_that_takes_no_more_leaves_what_was_there(self, tmp_path: Path) -> None:
        with SessionStore(Path(os.environ["SAYD_HOME"]) / "history.sqlite3") as store:
            keep(store, "long", *(f"sentence {number}" * 50 for number in range(500)))
        file = tmp_path / "notes.txt"
        file.write_text("before")
        result = limited("sessions", "show", "long", "-o", str(file))
        assert result.returncode == 1
        assert result.stderr.startswith(f"sayd: cannot write {file}: ")
        assert "Traceback" not in result.stderr
        assert file.read_text() == "before"
        assert list(tmp_path.iterdir()) == [file]

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such devices")
    def test_a_device_is_written_to_and_stays_one(self) -> None:
        shown = sayd("sessions", "show", TALE, "-o", "/dev/stderr", "-o", "/dev/null")
        assert shown.stderr == shown.stdout == f"{BEST}\n{WORST}\n"
        assert not Path("/dev/null").is_file()

    @pytest.mark.parametrize("name", ["tale", "tale.doc", "nowhere/tale.txt", ".", "-"])
    def test_a_place_that_will_not_do_is_refused_before_anything(
        self, tmp_path: Path, name: str
    ) -> None:
        good, bad = tmp_path / "good.txt", name if name == "-" else str(tmp_path / name)
        result = sayd("sessions", "show", TALE, "-o", str(good), "-o", bad)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("sayd: ")
        assert not good.exists()

    def test_one_that_is_not_there(self) -> None:
        result = sayd("sessions", "show", "none")
        assert (result.returncode, result.stdout) == (2, "")
        assert "there is no session 'none'" in result.stderr


def limited(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where no file may grow beyond 128 kB."""
    line = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (131072, 131072));"
        "from sayd_cli.cli.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", line, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


class TestDelete:
    def test_several_by_beginning_and_last(self, path: Path) -> None:
        result = sayd("sessions", "delete", "5f", "last", WEATHER, "--yes", env={"TZ": "UTC"})
        assert (result.returncode, result.stdout) == (0, "")
        assert result.stderr.splitlines() == [
            f"sayd: deleted {TALE}, 2026-05-04 12:00, 0:06, 2 sentences, A tale of two cities",
            f"sayd: deleted {WEATHER}, 2026-05-04 12:00, 0:06, 2 sentences, {TODAY}",
        ]
        assert kept(path) == []
        assert sayd("sessions", "search", "times").stdout == ""
        files = [file for file in path.parent.rglob("*") if file.is_file()]
        assert not any(b"worst" in file.read_bytes() for file in files)

    def test_all_are_there_or_none_is_deleted(self, path: Path) -> None:
        result = sayd("sessions", "delete", TALE, "none", "--yes")
        assert result.returncode == 2
        assert "there is no session 'none'" in result.stderr
        assert len(kept(path)) == 2

    def test_nobody_to_be_asked(self, path: Path) -> None:
        result = sayd("sessions", "delete", TALE, stdin=b"y\n")
        assert (result.returncode, result.stdout) == (2, "")
        assert "--yes" in result.stderr
        assert len(kept(path)) == 2

    def test_audio_of_it_goes_too(self) -> None:
        shelf = Shelf(Path(os.environ["SAYD_HOME"]) / "spool")
        for number, session_id in enumerate((TALE, WEATHER, None)):
            begun = NOON + timedelta(seconds=number)
            label = SpoolLabel(begun, SessionSettings(), BackendName.LOCAL, session_id=session_id)
            with shelf.begin(label) as labelled:
                labelled.spool.append(Frame(b"\1\0" * 16000, 0, 16000))
        assert len(shelf.interrupted()) == 3
        assert sayd("sessions", "delete", TALE, "--yes").returncode == 0
        assert [left.label.session_id for left in shelf.interrupted()] == [WEATHER, None]

    def test_one_that_is_being_read_meanwhile(self, path: Path) -> None:
        with SessionStore(path) as reading:
            assert reading.search("worst")
            assert sayd("sessions", "delete", TALE, "--yes").returncode == 0
            assert reading.search("worst") == ()


@pytest.mark.parametrize(
    "command", [["show", "last"], ["search", "times"], ["delete", "last", "-y"]]
)
def test_a_history_of_a_newer_sayd(path: Path, command: list[str]) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    result = sayd("sessions", *command)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.match(
        "sayd: the history was written by a newer sayd .*\n +upgrade sayd", result.stderr
    )
