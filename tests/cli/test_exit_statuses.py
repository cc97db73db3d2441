"""The exit statuses that are promised are those of the errors, and each can be reached."""

from __future__ import annotations

import ast
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer

import sayd_cli
from sayd_cli import errors
from sayd_cli.cli.app import build
from sayd_cli.errors import SaydError
from tests.cli.coded import coded
from tests.cli.process import LIMIT_S, environment, sayd
from tests.faults.plan import HalfOpen, Refuse
from tests.faults.speech import CodedSpeech
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PACKAGE = Path(sayd_cli.__file__).parent
CLASSES = [
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SaydError)
]
STATUSES = sorted({0, *(each.exit_status for each in CLASSES)})


def readme() -> dict[int, str]:
    """The statuses of the table in the README, with their meanings."""
    _, _, after = (ROOT / "README.md").read_text(encoding="utf-8").partition("exit-statuses -->\n")
    heading, rule, *rows = takewhile(str.strip, after.splitlines())
    assert (heading, rule) == ("| status | meaning |", "|---|---|")
    cells = [row.strip("| ").split(" | ") for row in rows]
    table = {int(status): meaning for status, meaning in cells}
    assert len(table) == len(rows)
    return table


def man_page() -> list[int]:
    """The statuses of the man page."""
    _, _, after = (ROOT / "man/sayd.1").read_text(encoding="utf-8").partition(".SH EXIT STATUS\n")
    section, _, _ = after.partition(".SH")
    return [int(status) for status in re.findall(r"^\.TP\n\\fB(\d+)\\fR$", section, re.MULTILINE)]


def test_the_table_has_every_status_of_an_error_and_no_other() -> None:
    table = readme()
    assert list(table) == STATUSES
    assert {0, 130} <= set(table)
    assert all(meaning.strip() for meaning in table.values())
    assert len(set(table.values())) == len(table)


def test_the_man_page_has_the_same() -> None:
    assert man_page() == STATUSES


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the package: where it is, and what is called."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_nothing_but_the_errors_decides_a_status() -> None:
    leaving = ("sys.exit", "os._exit", "typer.Exit", "SystemExit", "exit", "quit")
    assert [
        where
        for where, call in calls()
        if ast.unparse(call.func) in leaving
        and any(isinstance(each, ast.Constant) and each.value != 0 for each in call.args)
    ] == []


def test_every_error_is_in_the_one_tree() -> None:
    names = {each.__name__ for each in CLASSES}
    assert [
        f"{path.name}: {node.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & names
    ] == []


def test_messages_and_remedies_are_a_line_each_without_a_full_stop() -> None:
    names = {each.__name__ for each in CLASSES}
    checked = 0
    for where, call in calls():
        if ast.unparse(call.func) not in names:
            continue
        checked += 1
        texts = [*call.args, *(each.value for each in call.keywords if each.arg == "remedy")]
        for text in texts:
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            literals = [
                part.value
                for part in parts
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            assert "\n" not in "".join(literals), where
            if literals and isinstance(parts[-1], ast.Constant):
                assert not literals[-1].rstrip().endswith("."), where
    assert checked > 100


def test_what_a_user_can_do_about_an_error_is_said() -> None:
    # The others are either the service's doing, for which the command line knows what usually
    # helps, or bugs, or go to a client of our server, which has the message alone.
    the_users = {"UsageError", "InputError", "KeyMissingError", "EngineMissingError"}
    assert [
        where
        for where, call in calls()
        if ast.unparse(call.func) in the_users
        and not where.startswith(("protocol/", "server/app.py"))
        and len(call.args) + sum(each.arg == "remedy" for each in call.keywords) < 2
    ] == []


def words_of_commands(command: Any, *path: str) -> Iterator[list[str]]:
    """Every command's words, the groups' too."""
    yield list(path)
    for name, below in getattr(command, "commands", {}).items():
        yield from words_of_commands(below, *path, name)


def test_an_unknown_option_of_any_command() -> None:
    every = list(words_of_commands(typer.main.get_command(build())))
    assert len(every) > 20
    # In a process of its own, for it sets up the logging of the whole process.
    code = (
        "import json, sys; from sayd_cli.cli.app import run\n"
        "for words in json.loads(sys.argv[1]): print(run([*words, '--nonsense']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, json.dumps(every)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT_S,
        check=True,
    )
    assert ended.stdout.split() == ["2"] * len(every)
    said = ended.stderr.splitlines()
    assert len(said) == 2 * len(every)
    for happened, remedy in zip(said[::2], said[1::2], strict=True):
        assert happened.startswith("sayd: ")
        assert "--nonsense" in happened
        assert remedy.strip().startswith("try `sayd")


def _no_history(home: Path) -> None:
    (home / "history.sqlite3").write_bytes(b"no database at all, but long enough to be read" * 99)


def _no_audio(home: Path) -> None:
    (home / "noise.wav").write_bytes(b"RIFF and then nothing that anybody could hear" * 9)


def _nothing(home: Path) -> None: ...


REACHED: dict[int, tuple[list[str], dict[str, str], Callable[[Path], None]]] = {
    0: (["--version"], {}, _nothing),
    1: (["sessions", "list", "--local"], {}, _no_history),
    2: (["sessions", "show", "none", "--local"], {}, _nothing),
    3: (["sessions", "list", "--cloud"], {}, _nothing),
    4: (
        ["sessions", "list", "--cloud"],
        # Nobody listens at the port of discard.
        {"SAYD_API_KEY": "k", "SAYD_BASE_URL": "http://127.0.0.1:9"},
        _nothing,
    ),
    5: (["listen", "noise.wav", "--local"], {}, _no_audio),
}


@pytest.mark.parametrize("status", REACHED)
def test_reaching_it(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, variables, prepare = REACHED[status]
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = sayd(*arguments, env={"SAYD_HOME": str(tmp_path), **variables})
    assert result.returncode == status, result.stderr
    assert len(result.stderr.splitlines()) == (0 if status == 0 else 2)


async def test_reaching_6_where_it_is_no_sayd_api(tmp_path: Path) -> None:
    async with coded(tmp_path) as service:
        elsewhere = f"{service.proxy.url}/no/such/place"
        result = await service.sayd("sessions", "list", "--cloud", SAYD_BASE_URL=elsewhere)
    assert result.returncode == 6, result.stderr
    assert len(result.stderr.splitlines()) == 2


@pytest.mark.parametrize("status", [7, 130])
async def test_reaching_it_where_the_service_falls_silent(status: int, tmp_path: Path) -> None:
    speech = CodedSpeech(6)
    log = tmp_path / "log"
    async with (
        coded(tmp_path) as service,
        service.running(
            *("listen", "-", "--cloud", "-f", "jsonl", "--interim", "--pace", "max"),
            SAYD_LOG=str(log),
        ) as listening,
    ):
        await listening.feed(speech.pcm(0, speech.words()[-1].end_sample + 100))
        await listening.message("partial")
        service.proxy.inject(HalfOpen())
        service.proxy.inject(Refuse(60.0))
        listening.process.send_signal(signal.SIGINT)
        if status == 130:
            await until(lambda: "asked to stop" in log.read_text(encoding="utf-8"))
            listening.process.send_signal(signal.SIGINT)
        ended, _, err = await listening.rest()
    assert ended == status, err
    assert "Traceback" not in err


def test_every_status_is_reached_here() -> None:
    assert sorted({*REACHED, 6, 7, 130}) == STATUSES
