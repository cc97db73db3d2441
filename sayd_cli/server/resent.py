"""Audio that a client sends a second time, told from audio that is new. No I/O.

A client that knows nothing of resuming may begin again, on a new connection, with audio that it
sent on the last one. Nothing in the protocol says so: there are no positions in it. So what was
taken is remembered, and the beginning of what comes is compared with the end of that.

The rule: as much as possible of the beginning of what comes, as is exactly the end of what was
taken, is a repetition; all after it is new. While it could still become one, it is held back. What
this drops wrongly is an exact repetition, sample for sample, of the last thing taken. A microphone
makes no more of those than a few samples; a muted one makes digital silence, and loses some.

PCM16 is compared by the sample. Opus is compared by the packet, so only a client that sends the
same packets again is recognised: a new encoder makes others of the same sound.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Literal

from sayd_cli.audio.codec import MESSAGE_MS
from sayd_cli.model.audio import SAMPLE_BYTES, Codec
from sayd_cli.model.session import SessionSettings

KEPT_S = 60
"""How much is remembered. Twice the time for which a stream is kept for its client, and more than
any sentence lasts; 1.9 MB of PCM16 at 16 kHz. What is resent from further back is not recognised,
and is heard again."""

_DIGEST_BYTES = 8

_NEEDLE_UNITS = 8
"""Of the beginning of what comes, so much is looked for at the speed of ``bytes.find``. Sample by
sample, 60 s would take a tenth of a second (2 ms so; at worst, in a minute of silence that ends in
a sample of another kind, 0.4 s)."""


class TakenAudio:
    """The last audio of a stream that was taken.

    Args:
        settings: The session's rate and codec.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._codec = settings.codec
        unit_s = (
            1 / settings.sample_rate_hz
            if settings.codec is Codec.PCM16
            else MESSAGE_MS[settings.codec] / 1000
        )
        self._limit_bytes = round(KEPT_S / unit_s) * _unit_bytes(settings.codec)
        self._units = bytearray()

    def add(self, payload: bytes) -> None:
        """Remember the payload of a message that was taken."""
        self._units += _units(payload, self._codec)
        # Not at every message: each time all that stays is moved.
        if len(self._units) > self._limit_bytes * 5 // 4:
            del self._units[: -self._limit_bytes]

    def clear(self) -> None:
        """Forget everything."""
        self._units.clear()

    def resent(self) -> Resent:
        """Who tells, of messages that come from now on, which have come before."""
        return Resent(bytes(self._units[-self._limit_bytes :]), self._codec)


class Resent:
    """The messages of one connection, without those that are a repetition.

    Calling order: ``push`` each payload; ``flush`` at the end of the audio. When the connection is
    lost instead, what is held back is forgotten: it is a part of what was taken already.

    Args:
        kept: What was taken, in units of the codec.
        codec: How the messages are packed.
    """

    def __init__(self, kept: bytes, codec: Codec) -> None:
        self._codec = codec
        self._repetition: Repetition | None = Repetition(kept, _unit_bytes(codec))
        # Bounded: no more is held back than was kept.
        self._held: list[bytes] = []

    def push(self, payload: bytes) -> list[bytes]:
        """The payloads that are new, now that this one came; the first may be the rest of one."""
        if self._repetition is None:
            return [payload]
        units = _units(payload, self._codec)
        if units:
            self._held.append(payload)
        repeated = self._repetition.push(units)
        return [] if repeated is None else self._new(repeated)

    def flush(self) -> list[bytes]:
        """The payloads that are new, now that no more will come.

        Who resends does so to the end: what is only a middle part of what was taken is new.
        """
        return [] if self._repetition is None else self._new(self._repetition.flush())

    def _new(self, repeated: int) -> list[bytes]:
        self._repetition = None
        held, self._held = self._held, []
        if self._codec is not Codec.PCM16:
            return held[repeated:]
        new = []
        skip_bytes = repeated * SAMPLE_BYTES
        for payload in held:
            if skip_bytes < len(payload):
                new.append(payload[skip_bytes:])
            skip_bytes = max(0, skip_bytes - len(payload))
        return new


class Repetition:
    """How many units of the beginning of what comes are the last units of what was kept.

    The largest such number, found in one pass over both (Knuth, Morris and Pratt's search for a
    text that is still growing), whatever they are.

    Args:
        kept: Whole units.
        unit_bytes: Length of one: 2 or 8.
    """

    def __init__(self, kept: bytes, unit_bytes: int) -> None:
        self._bytes = kept
        self._unit_bytes = unit_bytes
        code: Literal["H", "Q"] = "H" if unit_bytes == SAMPLE_BYTES else "Q"
        self._kept = memoryview(kept).cast(code)
        self._came = array(code)
        self._at = 0
        """Units of ``kept`` that are looked at; the last ``matched`` of them begin what comes."""
        self._matched = 0
        self._borders = array("L", [0])
        """What ``_border`` found, by length less 1."""

    def push(self, units: bytes) -> int | None:
        """The number, or None while more must come to know it."""
        self._came.frombytes(units)
        return self._search(ended=False)

    def flush(self) -> int:
        """The number, when nothing more comes."""
        repeated = self._search(ended=True)
        assert repeated is not None
        return repeated

    def _search(self, *, ended: bool) -> int | None:
        kept, came = self._kept, self._came
        at, matched, length, came_length = self._at, self._matched, len(kept), len(came)
        if ended and not came_length:
            return 0
        while at < length:
            if matched < came_length and kept[at] == came[matched]:
                at += 1
                matched += 1
            elif matched == came_length and not ended:
                # All that came was met here, before the end of what was kept.
                self._at, self._matched = at, matched
                return None
            elif matched:
                matched = self._border(matched)
            else:
                at = self._next_start(at + 1)
        self._at, self._matched = at, matched
        return matched

    def _border(self, length: int) -> int:
        """The longest shorter beginning with which the beginning of that length ends."""
        came, borders = self._came, self._borders
        while len(borders) < length:
            unit, border = came[len(borders)], borders[-1]
            while border and unit != came[border]:
                border = borders[border - 1]
            borders.append(border + (unit == came[border]))
        return borders[length - 1]

    def _next_start(self, at: int) -> int:
        """The next unit from ``at`` on where what came may begin."""
        size = self._unit_bytes
        needle = self._came[:_NEEDLE_UNITS]
        pattern = needle.tobytes()
        found = self._bytes.find(pattern, at * size)
        while found % size and found >= 0:
            found = self._bytes.find(pattern, found + 1)
        # Behind the last place where all of it fits, a part of it may be the end.
        return found // size if found >= 0 else max(at, len(self._kept) - len(needle) + 1)


def _unit_bytes(codec: Codec) -> int:
    return SAMPLE_BYTES if codec is Codec.PCM16 else _DIGEST_BYTES


def _units(payload: bytes, codec: Codec) -> bytes:
    if codec is Codec.PCM16:
        return payload
    return blake2b(payload, digest_size=_DIGEST_BYTES).digest()
