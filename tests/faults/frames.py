"""A stream of bytes to WebSocket frames, RFC 6455 section 5.2; no I/O.

Owns the boundaries of frames. Does not judge them: what the bytes say is passed on as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

TEXT = 1
CLOSE = 8
"""Opcodes from here on are control frames."""


@dataclass(frozen=True, slots=True)
class WireFrame:
    """One frame.

    Attributes:
        raw: The frame as it was sent, header and all.
        opcode: What it is: 0 goes on with a message, 1 is text, 2 binary, 8 and more control.
        payload: What it carries; as sent, so a masked one is not readable.
        is_message: It is a whole message, not compressed and not masked.
    """

    raw: bytes
    opcode: int
    payload: bytes
    is_message: bool

    @property
    def is_control(self) -> bool:
        """Close, ping or pong."""
        return self.opcode >= CLOSE

    @property
    def kind(self) -> str | None:
        """The ``type`` of a readable JSON text message; None of anything else."""
        if self.opcode != TEXT or not self.is_message:
            return None
        try:
            kind = json.loads(self.payload)["type"]
        except (ValueError, LookupError, TypeError):
            return None
        return kind if isinstance(kind, str) else None


def text_frame(text: str) -> WireFrame:
    """A whole text message, as a server sends it."""
    payload = text.encode()
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return WireFrame(b"\x81" + length + payload, TEXT, payload, True)


class Splitter:
    """Cuts one direction of a connection, after its handshake, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """What came of a frame that is not whole yet."""
        return bytes(self._buffer)

    def take(self, data: bytes) -> list[WireFrame]:
        """The frames that are whole with these bytes and were not before."""
        self._buffer += data
        frames: list[WireFrame] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> WireFrame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        masked, length = buffer[1] & 0x80, buffer[1] & 0x7F
        start = 2
        if length >= 126:
            start += 2 if length == 126 else 8
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start], "big")
        start += 4 if masked else 0
        if len(buffer) < start + length:
            return None
        raw = bytes(buffer[: start + length])
        del buffer[: start + length]
        whole = raw[0] & 0xF0 == 0x80 and not masked
        return WireFrame(raw, raw[0] & 0x0F, raw[start:], whole)
