"""Raw Opus packets of one length, mono, to and from PCM16 (RFC 6716).

Owns what we ask of the Opus library, which is loaded with the first coder and used nowhere else,
and what becomes of a packet that is damaged. Knows nothing of messages.
"""

from __future__ import annotations

import logging
from types import ModuleType

from sayd_cli.errors import UsageError
from sayd_cli.model.audio import SAMPLE_BYTES

_log = logging.getLogger(__name__)

BIT_RATE = 24_000
"""Bits a second, at either sample rate; every second of PCM16 at 16 kHz has 256,000."""

PRE_SKIP_MS = 6.5
"""What the library's encoder is late by, unless it is told to trade quality for less (2.5 ms). An
Ogg file says how much is to be skipped at its start; raw packets do not."""


def check_available() -> None:
    """Load the Opus library, if it is not loaded yet; takes 60 ms.

    Raises:
        UsageError: It is not on this machine, or cannot be loaded.
    """
    _library()


class OpusEncoder:
    """PCM16 to packets. What goes in comes out of a decoder ``look_ahead_samples`` later.

    Every packet has the same size: the limit holds for any second of any audio, and the size of a
    packet says nothing about what is said in it (RFC 6562).

    Args:
        sample_rate_hz: 8000 or 16000.
        packet_ms: Length of a packet in milliseconds.

    Raises:
        UsageError: The Opus library is not on this machine.
    """

    def __init__(self, sample_rate_hz: int, packet_ms: int) -> None:
        self.packet_samples = sample_rate_hz * packet_ms // 1000
        self._encoder = _library().Encoder(sample_rate_hz, 1, "voip")
        self._encoder.bitrate = BIT_RATE
        self._encoder.vbr = 0
        self.look_ahead_samples = int(self._encoder.lookahead)

    def encode(self, pcm: bytes) -> bytes:
        """The next packet.

        Args:
            pcm: The samples of one packet, neither more nor fewer.

        Raises:
            ValueError: Another number of samples.
        """
        if len(pcm) != self.packet_samples * SAMPLE_BYTES:
            # The library would read beyond the end of what is too short.
            raise ValueError(f"{len(pcm)} bytes are not {self.packet_samples} samples")
        return bytes(self._encoder.encode(pcm, self.packet_samples))


class OpusDecoder:
    """Packets to PCM16. The first gives ``PRE_SKIP_MS`` less than its length, so that each sample
    is where it was captured; every other gives its length.

    A packet that cannot be decoded, or is of another length, is concealed: the decoder carries on
    with what it heard before, and fades. So it costs itself only, and the clock of those that
    follow is right.

    Args:
        sample_rate_hz: 8000 or 16000.
        packet_ms: Length of a packet in milliseconds.

    Raises:
        UsageError: The Opus library is not on this machine.
    """

    def __init__(self, sample_rate_hz: int, packet_ms: int) -> None:
        self.concealed_packets = 0
        self._library = _library()
        self._packet_samples = sample_rate_hz * packet_ms // 1000
        self._decoder = self._library.Decoder(sample_rate_hz, 1)
        self._skip_samples = round(sample_rate_hz * PRE_SKIP_MS / 1000)

    def decode(self, packet: bytes) -> bytes:
        """The samples of a packet; of any bytes whatever, an empty packet too."""
        skip_bytes, self._skip_samples = self._skip_samples * SAMPLE_BYTES, 0
        return self._decoded(packet)[skip_bytes:]

    def _decoded(self, packet: bytes) -> bytes:
        try:
            pcm = bytes(self._decoder.decode(packet, self._packet_samples))
            reason = "it is not of this length"
        except self._library.OpusError as exc:
            pcm, reason = b"", str(exc)
        if packet and len(pcm) == self._packet_samples * SAMPLE_BYTES:
            return pcm
        return self._conceal(packet, reason)

    def _conceal(self, packet: bytes, reason: str) -> bytes:
        self.concealed_packets += 1
        _log.debug(
            "an Opus packet of %d bytes is concealed, the %d. so far: %s",
            len(packet),
            self.concealed_packets,
            reason,
        )
        return bytes(self._decoder.decode(b"", self._packet_samples))


def _library() -> ModuleType:
    try:
        import opuslib_next
    except (ImportError, OSError, RuntimeError) as exc:
        # A package that is missing, a library that is not for this machine, one that is missing.
        raise UsageError("the opus codec is not available here", "use --codec pcm16") from exc
    library: ModuleType = opuslib_next
    return library
