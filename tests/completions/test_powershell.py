"""The PowerShell script by its form: PowerShell itself is on no machine that these tests run on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sayd_cli.model.audio import Codec
from sayd_cli.transcript.formats import Format
from tests.completions.command_line import commands_and_options
from tests.completions.shells import COMPLETIONS

SCRIPT = (COMPLETIONS / "sayd.ps1").read_text(encoding="utf-8")
LITERAL = r"'((?:[^']|'')*)'"
PAIRS = {")": "(", "]": "[", "}": "{"}

_TOKENS = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<single>'(?:[^'\n]|'')*')
    | (?P<double>"(?:[^"`\n]|`.)*")
    | (?P<bracket>[][(){}])
    | (?P<name>\$[A-Za-z_][A-Za-z0-9_]*)
    | (?P<other>[^'"\#])
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens() -> Iterator[tuple[str, str]]:
    """Comments, literals, brackets, variables, and single characters between them.

    What is in ``$( )`` in a string in double quotes has none such of its own, in this script.
    """
    at = 0
    while at < len(SCRIPT):
        found = _TOKENS.match(SCRIPT, at)
        assert found is not None, f"a quotation mark that is not closed: {SCRIPT[at : at + 60]!r}"
        yield found.lastgroup or "", found[0]
        at = found.end()


def block(name: str) -> str:
    """What is assigned to a variable: the table as it is written."""
    found = re.search(rf"^    \${name} = @\{{\n(.*?)^    \}}$", SCRIPT, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def tables(name: str) -> dict[str, dict[str, str]]:
    """A table of tables of texts."""
    found: dict[str, dict[str, str]] = {}
    for line in block(name).splitlines():
        if opening := re.fullmatch(rf" {{8}}{LITERAL} = \[ordered\]@\{{", line):
            where = opening[1]
            found[where] = {}
        elif line != " " * 8 + "}":
            row = re.fullmatch(rf" {{12}}{LITERAL} = {LITERAL}", line)
            assert row is not None, line
            assert row[1] not in found[where]
            found[where][row[1]] = row[2]
    return found


def values() -> dict[str, str]:
    rows = [re.fullmatch(rf" {{8}}{LITERAL} = (.+)", line) for line in block("values").splitlines()]
    found = {row[1]: row[2] for row in rows if row is not None}
    assert len(found) == len(rows)
    return found


def test_the_older_powershell_can_read_it() -> None:
    # 5.1 takes a file without a byte order mark for the system's code page.
    assert SCRIPT.isascii()
    assert "\t" not in SCRIPT
    for newer in ("??", "&&", "||", "?.", "clean {"):
        assert newer not in SCRIPT


def test_brackets_and_quotation_marks_are_balanced() -> None:
    opened: list[str] = []
    for kind, text in tokens():
        if kind == "double":
            inside = [each for each in text if each in "()"]
            assert inside.count("(") == inside.count(")"), text
        if kind != "bracket":
            continue
        if text in PAIRS:
            assert opened.pop() == PAIRS[text]
        else:
            opened.append(text)
    assert opened == []


def test_no_variable_is_read_that_is_not_set() -> None:
    given = {"$null", "$_", "$args", "$Matches", "$PROFILE", "$true", "$false"}
    names = {text for kind, text in tokens() if kind == "name"}
    # In strings in double quotes as well.
    for kind, text in tokens():
        if kind == "double":
            names |= set(re.findall(r"\$[A-Za-z_]\w*", text))
    assigned = set(re.findall(r"(\$\w+)(?:, \$\w+)? = ", SCRIPT))
    assigned |= set(re.findall(r"\$\w+, (\$\w+) = ", SCRIPT))
    assigned |= {f"${name}" for name in re.findall(r"foreach \(\$(\w+) in", SCRIPT)}
    assigned |= set(re.findall(r"\$\w+", re.findall(r"param\((.*?)\)", SCRIPT)[0]))
    assert names - given == assigned - given


def test_every_command_and_every_option_is_there() -> None:
    known = commands_and_options()
    assert {where: set(rows) for where, rows in tables("options").items()} == known
    below = {f"{where} {name}" for where, rows in tables("commands").items() for name in rows}
    assert below == set(known) - {"sayd"}
    assert all(
        text
        for each in ("commands", "options")
        for rows in tables(each).values()
        for text in rows.values()
    )


def test_names_differ_by_more_than_case() -> None:
    for each in ("commands", "options"):
        for rows in tables(each).values():
            assert len({name.lower() for name in rows}) == len(rows)
    assert len({name.lower() for name in values()}) == len(values())


def test_values() -> None:
    told = values()
    listed = {name: re.findall(LITERAL, text) for name, text in told.items() if "@(" in text}
    assert listed["sayd listen --format"] == [each.value for each in Format]
    assert listed["sayd listen -f"] == listed["sayd listen --format"]
    assert listed["sayd listen --codec"] == [each.value for each in Codec]
    assert "zh-CN" in listed["sayd listen -l"]
    assert told["sayd listen --device"] == told["sayd devices test --device"] == "$devices"
    assert told["sayd sessions show"] == told["sayd sessions delete"] == "$sessions"
    assert told["sayd recover"] == "$interrupted"
    assert told["sayd listen --exec"] == "$programs"
    for option in ("-o", "--record", "--caption-file"):
        # Nothing: PowerShell then completes files by itself.
        assert told[f"sayd listen {option}"] == "$null"


def test_sayd_is_started_for_names_alone() -> None:
    started = re.findall(r"& \$(\w+)((?: '[^']*')*)", SCRIPT)
    assert sorted(started) == [
        ("asked", ""),
        ("program", ""),
        ("sayd", " 'devices'"),
        ("sayd", " 'recover' '--list'"),
        ("sayd", " 'sessions' 'list' '--local' '--limit' '50'"),
    ]
    # Each stands in a block that runs when such a name is asked for, and not before.
    for name in ("sayd", "sessions", "devices", "interrupted", "programs"):
        assert f"    ${name} = {{\n" in SCRIPT


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", "'plain'"),
        ("Sessions' ids", "'Sessions'' ids'"),
        ("'", "''''"),
        ('$(a) `b` "c"', "'$(a) `b` \"c\"'"),
        # Typographic ones end a literal too.
        ("\u2018a\u2019", "'\u2018\u2018a\u2019\u2019'"),
    ],
)
def test_quotation(text: str, literal: str) -> None:
    code = "import sys; from powershell import quoted; print(ascii(quoted(sys.argv[1])))"
    ended = subprocess.run(
        [sys.executable, "-c", code, text],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=COMPLETIONS,
    )
    assert ended.stdout.strip() == ascii(literal)
