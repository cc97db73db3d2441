"""What a check of this machine has found: one line, and what to do about it.

Owns its form between processes and for programs. Refuses to know what is checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from sayd_cli.errors import SaydError


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Listening works, but for something that may be missed."""
    PROBLEM = "problem"
    """Listening fails, or loses what it should keep."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check.

    Attributes:
        name: What was checked.
        status: How bad it is.
        detail: What was found, one line.
        remedy: What to do about it, one line; empty where there is nothing to do.
        exit_status: That of a program which this stops; 0 for what stops none.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""
    exit_status: int = 0

    def to_json(self) -> dict[str, str]:
        """The fields that are for programs."""
        return {
            "name": self.name,
            "status": self.status.value,
            "detail": self.detail,
            "remedy": self.remedy,
        }

    def to_line(self) -> str:
        """All of it, for the process that asked."""
        return json.dumps({**self.to_json(), "exit_status": self.exit_status})


def ok(name: str, detail: str) -> Finding:
    """All is well."""
    return Finding(name, Status.OK, detail)


def warning(name: str, detail: str, remedy: str) -> Finding:
    """Listening works all the same."""
    return Finding(name, Status.WARNING, detail, remedy)


def problem(name: str, error: SaydError) -> Finding:
    """What listening would end with."""
    return Finding(name, Status.PROBLEM, error.message, error.remedy, error.exit_status)


def from_line(line: bytes) -> Finding:
    """A finding that another process made with ``to_line``.

    Raises:
        ValueError: It is none.
    """
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError("not a finding")
    return Finding(
        str(fields.get("name", "")),
        Status(str(fields.get("status", ""))),
        str(fields.get("detail", "")),
        str(fields.get("remedy", "")),
        int(fields.get("exit_status", 0)),
    )
