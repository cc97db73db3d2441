"""From one audio message to PCM16: the one place that knows which codecs the server takes."""

from __future__ import annotations

from collections.abc import Callable

from sayd_cli.audio.codec import MESSAGE_MS
from sayd_cli.audio.opus import OpusDecoder
from sayd_cli.errors import UsageError
from sayd_cli.model.audio import Codec
from sayd_cli.model.session import SessionSettings

Unpack = Callable[[bytes], bytes]
"""One message's payload to PCM16, little-endian, mono; one for each stream, since it may have
state. ``protocol.server`` has checked that a pcm16 message is whole samples; an Opus packet that is
damaged gives as many samples as any other."""


def unpacker(settings: SessionSettings) -> Unpack:
    """How the audio messages of a session are unpacked.

    Raises:
        UsageError: The server does not take this codec.
    """
    if settings.codec is Codec.PCM16:
        return bytes
    try:
        return OpusDecoder(settings.sample_rate_hz, MESSAGE_MS[settings.codec]).decode
    except UsageError as exc:
        raise UsageError(
            f"this server does not take codec {settings.codec.value}", "use pcm16"
        ) from exc
