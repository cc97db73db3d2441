"""``sayd auth`` against the real server, in real processes, and on a real terminal."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayd_cli.cli.auth import shown_key
from sayd_cli.model.secret import Secret
from tests.cli.process import LIMIT_S, environment, sayd
from tests.cli.test_errors import assert_clear
from tests.cli.test_sessions import serving
from tests.render.emulator import Emulator
from tests.transport.canned import canned, http
from tests.waiting import wait_until

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal is POSIX's", allow_module_level=True)

from tests.cli.test_terminal import on_terminal

KEY = "sk-test-that-is-long-enough-4321"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    keys = folder / "keys"
    keys.write_text(f"{KEY}\nsk-short\n")
    with serving("--keys-file", str(keys), env={"SAYD_HOME": str(folder / "home")}) as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "sayd"
    monkeypatch.setenv("SAYD_HOME", str(path))
    return path


def login(
    text: str, url: str = NOWHERE, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return sayd("auth", "login", stdin=text.encode(), env={"SAYD_BASE_URL": url, **(env or {})})


def test_from_login_to_logout(server: str, home: Path) -> None:
    result = login(f"{KEY}\n", server)
    assert (result.returncode, result.stdout) == (0, "")
    assert (
        result.stderr == f"sayd: the key is kept in {home}/credentials, which only you can read\n"
    )
    assert stat.S_IMODE((home / "credentials").stat().st_mode) == 0o600
    status = sayd("auth", "status", env={"SAYD_BASE_URL": server})
    assert (status.returncode, status.stderr) == (0, "")
    assert status.stdout == f"key ***4321 for {server}, from {home}/credentials\n"
    assert sayd("sessions", "list", "--cloud", env={"SAYD_BASE_URL": server}).returncode == 0
    removed = sayd("auth", "logout")
    assert (removed.returncode, removed.stdout) == (0, "")
    assert removed.stderr == f"sayd: the key is removed from {home}/credentials\n"
    assert list(home.iterdir()) == []
    again = sayd("auth", "logout")
    assert (again.returncode, again.stderr) == (0, "sayd: there was no key to remove\n")


def test_status_for_programs(home: Path) -> None:
    none = sayd("auth", "status", "--json")
    assert none.returncode == 3
    assert json.loads(none.stdout)["key"] is False
    assert none.stderr == ""
    assert_clear(sayd("auth", "status"), 3, "no key", "sayd auth login")
    login("sk-short\n")
    some = sayd("auth", "status", "--json", env={"SAYD_BASE_URL": "http://me:pw@h/?q=pw"})
    assert some.returncode == 0
    assert json.loads(some.stdout) == {
        "key": True,
        "source": "file",
        "shown": "***",
        "service": "http://***@h/",
    }
    given = sayd("auth", "status", "--json", env={"SAYD_API_KEY": "sk-given"})
    assert json.loads(given.stdout)["source"] == "SAYD_API_KEY"


@pytest.mark.parametrize("key", ["k", "sk-test-1234", KEY])
def test_of_a_key_little_is_told(key: str) -> None:
    told = shown_key(Secret(key)).removeprefix("***")
    assert len(told) <= min(4, len(key) // 4)


def test_a_refused_key_is_not_kept(server: str, home: Path) -> None:
    assert_clear(login("sk-unknown\n", server), 3, "refused", "not kept")
    assert not home.exists()
    login(f"{KEY}\n", server)
    assert_clear(login("sk-unknown\n", server), 3, "refused")
    assert json.loads(sayd("auth", "status", "--json").stdout)["shown"] == "***4321"


def test_a_service_out_of_reach_leaves_it_unchecked(home: Path) -> None:
    result = login("sk-short\n")
    assert result.returncode == 0
    first, second = result.stderr.splitlines()
    assert first.startswith("sayd: the key could not be checked: cannot reach 127.0.0.1")
    assert "is kept in" in second
    assert sayd("auth", "status").returncode == 0


def test_what_is_no_service_of_sayds(home: Path) -> None:
    async def answered() -> subprocess.CompletedProcess[str]:
        async with canned(http(200, "<html>")) as other:
            return await asyncio.to_thread(login, "sk-short\n", other.base_url)

    assert_clear(asyncio.run(answered()), 6, "not JSON", "SAYD_BASE_URL")
    assert not home.exists()


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 2, "no key was given"),
        ("\n", 2, "no key was given"),
        ("two words\n", 3, "characters that no key has"),
        ("k\u00e9y-very-secret\n", 3, "characters that no key has"),
        ("sk\x00very-secret\n", 3, "characters that no key has"),
    ],
)
def test_what_is_no_key(home: Path, text: str, status: int, said: str) -> None:
    result = login(text)
    assert_clear(result, status, said)
    assert "very-secret" not in result.stderr
    assert not home.exists()


def test_one_line_is_enough_and_the_pipe_may_stay_open(server: str, home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sayd_cli.cli.main", "auth", "login"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), "SAYD_BASE_URL": server},
        text=True,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(f"  {KEY} \r\n")
        process.stdin.flush()
        assert process.wait(LIMIT_S) == 0
    assert json.loads(sayd("auth", "status", "--json").stdout)["shown"] == "***4321"


def test_the_variable_is_told_where_it_matters(server: str, home: Path) -> None:
    given = {"SAYD_API_KEY": "sk-given"}
    assert "SAYD_API_KEY is set, and comes before it" in login(f"{KEY}\n", server, given).stderr
    assert "SAYD_API_KEY is set, and still used" in sayd("auth", "logout", env=given).stderr


def test_a_file_that_others_can_read_is_refused(home: Path) -> None:
    login("sk-short\n")
    (home / "credentials").chmod(0o644)
    for arguments in (["auth", "status"], ["listen"], ["sessions", "list"], ["sessions", "create"]):
        assert_clear(sayd(*arguments), 3, "others can read the key", "chmod 600")
    assert sayd("sessions", "list", "--local").returncode == 0


def test_the_keyring_is_used_where_there_is_one(server: str, tmp_path: Path) -> None:
    env = {
        "SAYD_HOME": "",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHON_KEYRING_BACKEND": "tests.settings.keyrings.FileKeyring",
        "KEYRING_FILE": str(tmp_path / "keyring.json"),
        "SAYD_BASE_URL": server,
    }
    result = sayd("auth", "login", stdin=f"{KEY}\n".encode(), env=env)
    assert result.stderr == "sayd: the key is kept in the system's keyring\n"
    assert json.loads((tmp_path / "keyring.json").read_text()) == {"sayd/api-key": KEY}
    assert KEY not in (tmp_path / "config" / "sayd" / "credentials").read_text()
    assert "from the system's keyring" in sayd("auth", "status", env=env).stdout
    assert "set (keyring)" in sayd("config", "show", env=env).stdout
    assert sayd("sessions", "list", "--cloud", env=env).returncode == 0
    locked = {**env, "PYTHON_KEYRING_BACKEND": "tests.settings.keyrings.LockedKeyring"}
    assert_clear(sayd("sessions", "list", env=locked), 3, "it is locked", "unlock it")
    assert_clear(sayd("auth", "logout", env=locked), 1, "it is locked")
    assert "from the system's keyring" in sayd("auth", "logout", env=env).stderr
    assert json.loads((tmp_path / "keyring.json").read_text()) == {}
    kept = sayd("auth", "login", stdin=f"{KEY}\n".encode(), env=locked)
    assert kept.returncode == 0
    assert "(the system's keyring cannot be used: it is locked)" in kept.stderr
    assert json.loads(sayd("auth", "status", "--json", env=locked).stdout)["source"] == "file"


def test_the_keyring_is_imported_only_where_it_is_used(home: Path) -> None:
    code = "import sys; sys.modules['keyring'] = None\nfrom sayd_cli.cli.main import main; main()"
    runs: list[tuple[list[str], dict[str, str]]] = [
        (["--version"], {}),
        (["--help"], {}),
        (["auth", "status", "--json"], {}),
        (["sessions", "list", "--local"], {"SAYD_HOME": ""}),
        (["config", "show"], {"SAYD_HOME": ""}),
        (["auth", "status"], {"SAYD_HOME": "", "SAYD_API_KEY": "sk-given"}),
    ]
    for arguments, env in runs:
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            env={**environment(), **env},
            timeout=LIMIT_S,
            check=False,
        )
        assert ended.stderr == "", arguments


def test_a_key_given_as_an_argument_is_not_repeated() -> None:
    result = sayd("auth", "login", KEY)
    assert (result.returncode, result.stdout) == (2, "")
    assert KEY not in result.stderr
    assert "a key is no argument" in result.stderr


def test_what_is_typed_is_hidden(server: str, home: Path) -> None:
    with (
        Emulator(columns=120) as terminal,
        on_terminal(terminal, "auth", "login", env={"SAYD_BASE_URL": server}) as process,
    ):
        wait_until(lambda: "API key (hidden):" in terminal.status())
        terminal.press(f"{KEY}\n")
        assert process.wait(LIMIT_S) == 0
        wait_until(lambda: "is kept in" in "".join(terminal.scrolled()))
        assert KEY not in terminal.raw.decode()
        assert terminal.shown()[0] == "API key (hidden):"
    assert json.loads(sayd("auth", "status", "--json").stdout)["shown"] == "***4321"


@pytest.mark.parametrize(("keys", "status"), [("\x03", 130), ("\x04", 2), ("\n", 2)])
def test_nothing_typed(home: Path, keys: str, status: int) -> None:
    with Emulator() as terminal, on_terminal(terminal, "auth", "login") as process:
        wait_until(lambda: "API key (hidden):" in terminal.status())
        terminal.press(keys)
        assert process.wait(LIMIT_S) == status
    assert not home.exists()
