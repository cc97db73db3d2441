"""The second half of the way of the audio: from the backlog to one session of the service.

Owns what is sent, and where in the captured audio each sample of the session's stream belongs.
Knows nothing of sources, and of what is heard.
"""

from __future__ import annotations

from sayd_cli.audio.codec import Packer, Packet
from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.clock import Clock
from sayd_cli.listening.conversation import Conversation
from sayd_cli.listening.intake import SILENCE_AT_GAP_S
from sayd_cli.listening.patience import Patience
from sayd_cli.listening.ports import Sink
from sayd_cli.listening.timeline import Timeline
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, GapReason
from sayd_cli.model.events import Audio
from sayd_cli.model.report import Gap
from sayd_cli.model.session import SessionSettings

_READ_S = 1.0
"""How much audio is taken from the backlog at once."""

_SLOWEST_HEARING = 1.5
"""How much faster than it was spoken audio is heard, at the least, by a service that is sent some
of it again: one that is no faster never comes back to the present."""


class Feeding:
    """Sends the backlog to a session, over as many connections as it takes.

    Calling order: ``run`` for each connection, after the conversation on it is ready; before it,
    on a connection that continues the stream, ``continue_at``.

    Args:
        backlog: The audio.
        from_sample: Where to begin.
        settings: The session's rate and codec.
        patience: Is renewed by every message that the service takes.
        clock: Time.
        sink: Who is told of audio that is not there any more.
    """

    def __init__(
        self,
        backlog: Backlog,
        from_sample: int,
        *,
        settings: SessionSettings,
        patience: Patience,
        clock: Clock,
        sink: Sink,
    ) -> None:
        self.timeline = Timeline(settings.sample_rate_hz, from_sample)
        self._backlog = backlog
        self._position = from_sample
        self._settings = settings
        self._patience = patience
        self._clock = clock
        self._sink = sink
        self._hears = False
        """The service has said something of this stream."""
        self._heard_s = 0.0
        self._heard_at_s = clock.now_s()
        self._packer = Packer(settings)
        self._padded = True
        """Nothing is to be kept apart from what follows: silence was sent, or nothing at all."""

    @property
    def position(self) -> int:
        """The captured sample that is sent next."""
        return self._position

    def heard_s(self) -> float:
        """How much of the stream has been heard by now, in seconds, also by a slow service.

        Nothing before it says something: one that has just been started may take audio for a while
        before it hears any.
        """
        now_s = self._clock.now_s()
        if not self._hears:
            self._heard_at_s = now_s
        sent_s = self.timeline.stream_samples / self._settings.sample_rate_hz
        self._heard_s += _SLOWEST_HEARING * (now_s - self._heard_at_s)
        self._heard_s = min(sent_s, self._heard_s)
        self._heard_at_s = now_s
        return self._heard_s

    def said(self) -> None:
        """The service says something of the stream, so it hears."""
        self.heard_s()
        self._hears = True

    def continue_at(self, stream_sample: int) -> None:
        """Go on where the service has the stream up to.

        Args:
            stream_sample: How many samples of the stream it has; no more than were sent.
        """
        self._position = self.timeline.cut(stream_sample)
        self._packer = Packer(self._settings)
        # Silence that was sent may have been lost. A little more of it costs nothing.
        self._padded = stream_sample == 0

    async def run(self, conversation: Conversation) -> None:
        """Send until the backlog ends."""
        limit_samples = round(_READ_S * self._settings.sample_rate_hz)
        self._backlog.sent(self._position)
        if self._position > 0 and not self.timeline.stream_samples:
            # An engine hears a first word after silence better than one out of nothing: of seven
            # beginnings in the midst of a recording, ours heard three better so, and none worse.
            await self._send_silence(conversation)
        while True:
            frame = self._backlog.read(self._position, limit_samples)
            if frame is not None:
                await self._send_frame(conversation, frame)
            elif self._backlog.broken_off and not self._padded:
                await self._send_silence(conversation)
            elif self._backlog.ended:
                break
            else:
                await self._backlog.changed()
        await self._send_packets(conversation, self._packer.flush())

    async def _send_frame(self, conversation: Conversation, frame: Frame) -> None:
        if frame.start_sample > self._position:
            lost = self._backlog.take_lost(self._position, frame.start_sample)
            if lost is not None:
                start_s, end_s = (sample / self._settings.sample_rate_hz for sample in lost)
                self._sink.take(Gap(start_s, end_s, GapReason.STORAGE))
            if not self._padded:
                await self._send_silence(conversation)
        self._padded = False
        await self._send_packets(conversation, self._packer.push(frame))
        self._position = frame.end_sample
        self._backlog.sent(self._position)

    async def _send_packets(self, conversation: Conversation, packets: list[Packet]) -> None:
        self.heard_s()
        for packet in packets:
            # Before it is sent: what is heard of it may come while the sending still waits.
            self.timeline.sent(packet.start_sample, packet.end_sample)
            if packet.padding_samples:
                self.timeline.padded(packet.padding_samples)
            await self._send(conversation, packet)

    async def _send_silence(self, conversation: Conversation) -> None:
        """Send what is left, and enough silence for the last words to be heard."""
        await self._send_packets(conversation, self._packer.flush())
        self._padded = True
        rate_hz = self._settings.sample_rate_hz
        silence = bytes(round(SILENCE_AT_GAP_S * rate_hz) * SAMPLE_BYTES)
        packets = self._packer.push(Frame(silence, self._position, rate_hz))
        for packet in [*packets, *self._packer.flush()]:
            self.timeline.padded(packet.end_sample - packet.start_sample + packet.padding_samples)
            await self._send(conversation, packet)

    async def _send(self, conversation: Conversation, packet: Packet) -> None:
        await conversation.send(Audio(packet.payload))
        self._patience.renew()
