from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.hook.environment import inherited_variables, sentence_variables
from sayd_cli.model.secret import Secret
from sayd_cli.model.transcript import Sentence

KEY = "sk-3f9a77c0d1"


@pytest.mark.parametrize("key", [Secret(KEY), None])
def test_the_key_in_the_environment_is_not_inherited(key: Secret | None) -> None:
    variables = {
        "PATH": "/bin",
        "SAYD_API_KEY": f" {KEY} ",
        "COPY": KEY,
        "URL": f"wss://host/stream?api_key={KEY}&x=1",
        "SAYD_HOME": "/home/x",
    }
    assert inherited_variables(variables, key) == {"PATH": "/bin", "SAYD_HOME": "/home/x"}


def test_a_key_from_elsewhere_is_not_inherited() -> None:
    assert inherited_variables({"COPY": KEY, "PATH": "/bin"}, Secret(KEY)) == {"PATH": "/bin"}


def test_a_short_key_takes_no_other_variable_with_it() -> None:
    variables = {"SAYD_API_KEY": "b", "COPY": "b", "PATH": "/bin"}
    assert inherited_variables(variables, None) == {"PATH": "/bin"}


def test_what_an_outer_run_says_of_its_sentence_is_not_inherited() -> None:
    outer = sentence_variables(
        Sentence(3, "outer", 0.0, 1.0, language="zh", unconfirmed=True), "outer"
    )
    assert inherited_variables({**outer, "PATH": "/bin"}, None) == {"PATH": "/bin"}


def test_what_is_not_known_has_no_variable() -> None:
    assert sentence_variables(Sentence(0, "hello", 0.5, 1.25), None) == {
        "SAYD_TEXT": "hello",
        "SAYD_INDEX": "0",
        "SAYD_START": "0.500",
        "SAYD_END": "1.250",
    }


@given(st.text(), st.text())
def test_every_variable_can_be_one(text: str, session_id: str) -> None:
    for value in sentence_variables(Sentence(0, text, 0.0, 1.0), session_id).values():
        assert "\0" not in value
        value.encode()


@given(st.text(alphabet="ab漢🎤", min_size=1).map(lambda part: part * (40_000 // len(part))))
def test_a_long_text_is_cut_between_characters(text: str) -> None:
    cut = sentence_variables(Sentence(0, text, 0.0, 1.0), None)["SAYD_TEXT"]
    assert text.startswith(cut)
    assert 29_990 < len(cut.encode()) <= 30_000
