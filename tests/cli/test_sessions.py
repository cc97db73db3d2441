"""``sayd serve`` and ``sayd sessions``: two real processes, and the official SDK."""

from __future__ import annotations

import json
import re
import signal
import stat
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets.sync.client
from sayd_ai import Sayd
from sayd_ai.exceptions import AuthenticationError
from websockets.exceptions import InvalidStatus

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, running, sayd
from tests.engine.wer import normalized_words

BECKETT = recording("beckett.wav")
KEY = "sk-test-1234"


@contextmanager
def serving(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """``sayd serve`` on a free port; gives its URL."""
    with running("serve", "--port", "0", *arguments, env=env) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"sayd: listening on (http://\S+)\n", line)
        assert found, line + process.stderr.read()
        yield found[1]
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, out, errors) == (0, "", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    keys = folder / "keys"
    keys.write_text(f"# one key\n{KEY}\n")
    with serving("--keys-file", str(keys), env={"SAYD_HOME": str(folder / "home")}) as url:
        yield url


@pytest.fixture
def cloud(server: str) -> dict[str, str]:
    return {"SAYD_API_KEY": KEY, "SAYD_BASE_URL": server}


def test_create_masks_the_key_unless_told_not_to(cloud: dict[str, str]) -> None:
    session_id, url = sayd("sessions", "create", env=cloud).stdout.splitlines()
    assert url.endswith(f"/v1/listen/stream/{session_id}?api_key=***")
    masked = json.loads(sayd("sessions", "create", "--json", "--rate", "8000", env=cloud).stdout)
    assert KEY not in masked["websocket_url"]
    plain = json.loads(sayd("sessions", "create", "--json", "--reveal", env=cloud).stdout)
    assert plain["websocket_url"].endswith(f"api_key={KEY}")
    assert plain["session_id"] in plain["websocket_url"]


def test_a_listening_at_the_service_is_kept_on_both_sides(cloud: dict[str, str]) -> None:
    listened = sayd("listen", str(BECKETT), "--pace", "max", env=cloud)
    assert (listened.returncode, listened.stderr) == (0, "")
    assert "ever" in normalized_words(listened.stdout)
    rows = sayd("sessions", "list", env=cloud).stdout.splitlines()
    newest = rows[0].split("\t")[0]
    assert sayd("sessions", "show", "last", "--cloud", env=cloud).stdout == listened.stdout
    assert sayd("sessions", "show", newest, "--cloud", env=cloud).stdout == listened.stdout
    assert sayd("sessions", "show", newest, "--local").stdout == listened.stdout
    two = json.loads(sayd("sessions", "list", "--limit", "2", "--json", env=cloud).stdout)
    assert two[0]["session_id"] == newest
    assert len(two) <= 2
    skipped = sayd("sessions", "list", "--offset", "1", env=cloud).stdout.splitlines()
    assert skipped == rows[1:]


def test_a_session_that_is_not_there(cloud: dict[str, str]) -> None:
    result = sayd("sessions", "show", "no-such-session", env=cloud)
    assert result.returncode == 2
    assert "no such session" in result.stderr


def test_the_beginning_of_a_name_is_enough_at_the_service(cloud: dict[str, str]) -> None:
    ids = [sayd("sessions", "create", env=cloud).stdout.split()[0] for _ in range(2)]
    known = [
        row["session_id"]
        for row in json.loads(sayd("sessions", "list", "--json", env=cloud).stdout)
    ]
    length = next(n for n in range(1, 37) if sum(i.startswith(ids[0][:n]) for i in known) == 1)
    shown = sayd("sessions", "show", ids[0][:length], "-f", "jsonl", env=cloud)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout.splitlines()[0])["session_id"] == ids[0]


def test_the_beginning_of_several_names_is_refused_with_them(tmp_path: Path) -> None:
    home = {"SAYD_HOME": str(tmp_path), "SAYD_API_KEY": "any"}
    with serving(env=home) as url:
        cloud = {**home, "SAYD_BASE_URL": url}
        # Seventeen names, sixteen beginnings.
        with Sayd(api_key="any", base_url=url) as client:
            ids = [client.listen.create().session_id for _ in range(17)]
        twice = next(name[0] for name in ids if sum(i[0] == name[0] for i in ids) > 1)
        result = sayd("sessions", "show", twice, env=cloud)
        assert result.returncode == 2
        assert "more than one session" in result.stderr
        assert sum(name in result.stderr for name in ids if name[0] == twice) > 1
        nobody = sayd("sessions", "show", "", env=cloud)
        assert nobody.returncode == 2
        assert "no such session: ''" in nobody.stderr


def test_a_path_that_is_not_there_is_refused_without_a_word(tmp_path: Path) -> None:
    # That nothing was written to stderr is looked at when the server ends.
    with (
        serving(env={"SAYD_HOME": str(tmp_path)}) as url,
        pytest.raises(InvalidStatus) as refused,
        websockets.sync.client.connect(f"{url.replace('http', 'ws')}/no/such/path"),
    ):
        pass
    assert refused.value.response.status_code == 404


def test_a_key_that_the_server_does_not_know(server: str) -> None:
    wrong = {"SAYD_API_KEY": "sk-wrong", "SAYD_BASE_URL": server}
    for arguments in (["listen", str(BECKETT)], ["sessions", "list"], ["sessions", "create"]):
        result = sayd(*arguments, env=wrong)
        assert result.returncode == 3
        assert "sk-wrong" not in result.stderr


def test_a_language_that_the_engine_does_not_know(cloud: dict[str, str]) -> None:
    result = sayd("listen", str(BECKETT), "-l", "zh", env=cloud)
    assert result.returncode == 6
    assert "zh" in result.stderr


def test_the_official_sdk_and_its_sample_client(server: str) -> None:
    with pytest.raises(AuthenticationError), Sayd(api_key="sk-wrong", base_url=server) as client:
        client.listen.create()
    with Sayd(api_key=KEY, base_url=server) as client:
        session = client.listen.create(language="en", sample_rate=16000, codec="pcm16")
        messages = []
        with (
            wave.open(str(BECKETT)) as recorded,
            websockets.sync.client.connect(session.websocket_url) as stream,
        ):
            messages.append(json.loads(stream.recv(timeout=LIMIT_S)))
            while frames := recorded.readframes(1600):
                stream.send(frames)
            stream.send(json.dumps({"type": "end"}))
            messages.extend(json.loads(message) for message in stream)
        detail = client.listen.get(session.session_id)
        listed = client.listen.list(limit=5)
    kinds = [message["type"] for message in messages]
    assert (kinds[0], kinds[-1]) == ("ready", "complete")
    assert {"partial", "sentence"} <= set(kinds)
    heard = [message["text"] for message in messages if message["type"] == "sentence"]
    assert normalized_words(" ".join(heard))[:4] == ["ever", "tried", "ever", "failed"]
    assert [row["text"] for row in detail["transcripts"]] == heard
    assert listed[0]["session_id"] == session.session_id
    assert messages[-1]["duration_ms"] == pytest.approx(9963, abs=2)


def test_sessions_survive_a_restart_and_any_key_is_taken_on_loopback(tmp_path: Path) -> None:
    home = {"SAYD_HOME": str(tmp_path / "home"), "SAYD_API_KEY": "any"}
    with serving(env=home) as url:
        listened = sayd("listen", str(BECKETT), "--pace", "max", env={**home, "SAYD_BASE_URL": url})
        assert listened.returncode == 0, listened.stderr
    with serving(env=home) as url:
        there = {**home, "SAYD_BASE_URL": url}
        shown = sayd("sessions", "show", "last", "--cloud", env=there)
    assert shown.stdout == listened.stdout
    kept = [path for path in (tmp_path / "home").iterdir() if path.suffix == ".sqlite3"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert len(kept) == 2


def test_what_was_heard_here_is_shown_though_there_is_a_key(cloud: dict[str, str]) -> None:
    created, _ = sayd("sessions", "create", env=cloud).stdout.splitlines()
    listened = sayd("listen", str(BECKETT), "--local", env=cloud)
    name = json.loads(sayd("sessions", "list", "--local", "--json").stdout)[0]["session_id"]
    # The service knows nothing of it; nor is it asked.
    away = {**cloud, "SAYD_BASE_URL": "http://127.0.0.1:9"}
    for reference in ("last", name, name[:8]):
        shown = sayd("sessions", "show", reference, env=away)
        assert (shown.returncode, shown.stdout) == (0, listened.stdout)
    # One that is only there is asked for.
    assert sayd("sessions", "show", created, env=cloud).returncode == 0
    assert sayd("sessions", "show", created, env=away).returncode == 4
    assert sayd("sessions", "show", name, "--cloud", env=cloud).returncode == 2


def test_a_port_that_is_taken(server: str) -> None:
    result = sayd("serve", "--port", server.rpartition(":")[2])
    assert result.returncode == 2
    assert "in use" in result.stderr


def test_groups_and_commands_explain_themselves() -> None:
    for arguments in ([], ["--help"], ["sessions"], ["sessions", "--help"], ["listen", "-h"]):
        result = sayd(*arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("Usage: sayd")


def test_nothing_is_written_where_nothing_was_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "SAYD_HOME": str(tmp_path / "sayd")}
    assert sayd("listen", str(BECKETT), "--local", "--no-history", env=env).returncode == 0
    assert sayd("--help", env=env).returncode == 0
    assert list(home.iterdir()) == []
    assert not (tmp_path / "sayd").exists()
