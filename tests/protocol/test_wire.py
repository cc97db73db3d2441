from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import ProtocolError
from sayd_cli.model.events import (
    ClientMessage,
    Complete,
    Fault,
    Final,
    Partial,
    Ready,
    ServerMessage,
    Unknown,
)
from sayd_cli.protocol import wire
from tests.protocol.messages import client_messages, server_messages

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(client_messages)
def test_client_messages_round_trip(message: ClientMessage) -> None:
    assert wire.decode_client(wire.encode_client(message)) == message


@given(server_messages)
def test_server_messages_round_trip(message: ServerMessage) -> None:
    assert wire.decode_server(wire.encode_server(message)) == (message,)


def test_the_wire_form_is_the_one_of_the_api() -> None:
    assert wire.encode_server(Ready()) == '{"type":"ready"}'
    assert json.loads(wire.encode_server(Partial("hel", 0.5, 1.0))) == {
        "type": "partial",
        "text": "hel",
        "start": 0.5,
        "end": 1.0,
    }
    assert json.loads(wire.encode_server(Final("hello.", 0.5, 1.5, 0, 0.9, "en"))) == {
        "type": "sentence",
        "text": "hello.",
        "is_final": True,
        "index": 0,
        "start": 0.5,
        "end": 1.5,
        "confidence": 0.9,
        "language": "en",
    }
    assert json.loads(wire.encode_server(Complete(1500))) == {
        "type": "complete",
        "duration_ms": 1500,
    }
    fault = json.loads(wire.encode_server(Fault("no", "policy")))
    assert (fault["message"], fault["error"], fault["code"]) == ("no", "no", "policy")


def test_both_shapes_of_a_sentence_are_understood() -> None:
    plain = '{"type":"sentence","text":"one two","confidence":0.5,"is_final":true}'
    assert wire.decode_server(plain) == (Final("one two", confidence=0.5),)
    segments = '{"type":"sentence","segments":[{"text":"one","start":1},{"text":"two"}]}'
    assert wire.decode_server(segments) == (Final("one", start_s=1.0), Final("two"))


def test_segments_of_a_partial_are_one_text() -> None:
    data = '{"type":"partial","segments":[{"text":"one","start":1},{"text":"two","end":3}]}'
    assert wire.decode_server(data) == (Partial("one two", 1.0, 3.0),)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"type":"error","message":"m","code":401}', Fault("m", "401")),
        ('{"type":"error","error":"e"}', Fault("e")),
        ('{"type":"error","error":{"message":"m","code":"c"}}', Fault("m", "c")),
        ('{"type":"error"}', Fault("the service gave no reason")),
    ],
)
def test_every_shape_of_an_error_is_understood(data: str, expected: Fault) -> None:
    assert wire.decode_server(data) == (expected,)


@pytest.mark.parametrize(
    "data", ['{"type":"usage","tokens":3}', "{}", '{"type":7}', b"\x00\x01", '{"type":null}']
)
def test_what_is_not_known_is_ignored(data: str | bytes) -> None:
    (message,) = wire.decode_server(data)
    assert isinstance(message, Unknown)


@pytest.mark.parametrize(
    "field",
    ['"start":"soon"', '"start":-1', '"start":NaN', '"start":1e999', '"start":true', '"start":[]'],
)
def test_a_field_of_the_wrong_kind_is_absent(field: str) -> None:
    assert wire.decode_server(f'{{"type":"sentence","text":"x",{field}}}') == (Final("x"),)


@pytest.mark.parametrize("data", ["", "nonsense", "[]", "3", "{", "[" * 100_000])
def test_text_that_is_no_json_object_is_a_protocol_error(data: str) -> None:
    with pytest.raises(ProtocolError):
        wire.decode_server(data)
    with pytest.raises(ProtocolError):
        wire.decode_client(data)


def test_a_server_does_not_guess_what_a_client_means() -> None:
    with pytest.raises(ProtocolError, match="unknown message type 'stop'"):
        wire.decode_client('{"type":"stop"}')


@given(st.dictionaries(st.text(), json_values), st.sampled_from(["partial", "sentence", "error"]))
def test_any_json_object_is_understood(fields: dict[str, object], kind: str) -> None:
    text = json.dumps({**fields, "type": kind})
    assert wire.decode_server(text)


@given(st.text())
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    with contextlib.suppress(ProtocolError):
        wire.decode_server(text)


def test_an_error_quotes_no_more_than_the_beginning() -> None:
    with pytest.raises(ProtocolError) as caught:
        wire.decode_server("x" * 10_000)
    assert len(caught.value.message) < 200
