"""The server's side of a stream: what may be said when, without I/O.

The mirror of ``client``: what arrives goes into ``receive``, what is to be said into ``send``. One
table of transitions; any other raises and changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto

from sayd_cli.errors import ProtocolError
from sayd_cli.model.audio import SAMPLE_BYTES, Codec
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


class ServerState(Enum):
    """Where a server's stream stands."""

    OPENING = auto()
    """The client is connected; ``ready`` is not said."""
    REOPENING = auto()
    """The same, of a client that said ``end`` on a connection before this one."""
    READY = auto()
    """Audio is taken."""
    ENDING = auto()
    """The client said ``end``; audio in flight is still taken."""
    CLOSED = auto()
    """``complete`` or ``error`` is said."""


_S = ServerState
_TRANSITIONS: dict[tuple[ServerState, type[ClientMessage | ServerMessage]], ServerState] = {
    (_S.OPENING, Ready): _S.READY,
    (_S.OPENING, Keepalive): _S.OPENING,
    (_S.OPENING, Fault): _S.CLOSED,
    (_S.REOPENING, Ready): _S.ENDING,
    (_S.REOPENING, Keepalive): _S.REOPENING,
    (_S.REOPENING, Fault): _S.CLOSED,
    (_S.READY, Audio): _S.READY,
    (_S.READY, Keepalive): _S.READY,
    (_S.READY, Partial): _S.READY,
    (_S.READY, Final): _S.READY,
    (_S.READY, End): _S.ENDING,
    (_S.READY, Fault): _S.CLOSED,
    (_S.ENDING, Audio): _S.ENDING,
    (_S.ENDING, Keepalive): _S.ENDING,
    # Said twice, it means no more than once.
    (_S.ENDING, End): _S.ENDING,
    (_S.ENDING, Partial): _S.ENDING,
    (_S.ENDING, Final): _S.ENDING,
    (_S.ENDING, Complete): _S.CLOSED,
    (_S.ENDING, Fault): _S.CLOSED,
}


class ServerStream:
    """One stream, from the server's side.

    Calling order: ``send(Ready())`` once audio can be taken; ``receive`` what comes, ``send`` what
    is heard; after ``End`` was received and all is transcribed, ``send(Complete())``.
    ``send(Fault(...))`` ends it at any time.

    A client that does not wait for ``ready`` is not heard until it is said: the server reads
    nothing before, and what was sent waits in the connection.

    Args:
        codec: How the audio is packed; a message that cannot be of this codec is refused.
        ended: The client has said ``end`` before, and was lost before ``complete``: then
            ``complete`` may follow on ``ready``.
    """

    def __init__(self, codec: Codec = Codec.PCM16, *, ended: bool = False) -> None:
        self._codec = codec
        self._state = ServerState.REOPENING if ended else ServerState.OPENING

    @property
    def state(self) -> ServerState:
        """Where the stream stands."""
        return self._state

    def receive(self, data: bytes | str) -> ClientMessage:
        """The message that the client sent.

        Raises:
            ProtocolError: It is not a client's message, is out of order, or holds half a sample.
        """
        message = wire.decode_client(data)
        if (
            isinstance(message, Audio)
            and self._codec is Codec.PCM16
            and len(message.payload) % SAMPLE_BYTES
        ):
            raise ProtocolError(
                f"a pcm16 message of {len(message.payload)} bytes ends inside a sample"
            )
        self._state = self._after(message)
        return message

    def send(self, message: ServerMessage) -> str:
        """The wire form of a message, if it may be sent now.

        Raises:
            ProtocolError: It may not: text before ``ready``, ``complete`` before ``end``.
        """
        if isinstance(message, Unknown):
            raise ProtocolError("a server says only what it knows")
        self._state = self._after(message)
        return wire.encode_server(message)

    def _after(self, message: ClientMessage | ServerMessage) -> ServerState:
        try:
            return _TRANSITIONS[self._state, type(message)]
        except KeyError:
            raise ProtocolError(
                f"{type(message).__name__.lower()} is out of order while {self._state.name.lower()}"
            ) from None
