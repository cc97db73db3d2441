"""The client's side of a stream: what may be said when, without I/O.

Bytes from the connection go into ``receive``; messages to send come out of ``send`` in their wire
form. Which transitions exist is one table; any other raises and changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto

from sayd_cli.errors import ProtocolError
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


class ClientState(Enum):
    """Where a client's stream stands."""

    CONNECTED = auto()
    """Connected; the server has not said ``ready``."""
    STREAMING = auto()
    """Audio may be sent."""
    ENDING = auto()
    """``end`` is sent; the rest of the text is coming."""
    DONE = auto()
    """``complete`` came."""
    FAILED = auto()
    """The server said ``error``."""


_S = ClientState
_TRANSITIONS: dict[tuple[ClientState, type[ClientMessage | ServerMessage]], ClientState] = {
    (_S.CONNECTED, Ready): _S.STREAMING,
    # Text before ``ready`` is odd but harmless, and losing it would not be.
    (_S.CONNECTED, Partial): _S.CONNECTED,
    (_S.CONNECTED, Final): _S.CONNECTED,
    (_S.CONNECTED, Keepalive): _S.CONNECTED,
    (_S.STREAMING, Ready): _S.STREAMING,
    (_S.STREAMING, Audio): _S.STREAMING,
    (_S.STREAMING, Keepalive): _S.STREAMING,
    (_S.STREAMING, Partial): _S.STREAMING,
    (_S.STREAMING, Final): _S.STREAMING,
    (_S.STREAMING, End): _S.ENDING,
    # A service may end a stream by itself, at a limit of its own.
    (_S.STREAMING, Complete): _S.DONE,
    (_S.ENDING, Ready): _S.ENDING,
    (_S.ENDING, Keepalive): _S.ENDING,
    (_S.ENDING, Partial): _S.ENDING,
    (_S.ENDING, Final): _S.ENDING,
    (_S.ENDING, Complete): _S.DONE,
    (_S.CONNECTED, Fault): _S.FAILED,
    (_S.STREAMING, Fault): _S.FAILED,
    (_S.ENDING, Fault): _S.FAILED,
}


class ClientStream:
    """One stream, from the client's side.

    Calling order: ``receive`` what the connection gives; once ``state`` is STREAMING, ``send``
    audio; ``send(End())`` once; ``receive`` until ``state`` is DONE or FAILED.
    """

    def __init__(self) -> None:
        self._state = ClientState.CONNECTED

    @property
    def state(self) -> ClientState:
        """Where the stream stands."""
        return self._state

    @property
    def over(self) -> bool:
        """True when no more messages are to come."""
        return self._state in (ClientState.DONE, ClientState.FAILED)

    def send(self, message: ClientMessage) -> bytes | str:
        """The wire form of a message, if it may be sent now.

        Raises:
            ProtocolError: It may not: audio before ``ready``, or anything after ``end``.
        """
        self._state = self._after(self._state, message)
        return wire.encode_client(message)

    def receive(self, data: bytes | str) -> tuple[ServerMessage, ...]:
        """The messages in one WebSocket message of the server.

        Raises:
            ProtocolError: It is not JSON, or comes after the end of the stream.
        """
        messages = wire.decode_server(data)
        state = self._state
        for message in messages:
            state = self._after(state, message)
        self._state = state
        return messages

    @staticmethod
    def _after(state: ClientState, message: ClientMessage | ServerMessage) -> ClientState:
        if isinstance(message, Unknown):
            return state
        try:
            return _TRANSITIONS[state, type(message)]
        except KeyError:
            raise ProtocolError(
                f"{type(message).__name__.lower()} is out of order while {state.name.lower()}"
            ) from None
