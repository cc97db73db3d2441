from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from sayd_cli.cli import checks
from sayd_cli.cli.finding import Finding, Status, from_line, ok, problem, warning
from sayd_cli.engine.recordings import recording
from sayd_cli.errors import DeviceError, EngineMissingError
from sayd_cli.settings.environment import read_variables
from tests.cli.process import LIMIT_S, command, environment, running, sayd
from tests.conftest import PlugIn
from tests.microphone.virtual import NAME, no_microphone
from tests.transport.canned import Canned, canned, http
from tests.waiting import wait_until

KEY = "sk-4cc0unt-93f1"
NAMES = {
    "python",
    "config",
    "terminal",
    "key",
    "engine",
    "portaudio",
    "inputs",
    "microphone",
    "data",
    "spool",
    "settings",
    "history",
}


@dataclass
class Diagnosis:
    status: int
    rows: dict[str, dict[str, str]]
    output: str

    def judged(self, name: str) -> str:
        return self.rows[name]["status"]

    def said(self, name: str) -> str:
        return self.rows[name]["detail"] + " / " + self.rows[name]["remedy"]


def doctor(*arguments: str, env: Mapping[str, str], without: tuple[str, ...] = ()) -> Diagnosis:
    done = sayd("doctor", "--json", *arguments, env=env, without=without)
    assert done.stderr == ""
    rows = json.loads(done.stdout)
    assert all(list(row) == ["name", "status", "detail", "remedy"] for row in rows)
    assert all(row["remedy"] for row in rows if row["status"] != "ok")
    assert KEY not in done.stdout
    return Diagnosis(done.returncode, {row["name"]: row for row in rows}, done.stdout)


def broken_audio(folder: Path, code: str) -> dict[str, str]:
    (folder / "sounddevice.py").write_text(code)
    return {"PYTHONPATH": str(folder)}


@pytest.mark.microphone
def test_where_all_is_well(plug_in: PlugIn) -> None:
    env = plug_in(recording("beckett.wav"), 48000).environment()
    found = doctor(env=env)
    assert found.status == 0, found.output
    assert {name: found.judged(name) for name in found.rows} == dict.fromkeys(NAMES, "ok")
    assert found.said("microphone").startswith("level -")
    assert "moonshine-tiny-en" in found.said("engine")
    # It changes nothing.
    assert not Path(os.environ["SAYD_HOME"]).exists()


@pytest.mark.microphone
def test_a_muted_microphone_is_a_warning(plug_in: PlugIn) -> None:
    env = plug_in(np.zeros((48000, 1), np.int16), 48000).environment()
    found = doctor("--local", env=env)
    assert (found.status, found.judged("microphone")) == (0, "warning")
    assert "muted?" in found.said("microphone")


@pytest.mark.microphone
def test_the_microphone_of_the_config_file_is_meant(plug_in: PlugIn) -> None:
    env = plug_in(recording("beckett.wav"), 48000).environment()
    home = Path(os.environ["SAYD_HOME"])
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'[listen]\ndevice = "{NAME}"\n')
    found = doctor("--local", env=env)
    assert found.status == 0
    assert f"chosen: {NAME} (ALSA)" in found.said("inputs")
    (home / "config.toml").write_text('[listen]\ndevice = "nobody"\n')
    found = doctor("--local", env=env)
    assert (found.status, found.judged("inputs")) == (5, "problem")
    assert "microphone" not in found.rows


@pytest.mark.microphone
def test_a_frozen_microphone_is_not_waited_for_long(plug_in: PlugIn) -> None:
    microphone = plug_in(recording("beckett.wav"), 48000)
    microphone.freeze()
    found = doctor("--cloud", env=microphone.environment())
    assert found.judged("microphone") == "problem"


@pytest.mark.microphone
def test_no_microphone(tmp_path: Path) -> None:
    found = doctor("--local", env=no_microphone(tmp_path))
    assert (found.status, found.judged("portaudio"), found.judged("inputs")) == (5, "ok", "problem")
    assert "plug in a microphone" in found.said("inputs")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise OSError('PortAudio library not found')", "PortAudio library is not installed"),
        ("import threading; threading.Event().wait()", "no answer within 8 s"),
        ("print('{}', flush=True); import os; os.abort()", "SIGABRT"),
    ],
)
def test_audio_that_fails_hangs_or_crashes(tmp_path: Path, code: str, told: str) -> None:
    found = doctor("--local", env=broken_audio(tmp_path, code))
    assert (found.status, found.judged("portaudio")) == (5, "problem")
    assert told in found.said("portaudio")
    # All the others are checked all the same.
    assert set(found.rows) == NAMES - {"inputs", "microphone", "key"}


def test_no_process_of_its_gets_the_key(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    code = f"import os; open({str(seen)!r}, 'w').write(repr(dict(os.environ)))"
    env = {"SAYD_API_KEY": KEY, "COPY": f"url?key={KEY}", "SAYD_BASE_URL": "http://127.0.0.1:9"}
    doctor("--cloud", env={**env, **broken_audio(tmp_path, code)})
    assert "PYTHONPATH" in seen.read_text()
    assert KEY not in seen.read_text()


def test_modules_in_the_folder_one_is_in_are_not_run(tmp_path: Path) -> None:
    broken_audio(tmp_path, "open('run', 'w')")
    done = subprocess.run(
        [sys.executable, "-P", *command("doctor", "--cloud")[1:]],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert b"portaudio" in done.stdout
    assert not (tmp_path / "run").exists()


FAST = "raise OSError('PortAudio library not found')"


def test_without_the_engine(tmp_path: Path) -> None:
    env = broken_audio(tmp_path, FAST)
    found = doctor(env=env, without=("moonshine_voice",))
    assert (found.status, found.judged("engine")) == (3, "problem")
    assert "pip install" in found.said("engine")
    env["SAYD_API_KEY"] = KEY
    env["SAYD_BASE_URL"] = "http://127.0.0.1:9"
    found = doctor(env=env, without=("moonshine_voice",))
    assert (found.status, found.judged("engine")) == (4, "ok")


def test_with_an_engine_of_another_release(tmp_path: Path) -> None:
    package = tmp_path / "moonshine_voice"
    (package / "assets" / "tiny-en").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "assets" / "tiny-en" / "encoder_model.ort").touch()
    found = doctor("--local", env=broken_audio(tmp_path, FAST))
    assert (found.status, found.judged("engine")) == (3, "problem")
    assert "not those of moonshine-voice 0.1.0" in found.said("engine")


def test_without_a_key_there_is_no_service(tmp_path: Path) -> None:
    found = doctor("--cloud", env=broken_audio(tmp_path, FAST))
    assert (found.status, found.judged("key")) == (3, "problem")
    assert "engine" not in found.rows
    assert "service" not in found.rows


def test_what_is_not_used_is_no_problem(tmp_path: Path) -> None:
    env = {"SAYD_API_KEY": KEY, "SAYD_BASE_URL": "http://127.0.0.1:9", "SAYD_BACKEND": "local"}
    found = doctor(env={**env, **broken_audio(tmp_path, FAST)})
    assert found.judged("service") == "warning"
    assert found.status == 5


def test_with_our_own_server(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    keys.chmod(0o600)
    env = broken_audio(tmp_path, FAST)
    with running("serve", "--port", "0", "--keys-file", str(keys)) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1]
        env |= {"SAYD_BASE_URL": url, "SAYD_API_KEY": KEY}
        found = doctor("--cloud", env=env)
        assert [found.judged(name) for name in ("key", "service", "clock")] == ["ok"] * 3
        assert found.said("key").startswith("found in SAYD_API_KEY")
        assert found.status == 5
        found = doctor("--cloud", env={**env, "SAYD_API_KEY": "sk-another"})
        assert (found.status, found.judged("service")) == (3, "problem")
        assert "refused the key" in found.said("service")


def test_a_kept_key_is_found_and_must_be_private(tmp_path: Path) -> None:
    home = Path(os.environ["SAYD_HOME"])
    home.mkdir(mode=0o700)
    kept = home / "credentials"
    kept.write_text(f'key = "{KEY}"\n')
    kept.chmod(0o600)
    env = {"SAYD_BASE_URL": "http://127.0.0.1:9", **broken_audio(tmp_path, FAST)}
    found = doctor("--cloud", env=env)
    assert (found.status, found.judged("key"), found.judged("service")) == (4, "ok", "problem")
    kept.chmod(0o644)
    found = doctor("--cloud", env=env)
    assert (found.status, found.judged("key")) == (3, "problem")


@pytest.mark.parametrize(("minutes", "side"), [(90, "behind"), (-90, "ahead of")])
async def test_a_clock_that_is_wrong(minutes: int, side: str, tmp_path: Path) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    async with canned(http(200, "[]", f"Date: {date}\r\n")) as server:
        env = {"SAYD_BASE_URL": server.base_url, "SAYD_API_KEY": KEY}
        env |= broken_audio(tmp_path, FAST)
        found = await asyncio.to_thread(lambda: doctor("--cloud", env=env))
    assert (found.judged("service"), found.judged("clock")) == ("ok", "warning")
    seconds, *_ = found.said("clock").split()
    assert f"s {side} the service's" in found.said("clock")
    assert abs(int(seconds) - 5400) < 60
    # The clock is asked for without the key.
    assert sum(KEY.encode() in request for request in server.requests) == 1


async def clock_row(server: Canned) -> tuple[Finding, ...]:
    environment = read_variables({"SAYD_BASE_URL": server.base_url, "SAYD_API_KEY": KEY})
    report = await checks.check_cloud(environment)
    return report.findings(is_used=True)


@pytest.mark.parametrize("date", ["", "Date: yesterday\r\n"])
async def test_a_server_without_a_clock(date: str) -> None:
    async with canned(http(200, "[]", date)) as server:
        found = await clock_row(server)
    assert [(finding.name, finding.status) for finding in found] == [
        ("key", Status.OK),
        ("service", Status.OK),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "rates = 8000",
        "rate = 44100",
        "duration = -3",
        'captions = "foo bar"',
        'output = "/nowhere/talk.srt"',
        'language = "tlh"\nlocal = true',
    ],
)
def test_a_config_file_that_is_wrong(tmp_path: Path, line: str) -> None:
    home = Path(os.environ["SAYD_HOME"])
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f"[listen]\n{line}\n")
    assert sayd("listen", "nothing.wav").returncode == 2
    found = doctor("--cloud", env=broken_audio(tmp_path, FAST))
    assert (found.status, found.judged("config")) == (2, "problem")
    assert "config.toml" in found.said("config")


def test_what_is_in_the_way_of_a_directory(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    env = {"SAYD_HOME": str(in_the_way), "SAYD_API_KEY": KEY}
    found = doctor("--local", env={**env, **broken_audio(tmp_path, FAST)})
    assert [found.judged(name) for name in ("data", "spool")] == ["problem"] * 2
    assert "is not a directory" in found.said("data")


def test_directories_that_others_can_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = checks.check_directory("data", tmp_path, private=True)
    assert (found.status, found.remedy) == (Status.WARNING, f"chmod 700 '{tmp_path}'")
    assert checks.check_directory("settings", tmp_path, private=False).status is Status.OK
    tmp_path.chmod(0o777)
    assert checks.check_directory("settings", tmp_path, private=False).status is Status.WARNING
    tmp_path.chmod(0o700)
    assert checks.check_directory("data", tmp_path, private=True).status is Status.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("name", [".", "below/it"])
def test_a_directory_that_may_not_be_written_to(tmp_path: Path, name: str) -> None:
    tmp_path.chmod(0o500)
    found = checks.check_directory("data", tmp_path / name, private=True)
    assert (found.status, found.exit_status) == (Status.PROBLEM, 1)


def test_a_history_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    assert checks.check_history(path) == ok("history", "empty")
    assert not path.exists()
    path.write_bytes(b"not a database at all, but long enough to be taken for one" * 100)
    found = checks.check_history(path)
    assert (found.status, found.exit_status) == (Status.PROBLEM, 1)
    path.unlink()
    sqlite3.connect(path).close()
    assert checks.check_history(path).status is Status.OK


def test_where_the_words_would_come_from() -> None:
    with_key, without = checks.CloudReport(ok("key", "found")), checks.CloudReport(None)
    bare = checks.Settings(read_variables({}))
    assert checks.uses_local(None, bare, without)
    assert not checks.uses_local(None, bare, with_key)
    assert checks.uses_local(True, bare, with_key)
    assert not checks.uses_local(False, bare, without)
    wanted = checks.Settings(read_variables({"SAYD_BACKEND": "local"}))
    assert checks.uses_local(None, wanted, with_key)
    configured = checks.Settings(read_variables({"SAYD_BACKEND": "local"}), local=False)
    assert not checks.uses_local(None, configured, with_key)


@pytest.mark.parametrize(
    "finding",
    [
        ok("python", "3.11"),
        warning("microphone", "digital silence", "muted?"),
        problem("engine", EngineMissingError("gone: 说话", "install it")),
    ],
)
def test_a_finding_passes_between_processes(finding: Finding) -> None:
    assert from_line(finding.to_line().encode() + b"\n") == finding


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"Traceback", b'{"status": "good"}'])
def test_what_is_no_finding_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        from_line(line)


def test_the_remedy_is_that_of_the_error() -> None:
    found = problem("inputs", DeviceError("none", "plug one in"))
    assert (found.detail, found.remedy, found.exit_status) == ("none", "plug one in", 5)


def test_in_a_pipe_there_is_a_line_each(tmp_path: Path) -> None:
    done = sayd("doctor", "--cloud", env=broken_audio(tmp_path, FAST))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {len(row) for row in rows} == {4}
    assert [row[:2] for row in rows][:3] == [["python", "ok"], ["config", "ok"], ["terminal", "ok"]]
    assert done.stderr == "sayd: sayd listen does not work here yet\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
@pytest.mark.parametrize("columns", [100, 30])
def test_on_a_terminal(columns: int, tmp_path: Path) -> None:
    from tests.render.emulator import Emulator

    env = {"TERM": "xterm-256color", **broken_audio(tmp_path, FAST)}
    with Emulator(columns=columns, rows=60) as terminal:
        process = subprocess.Popen(
            command("doctor", "--cloud"),
            stdin=subprocess.DEVNULL,
            stdout=terminal.stream,
            stderr=terminal.stream,
            env=environment(env),
        )
        assert process.wait(LIMIT_S) == 3
        wait_until(lambda: "does not work" in "".join(terminal.shown()))
        shown = terminal.shown()
        if columns == 100:
            row = next(at for at, line in enumerate(shown) if line.startswith("problem  key"))
            assert shown[row].startswith("problem  key         no key for the service")
            assert shown[row + 1].startswith(" " * 21 + "run `sayd auth login`")
            assert "red" in terminal.colours(row)
            assert any("xterm-256color, 100 by 60, utf-8" in line for line in shown)
        else:
            row = shown.index("problem key")
            assert shown[row + 1] == "  no key for the service"
            assert shown[row + 2].startswith("  run `sayd auth login`")


def test_a_terminal_that_cannot_do_much(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("a pseudo-terminal is POSIX's")
    from tests.render.emulator import Emulator

    with Emulator(columns=80, rows=24) as terminal:
        monkeypatch.setenv("TERM", "xterm")
        found = checks.check_terminal(terminal.stream, sys.stderr)
        assert (found.status, "xterm, 80 by 24, utf-8" in found.detail) == (Status.OK, True)
        monkeypatch.setenv("TERM", "dumb")
        assert "no live view" in checks.check_terminal(terminal.stream, sys.stderr).detail
        monkeypatch.setenv("TERM", "xterm")
        terminal.resize(15, 24)
        assert "too narrow" in checks.check_terminal(terminal.stream, sys.stderr).detail
    with Emulator(encoding="latin-1") as terminal:
        found = checks.check_terminal(terminal.stream, sys.stderr)
        assert (found.status, "UTF-8" in found.remedy) == (Status.WARNING, True)
