import pytest

from sayd_cli.cli.messages import complain, say, trace
from tests.cli.hostile import SHOWN, STEERING, unsafe


def test_whatever_is_said_does_not_steer(capsys: pytest.CaptureFixture[str]) -> None:
    say(STEERING)
    complain(STEERING, STEERING)
    assert capsys.readouterr().err == f"sayd: {SHOWN}\n" * 2 + f"      {SHOWN}\n"


def test_a_traceback_keeps_its_lines_and_does_not_steer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise ValueError(STEERING)
    except ValueError:
        trace()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith("  File ")
    assert unsafe("\n".join(lines)) == set()
    assert "abcd" in "".join(lines)
