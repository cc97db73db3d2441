"""Audio into messages, packed by the session's codec. Knows no clock, and not who sends them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sayd_cli.audio.framing import Framer
from sayd_cli.audio.opus import OpusEncoder, check_available
from sayd_cli.model.audio import FRAME_MS, SAMPLE_BYTES, Codec, Frame
from sayd_cli.model.session import SessionSettings

MESSAGE_MS = {Codec.PCM16: FRAME_MS, Codec.OPUS: 10, Codec.OPUS_FS320: 20}
"""How much audio is in one message of each codec."""


def check_codec(codec: Codec) -> None:
    """Whether the codec can be used on this machine.

    Raises:
        UsageError: It cannot.
    """
    if codec is not Codec.PCM16:
        check_available()


@dataclass(frozen=True, slots=True)
class Packet:
    """One message.

    Attributes:
        payload: Its bytes.
        start_sample: Position of its first captured sample.
        end_sample: Position of the first captured sample after those in it.
        padding_samples: Silence after them that was never captured, and that the service counts.
    """

    payload: bytes
    start_sample: int
    end_sample: int
    padding_samples: int


class Packer:
    """Cuts audio into messages and packs them; where it was cut before does not matter.

    Opus packets are of one length, and the encoder looks ahead by 6.5 ms. So ``flush`` fills up
    with silence until the last sample is out. A service that does not skip the 6.5 ms at the start,
    as ours does, gives times that are so much too late. PCM16 is sent as it is.

    Calling order: ``push`` any number of times, then ``flush``; after it more audio may follow,
    from any later sample on, such as after a gap.

    Args:
        settings: The session's rate and codec.

    Raises:
        UsageError: The codec cannot be used on this machine.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._opus: OpusEncoder | None = None
        if settings.codec is not Codec.PCM16:
            self._opus = OpusEncoder(settings.sample_rate_hz, MESSAGE_MS[settings.codec])
        self._framer = self._new_framer()
        self._end_sample: int | None = None
        """The end of what was pushed since the last ``flush``; None when nothing was."""

    def push(self, frame: Frame) -> list[Packet]:
        """Take audio, and give the messages that are whole now; often none.

        Args:
            frame: What follows on the last one; the first one, and the first after ``flush``, may
                begin anywhere.

        Raises:
            ValueError: A frame of another rate or place, or half a sample.
        """
        whole = self._framer.push(frame)
        self._end_sample = frame.end_sample
        return [self._packed(message, frame.end_sample) for message in whole]

    def flush(self) -> list[Packet]:
        """The messages with all that is left; none when nothing was pushed since the last time."""
        end_sample, self._end_sample = self._end_sample, None
        if end_sample is None:
            return []
        framer, self._framer = self._framer, self._new_framer()
        if self._opus is not None:
            return self._filled_up(framer, self._opus, end_sample)
        rest = framer.flush()
        return [] if rest is None else [self._packed(rest, end_sample)]

    def _filled_up(self, framer: Framer, opus: OpusEncoder, end_sample: int) -> list[Packet]:
        """What is left and what the encoder holds back, with silence up to whole packets."""
        packet_bytes = opus.packet_samples * SAMPLE_BYTES
        frames = framer.push(bytes(opus.look_ahead_samples * SAMPLE_BYTES))
        rest = framer.flush()
        if rest is not None:
            frames.append(replace(rest, pcm=rest.pcm.ljust(packet_bytes, b"\0")))
        return [self._packed(frame, end_sample) for frame in frames]

    def _packed(self, frame: Frame, captured_until: int) -> Packet:
        payload = frame.pcm if self._opus is None else self._opus.encode(frame.pcm)
        start_sample = min(frame.start_sample, captured_until)
        end_sample = min(frame.end_sample, captured_until)
        return Packet(
            payload, start_sample, end_sample, frame.length_samples - (end_sample - start_sample)
        )

    def _new_framer(self) -> Framer:
        return Framer(self._settings.sample_rate_hz, MESSAGE_MS[self._settings.codec])
