"""What a service, a file name or an option says never steers the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayd_cli.engine.recordings import recording
from tests.cli.hostile import SHOWN, STEERING, Hostile, hostile_service, unsafe
from tests.cli.process import LIMIT_S, sayd

BECKETT = str(recording("beckett.wav"))
TYPED = STEERING.replace("\0", "")
SENTENCE: dict[str, object] = {"type": "sentence", "text": STEERING, "language": STEERING}


@pytest.fixture
def service() -> Iterator[Hostile]:
    with hostile_service() as service:
        yield service


@pytest.fixture
def cloud(service: Hostile, tmp_path: Path) -> dict[str, str]:
    return {
        "SAYD_API_KEY": "any",
        "SAYD_BASE_URL": service.url,
        "SAYD_HOME": str(tmp_path),
        "SAYD_BACKEND": "cloud",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "--json"),
        ("show", "hostile"),
        ("show", "hostile", "-t"),
        ("show", "hostile", "-f", "jsonl"),
        ("show", "hostile", "-f", "srt"),
        ("show", "hostile", "-f", "vtt"),
        ("show", "hostile", "-f", "md"),
        ("show", "h\u202eo\x1b[2Jst"),
        ("create",),
        ("create", "--json"),
    ],
)
def test_what_the_service_keeps_is_shown_without_steering(
    cloud: dict[str, str], arguments: tuple[str, ...]
) -> None:
    result = sayd("sessions", *arguments, env=cloud)
    assert result.returncode == 0, result.stderr
    assert unsafe(result.stdout + result.stderr) == set()
    if "create" not in arguments:
        assert SHOWN in result.stdout


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_what_a_refusal_says_is_shown_without_steering(
    service: Hostile, cloud: dict[str, str], status: int
) -> None:
    service.status = status
    result = sayd("--debug", "sessions", "list", env=cloud)
    assert result.returncode in (3, 6)
    assert "Traceback" in result.stderr
    assert unsafe(result.stdout + result.stderr) == set()


@pytest.mark.parametrize("format_", ["text", "jsonl"])
def test_what_is_heard_is_shown_without_steering(
    service: Hostile, cloud: dict[str, str], format_: str
) -> None:
    service.messages = [{"type": "partial", "text": STEERING}, SENTENCE]
    result = sayd("listen", BECKETT, "-f", format_, "--interim", "--pace", "max", env=cloud)
    assert result.returncode == 0, result.stderr
    assert unsafe(result.stdout + result.stderr) == set()
    assert SHOWN in result.stdout
    kept = sayd("sessions", "show", "last", "--local", "-f", format_, env=cloud)
    assert unsafe(kept.stdout + kept.stderr) == set()
    found = sayd("sessions", "search", "abcdefghijklmn", "--json", env=cloud)
    assert json.loads(found.stdout)[0]["text"] == SHOWN


@pytest.mark.parametrize("close_code", [1008, 1011])
def test_why_a_stream_ends_is_shown_without_steering(
    service: Hostile, cloud: dict[str, str], close_code: int
) -> None:
    service.messages = [{"type": "error", "message": STEERING, "code": STEERING}]
    service.close_code = close_code
    result = sayd("listen", BECKETT, "--pace", "max", env=cloud)
    assert result.returncode == 6
    assert unsafe(result.stdout + result.stderr) == set()
    service.messages = []
    result = sayd("listen", BECKETT, "--pace", "max", env=cloud)
    assert unsafe(result.stdout + result.stderr) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("listen", f"{TYPED}.wav", "--local"),
        ("listen", BECKETT, "--local", "-o", f"/nowhere/{TYPED}.srt"),
        ("listen", BECKETT, "--local", "-o", TYPED),
        ("listen", BECKETT, "--local", "--language", TYPED),
        ("listen", BECKETT, "--local", "--codec", TYPED),
        ("listen", "--local", "--device", TYPED),
        ("sessions", "show", TYPED, "--local"),
        ("sessions", "search", TYPED),
        ("sessions", "delete", TYPED, "--yes"),
        ("recover", TYPED),
        (TYPED,),
        ("listen", f"--{TYPED}"),
        ("serve", "--host", TYPED),
    ],
)
def test_what_was_typed_is_told_back_without_steering(arguments: tuple[str, ...]) -> None:
    result = sayd(*arguments)
    assert unsafe(result.stdout + result.stderr) == set()


def test_a_name_is_kept_and_shown_without_steering(tmp_path: Path) -> None:
    home = {"SAYD_HOME": str(tmp_path)}
    result = sayd("listen", BECKETT, "--local", "--name", TYPED, "-f", "md", env=home)
    assert result.returncode == 0
    assert unsafe(result.stdout + result.stderr) == set()
    for arguments in (
        ("list", "--local"),
        ("list", "--local", "--json"),
        ("show", "last", "--local", "-f", "md"),
        ("search", "ever", "--json"),
        ("delete", "last", "--yes"),
    ):
        result = sayd("sessions", *arguments, env=home)
        assert result.returncode == 0
        assert unsafe(result.stdout + result.stderr) == set(), arguments


def test_settings_are_shown_without_steering(tmp_path: Path) -> None:
    home = {"SAYD_HOME": str(tmp_path / TYPED)}
    for arguments in (("config", "show"), ("config", "show", "--json")):
        result = sayd(*arguments, env=home)
        assert unsafe(result.stdout + result.stderr) == set(), arguments
    steered = {"SAYD_BASE_URL": f"http://127.0.0.1:1/{TYPED}"}
    for arguments in (("config", "show"), ("auth", "status"), ("sessions", "list", "--cloud")):
        result = sayd(*arguments, env={**steered, "SAYD_API_KEY": "any"})
        assert unsafe(result.stdout + result.stderr) == set(), arguments


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")
def test_a_terminal_is_not_steered_by_what_is_heard(
    service: Hostile, cloud: dict[str, str]
) -> None:
    from tests.cli.test_terminal import on_terminal
    from tests.render.emulator import Emulator
    from tests.waiting import wait_until

    service.messages = [SENTENCE, {"type": "partial", "text": f"interim {STEERING}"}]
    service.close_code = 1008
    with Emulator() as terminal:
        with on_terminal(
            terminal, "listen", BECKETT, "--pace", "realtime", "--duration", "2", env=cloud
        ) as process:
            wait_until(lambda: f"interim {SHOWN}" in terminal.shown())
            assert terminal.shown()[0] == SHOWN
            process.wait(LIMIT_S)
        wait_until(lambda: not terminal.cursor_hidden)
        assert terminal.scrolled()[0] == SHOWN
        assert terminal.title == ""
