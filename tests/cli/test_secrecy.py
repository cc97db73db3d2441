"""The key is nowhere but where it is kept: a whole run is searched for it.

Every output, every file that is written, and every process that is started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from sayd_cli.engine.recordings import recording
from tests.cli.process import LIMIT_S, environment, running, sayd
from tests.cli.test_sessions import serving

if sys.platform != "linux":
    pytest.skip("other systems have no /proc to look into", allow_module_level=True)

KEY = "sk-distinctive-0b5c7a9e-3f1d-key"
BECKETT = str(recording("beckett.wav"))


@dataclass
class Searched:
    """Runs of ``sayd``, and whether any of them has told the key."""

    folder: Path
    env: dict[str, str]
    runs: int = 0
    told: list[str] = field(default_factory=list)

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] = MappingProxyType({}),
        stdin: bytes | None = None,
    ) -> subprocess.CompletedProcess[str]:
        result = sayd("--debug", *arguments, stdin=stdin, env={**self.env, **env})
        self.runs += 1
        if KEY in result.stdout + result.stderr:
            self.told.append(" ".join(arguments))
        return result

    def holding(self) -> set[str]:
        """The files that hold the key."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        assert files
        return {str(path.name) for path in files if KEY.encode() in path.read_bytes()}


@pytest.fixture(params=["kept", "given"])
def searched(request: pytest.FixtureRequest, tmp_path: Path) -> Searched:
    folder = tmp_path / "everything"
    folder.mkdir()
    home = {
        "SAYD_HOME": str(folder / "sayd"),
        "SAYD_LOG": str(folder / "sayd.log"),
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    given = {"SAYD_API_KEY": KEY} if request.param == "given" else {}
    return Searched(folder, {**home, **given})


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """One that takes the key, and one that does not; what they write is searched, too."""
    urls = []
    with ExitStack() as stack:
        for name, taken in (("taking", KEY), ("refusing", "sk-another")):
            keys = tmp_path / f"{name}-keys"
            keys.write_text(f"{taken}\n")
            home = tmp_path / "everything" / name
            env = {"SAYD_HOME": str(home), "SAYD_LOG": str(tmp_path / "everything" / "server.log")}
            urls.append(stack.enter_context(serving("--keys-file", str(keys), env=env)))
        yield urls[0], urls[1]


@pytest.mark.timeout(400)
def test_a_whole_run(searched: Searched, servers: tuple[str, str]) -> None:
    taking, refusing = ({"SAYD_BASE_URL": url} for url in servers)
    nobody = {"SAYD_BASE_URL": "http://127.0.0.1:9"}
    piped = f"{KEY}\n".encode()
    kept = set() if "SAYD_API_KEY" in searched.env else {"credentials"}

    assert searched("auth", "login", stdin=piped, env=refusing).returncode == 3
    assert searched.holding() == set()
    if kept:
        assert searched("auth", "login", stdin=piped, env=nobody).returncode == 0
        assert searched("auth", "login", stdin=piped, env=taking).returncode == 0
    status = searched("auth", "status", env=taking)
    assert status.returncode == 0
    assert "***-key" in status.stdout
    for arguments in (["auth", "status", "--json"], ["config", "show"], ["config", "path"]):
        assert searched(*arguments, env=taking).returncode == 0
    assert searched("config", "show", "--json", env=taking).returncode == 0

    record = str(searched.folder / "audio.wav")
    for form in ("text", "jsonl"):
        more = ["-f", form, "--record", record, "--pace", "max", "--name", "a talk"]
        heard = searched("listen", BECKETT, "--cloud", *more, env=taking)
        assert (heard.returncode, "ever" in heard.stdout.lower()) == (0, True), heard.stderr
    for arguments in (["create"], ["create", "--json"], ["list"], ["list", "--json"]):
        assert searched("sessions", *arguments, env=taking).returncode == 0
    assert searched("sessions", "show", "last", "--local", env=taking).returncode == 0
    assert searched("sessions", "show", "no-such", "--cloud", env=taking).returncode == 2

    for elsewhere, status_of_it in ((refusing, 3), (nobody, 4)):
        assert searched("listen", BECKETT, "--cloud", env=elsewhere).returncode == status_of_it
        for arguments in (["create"], ["list", "--cloud"], ["show", "last", "--cloud"]):
            ended = searched("sessions", *arguments, env=elsewhere)
            assert ended.returncode == status_of_it
            assert "Traceback" in ended.stderr

    assert searched.told == []
    assert searched.runs > 20
    assert searched.holding() == kept
    assert searched("auth", "logout").returncode == 0
    assert searched.holding() == set()


def test_while_it_listens(searched: Searched, servers: tuple[str, str]) -> None:
    env = {**searched.env, "SAYD_BASE_URL": servers[0]}
    if "SAYD_API_KEY" not in env:
        searched("auth", "login", stdin=f"{KEY}\n".encode(), env={"SAYD_BASE_URL": servers[0]})
    with running("listen", BECKETT, "--pace", "realtime", env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        ours = Path("/proc") / str(process.pid)
        threads = [path / "comm" for path in (ours / "task").iterdir()]
        seen = [path.read_bytes() for path in (ours / "cmdline", *threads)]
        for task in (ours / "task").iterdir():
            for child in (task / "children").read_text().split():
                about = Path("/proc") / child
                seen += [(about / name).read_bytes() for name in ("cmdline", "environ")]
        assert KEY.encode() not in b"".join(seen)
        if "SAYD_API_KEY" not in env:
            assert KEY.encode() not in (ours / "environ").read_bytes()


def test_a_bug_does_not_tell_it(searched: Searched, servers: tuple[str, str]) -> None:
    # A traceback with the values of all variables would be the worst of all.
    code = (
        "import sayd_cli.transport.api as api\n"
        "def broken(*given, **named): raise RuntimeError('a bug')\n"
        "api.rest.decode_summaries = broken\n"
        "from sayd_cli.cli.main import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "--debug", "sessions", "list", "--cloud"],
        capture_output=True,
        text=True,
        env=environment({**searched.env, "SAYD_API_KEY": KEY, "SAYD_BASE_URL": servers[0]}),
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 1
    assert "RuntimeError: a bug" in ended.stderr
    assert KEY not in ended.stdout + ended.stderr


def test_the_modes_of_what_holds_it_and_of_its_folder(searched: Searched) -> None:
    searched(
        "auth", "login", stdin=f"{KEY}\n".encode(), env={"SAYD_BASE_URL": "http://127.0.0.1:9"}
    )
    path = searched.folder / "sayd" / "credentials"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_no_option_takes_it() -> None:
    for arguments in (["auth", "login", KEY], ["auth", "login", f"--key={KEY}"]):
        result = sayd(*arguments)
        assert result.returncode == 2
        assert not list(Path(os.environ["SAYD_HOME"]).glob("*"))
