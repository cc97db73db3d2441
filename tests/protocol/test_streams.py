from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sayd_cli.errors import ProtocolError
from sayd_cli.model.audio import Codec
from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Fault,
    Final,
    Keepalive,
    Partial,
    Ready,
    ServerMessage,
    Unknown,
)
from sayd_cli.protocol import wire
from sayd_cli.protocol.client import ClientState, ClientStream
from sayd_cli.protocol.server import ServerState, ServerStream
from tests.protocol.messages import client_messages, finals, partials, pcm, server_messages


def test_a_whole_stream() -> None:
    client, server = ClientStream(), ServerStream()
    assert client.receive(server.send(Ready())) == (Ready(),)
    assert server.receive(client.send(Audio(b"\0\0"))) == Audio(b"\0\0")
    assert client.receive(server.send(Partial("he"))) == (Partial("he"),)
    assert server.receive(client.send(Keepalive())) == Keepalive()
    assert server.receive(client.send(End())) == End()
    assert client.receive(server.send(Final("hello."))) == (Final("hello."),)
    assert client.receive(server.send(Complete(100))) == (Complete(100),)
    assert client.state is ClientState.DONE
    assert client.over
    assert server.state is ServerState.CLOSED


def test_audio_waits_for_ready() -> None:
    client = ClientStream()
    with pytest.raises(ProtocolError, match="audio is out of order while connected"):
        client.send(Audio(b"\0\0"))
    assert client.state is ClientState.CONNECTED


def test_nothing_is_sent_after_end() -> None:
    client = ClientStream()
    client.receive(wire.encode_server(Ready()))
    client.send(End())
    for message in (Audio(b"\0\0"), End()):
        with pytest.raises(ProtocolError):
            client.send(message)
    assert client.state is ClientState.ENDING


def test_an_error_ends_the_stream_on_both_sides() -> None:
    client, server = ClientStream(), ServerStream()
    assert client.receive(server.send(Fault("no"))) == (Fault("no"),)
    assert client.state is ClientState.FAILED
    with pytest.raises(ProtocolError):
        server.send(Ready())
    with pytest.raises(ProtocolError):
        server.receive(b"\0\0")


def test_a_server_says_nothing_before_ready_and_completes_only_what_ended() -> None:
    server = ServerStream()
    with pytest.raises(ProtocolError):
        server.send(Final("early"))
    server.send(Ready())
    with pytest.raises(ProtocolError):
        server.send(Complete())
    with pytest.raises(ProtocolError):
        server.send(Unknown("other"))
    assert server.state is ServerState.READY


def test_audio_in_flight_after_end_is_taken() -> None:
    server = ServerStream()
    server.send(Ready())
    server.receive('{"type":"end"}')
    assert server.receive(b"\0\0") == Audio(b"\0\0")
    assert server.receive('{"type":"end"}') == End()
    assert server.state is ServerState.ENDING


def test_a_client_that_said_end_before_may_be_told_the_end_at_once() -> None:
    client, server = ClientStream(), ServerStream(ended=True)
    with pytest.raises(ProtocolError):
        server.receive(b"\0\0")
    with pytest.raises(ProtocolError):
        server.send(Complete())
    assert server.state is ServerState.REOPENING
    for message in (Ready(30.0, 16_000), Final("missed", index=3), Complete(1000, sentences=4)):
        assert client.receive(server.send(message)) == (message,)
    assert client.state is ClientState.DONE


def test_what_is_said_again_after_an_end_is_heard() -> None:
    server = ServerStream(ended=True)
    server.send(Ready())
    for message in (b"\0\0", '{"type":"end"}', '{"type":"keepalive"}'):
        server.receive(message)
    assert server.state is ServerState.ENDING


def test_half_a_sample_is_refused_only_where_there_are_samples() -> None:
    server = ServerStream(Codec.PCM16)
    server.send(Ready())
    with pytest.raises(ProtocolError, match="3 bytes"):
        server.receive(b"\0\0\0")
    opus = ServerStream(Codec.OPUS)
    opus.send(Ready())
    assert opus.receive(b"\0\0\0") == Audio(b"\0\0\0")


def test_one_message_with_several_sentences_is_taken_whole_or_not_at_all() -> None:
    client = ClientStream()
    client.receive(wire.encode_server(Ready()))
    client.send(End())
    client.receive(wire.encode_server(Complete()))
    with pytest.raises(ProtocolError):
        client.receive('{"type":"sentence","segments":[{"text":"a"},{"text":"b"}]}')
    assert client.state is ClientState.DONE


@given(st.lists(client_messages | server_messages, max_size=20))
def test_an_illegal_message_changes_nothing(
    messages: list[ClientMessage | ServerMessage],
) -> None:
    client, server = ClientStream(), ServerStream()
    for message in messages:
        for_client = isinstance(message, Audio | End | Keepalive)
        client_before, server_before = client.state, server.state
        try:
            if isinstance(message, Audio | End | Keepalive):
                client.send(message)
            else:
                client.receive(wire.encode_server(message))
        except ProtocolError:
            assert client.state is client_before, for_client
        try:
            if isinstance(message, Audio | End | Keepalive):
                server.receive(wire.encode_client(message))
            else:
                server.send(message)
        except ProtocolError:
            assert server.state is server_before


class Pair(RuleBasedStateMachine):
    """A client and a server that keep to the rules, with messages in flight both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.client, self.server = ClientStream(), ServerStream()
        self.to_server: deque[bytes | str] = deque()
        self.to_client: deque[bytes | str] = deque()
        self.sent_audio = b""
        self.taken_audio = b""
        self.said: list[ServerMessage] = []
        self.heard: list[ServerMessage] = []

    def _say(self, message: ServerMessage) -> None:
        self.to_client.append(self.server.send(message))
        self.said.append(message)

    @precondition(lambda self: self.server.state is ServerState.OPENING)
    @rule()
    def ready(self) -> None:
        self._say(Ready())

    @precondition(lambda self: self.client.state is ClientState.STREAMING)
    @rule(data=pcm)
    def audio(self, data: bytes) -> None:
        self.to_server.append(self.client.send(Audio(data)))
        self.sent_audio += data

    @precondition(lambda self: not self.client.over)
    @rule()
    def keepalive(self) -> None:
        self.to_server.append(self.client.send(Keepalive()))

    @precondition(lambda self: self.client.state is ClientState.STREAMING)
    @rule()
    def end(self) -> None:
        self.to_server.append(self.client.send(End()))

    @precondition(lambda self: self.server.state in (ServerState.READY, ServerState.ENDING))
    @rule(message=partials | finals)
    def text(self, message: Partial | Final) -> None:
        self._say(message)

    @precondition(lambda self: self.server.state is ServerState.ENDING and not self.to_server)
    @rule()
    def complete(self) -> None:
        self._say(Complete())

    @precondition(lambda self: self.to_server and self.server.state is not ServerState.CLOSED)
    @rule()
    def deliver_to_server(self) -> None:
        message = self.server.receive(self.to_server.popleft())
        if isinstance(message, Audio):
            self.taken_audio += message.payload

    @precondition(lambda self: self.to_client)
    @rule()
    def deliver_to_client(self) -> None:
        self.heard.extend(self.client.receive(self.to_client.popleft()))

    @precondition(lambda self: self.client.over)
    @rule()
    def after_the_end(self) -> None:
        with pytest.raises(ProtocolError):
            self.client.send(Keepalive())

    @invariant()
    def nothing_is_lost_or_changed(self) -> None:
        assert self.sent_audio.startswith(self.taken_audio)
        assert self.said[: len(self.heard)] == self.heard
        if self.client.state is ClientState.DONE:
            assert self.taken_audio == self.sent_audio
            assert self.heard == self.said


TestPair = Pair.TestCase
