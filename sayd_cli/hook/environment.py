"""What a command is told beside the text on its standard input, and what is kept from it.

Owns the names of the variables, and the rule that no command ever has the key. Refuses to know
how a command is run.
"""

from __future__ import annotations

from collections.abc import Mapping

from sayd_cli.model.secret import Secret
from sayd_cli.model.transcript import Sentence
from sayd_cli.transcript.sanitize import sanitize

_KEY = "SAYD_API_KEY"
_OURS = (
    "SAYD_TEXT",
    "SAYD_INDEX",
    "SAYD_START",
    "SAYD_END",
    "SAYD_SESSION_ID",
    "SAYD_LANGUAGE",
    "SAYD_UNCONFIRMED",
)
_TEXT_BYTES = 30_000
"""Windows takes 32,767 characters in one variable, Linux 128 KiB; all of it is on stdin."""
_TELLING_CHARS = 8
"""A shorter key, which a server of one's own may take, stands in other values by accident."""


def inherited_variables(variables: Mapping[str, str], key: Secret | None) -> dict[str, str]:
    """What a command inherits of an environment: neither the variable of the key nor any other
    that holds it; nor those that describe a sentence, which a ``sayd`` that is itself run for a
    sentence has.

    Args:
        variables: The environment.
        key: The key, wherever it was found; None for none but the one in ``variables``.
    """
    keys = {variables.get(_KEY, "").strip(), key.reveal() if key is not None else ""} - {""}
    return {
        name: value
        for name, value in variables.items()
        if name != _KEY and name not in _OURS and not any(_holds(value, each) for each in keys)
    }


def sentence_variables(sentence: Sentence, session_id: str | None) -> dict[str, str]:
    """The variables that describe a sentence; what is not known has none.

    Args:
        sentence: The sentence.
        session_id: The session it was heard in.
    """
    text = sanitize(sentence.text).encode()[:_TEXT_BYTES].decode(errors="ignore")
    variables = {
        "SAYD_TEXT": text,
        "SAYD_INDEX": str(sentence.index),
        "SAYD_START": f"{sentence.start_s:.3f}",
        "SAYD_END": f"{sentence.end_s:.3f}",
    }
    if session_id is not None:
        variables["SAYD_SESSION_ID"] = sanitize(session_id)
    if sentence.language is not None:
        variables["SAYD_LANGUAGE"] = sanitize(sentence.language)
    if sentence.unconfirmed:
        variables["SAYD_UNCONFIRMED"] = "1"
    return variables


def _holds(value: str, key: str) -> bool:
    return value.strip() == key or (len(key) >= _TELLING_CHARS and key in value)
