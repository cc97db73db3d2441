"""The way of the audio: from the source, over pauses and gaps, to the service.

Owns what is sent and when, and where in the captured audio each sample of the stream belongs.
Knows nothing of what is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from sayd_cli.audio.codec import Packer, Packet
from sayd_cli.audio.health import SignalHealth
from sayd_cli.audio.level import peak_dbfs, rms_dbfs
from sayd_cli.errors import InputError, StorageError
from sayd_cli.listening.clock import Clock
from sayd_cli.listening.conversation import Conversation
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Sink, Source, Tape
from sayd_cli.listening.rules import Pace, Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.listening.timeline import Timeline
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, GapReason, Interruption
from sayd_cli.model.events import Audio
from sayd_cli.model.report import EndReason, Gap, Notice, Phase, Progress
from sayd_cli.model.session import SessionSettings

_SILENCE_AT_GAP_S = 1.0
"""Put in where the audio breaks off: a service ends a sentence at a pause, and would otherwise
hold the last words until the audio goes on, and then run them into the next ones."""


class Sending:
    """Sends what a source gives.

    Calling order: ``run`` once.

    Args:
        source: Where audio comes from; already open.
        settings: The session's rate and codec.
        rules: How fast, and how much.
        stop: Asked when a rule says so.
        pause: While it is on, nothing is sent.
        clock: Time.
        sink: Who is told of progress and gaps.
        tape: Takes all that is sent; None for nobody.
    """

    def __init__(
        self,
        source: Source,
        *,
        settings: SessionSettings,
        rules: Rules,
        stop: StopSignal,
        pause: PauseSwitch,
        clock: Clock,
        sink: Sink,
        tape: Tape | None = None,
    ) -> None:
        self.timeline = Timeline(settings.sample_rate_hz)
        self.failure: InputError | None = None
        """Why the source ended, if it was not its end."""
        self._source = source
        self._settings = settings
        self._rules = rules
        self._stop = stop
        self._pause = pause
        self._clock = clock
        self._sink = sink
        self._tape = tape
        self._packer = Packer(settings)
        self._health = SignalHealth(settings.sample_rate_hz)
        self._phase = Phase.STARTING
        self._captured_samples = 0
        self._broken_off: GapReason | None = None
        """Why nothing is sent since ``_captured_samples``; None while audio goes on."""
        self._began_s = 0.0

    @property
    def captured_s(self) -> float:
        """Where the captured audio ends, in seconds from its first sample."""
        return self._captured_samples / self._settings.sample_rate_hz

    async def run(self, conversation: Conversation) -> None:
        """Send until the source ends, then say that it has."""
        await conversation.ready.wait()
        self.enter(Phase.LISTENING)
        self._began_s = self._clock.now_s()
        try:
            async for captured in self._source.frames():
                if isinstance(captured, Interruption):
                    await self._break_off(conversation, captured.reason)
                    self._sink.take(Notice(captured.message))
                elif not self._pause.paused:
                    await self._send_frame(conversation, captured)
                elif self._source.live:
                    await self._break_off(conversation, GapReason.PAUSE)
                else:
                    await self._hold()
                    await self._send_frame(conversation, captured)
        except InputError as exc:
            # What was captured before is still transcribed; the run ends with this after it.
            self.failure = exc
        await self._send_packets(conversation, self._packer.flush())
        self.enter(Phase.FINISHING)
        await conversation.end()

    def enter(self, phase: Phase) -> None:
        """Report the phase that begins."""
        self._phase = phase
        self._report_progress(None)

    async def _send_frame(self, conversation: Conversation, captured: Frame) -> None:
        frame = self._within_duration(captured)
        if not frame.pcm:
            return
        if self._broken_off is not None:
            self._go_on(frame, self._broken_off)
        self._captured_samples = frame.end_sample
        self._keep(frame.pcm)
        if self._source.live:
            for finding in self._health.push(frame.pcm):
                self._sink.take(Notice(finding.text))
        await self._send_packets(conversation, self._packer.push(frame))
        self._report_progress(frame)

    async def _send_packets(self, conversation: Conversation, packets: list[Packet]) -> None:
        for packet in packets:
            await self._keep_pace(packet)
            # Before it is sent: what is heard of it may come while the sending still waits.
            self.timeline.sent(packet.start_sample, packet.end_sample)
            if packet.padding_samples:
                self.timeline.padded(packet.padding_samples)
            await conversation.send(Audio(packet.payload))

    async def _break_off(self, conversation: Conversation, reason: GapReason) -> None:
        """Send what is left, and enough silence for the last words to be heard."""
        if self._broken_off is not None:
            return
        self._broken_off = reason
        await self._send_packets(conversation, self._packer.flush())
        rate_hz = self._settings.sample_rate_hz
        silence = bytes(round(_SILENCE_AT_GAP_S * rate_hz) * SAMPLE_BYTES)
        self._keep(silence)
        packets = self._packer.push(Frame(silence, self._captured_samples, rate_hz))
        for packet in [*packets, *self._packer.flush()]:
            self.timeline.padded(packet.end_sample - packet.start_sample + packet.padding_samples)
            await conversation.send(Audio(packet.payload))
        self.enter(Phase.PAUSED if reason is GapReason.PAUSE else Phase.WAITING)

    def _go_on(self, frame: Frame, reason: GapReason) -> None:
        self._broken_off = None
        self._health.reset()
        if frame.start_sample > self._captured_samples:
            self._sink.take(Gap(self.captured_s, frame.start_s, reason))
        self.enter(Phase.LISTENING)

    async def _hold(self) -> None:
        """Wait until a pause is over; a source that is not live waits with us."""
        self.enter(Phase.PAUSED)
        paused_at_s = self._clock.now_s()
        await self._first_of(self._pause.over(), self._stop.wait())
        self._began_s += self._clock.now_s() - paused_at_s
        self.enter(Phase.LISTENING)

    def _keep(self, pcm: bytes) -> None:
        if self._tape is None:
            return
        try:
            self._tape.write(pcm)
        except StorageError as exc:
            self._tape = None
            self._sink.take(Notice(exc.message))

    def _within_duration(self, frame: Frame) -> Frame:
        """The part of a frame that the ``duration_s`` rule lets through."""
        if self._rules.duration_s is None:
            return frame
        limit_samples = round(self._rules.duration_s * frame.sample_rate_hz)
        if frame.end_sample < limit_samples:
            return frame
        self._stop.request(EndReason.DURATION)
        wanted_bytes = max(0, limit_samples - frame.start_sample) * SAMPLE_BYTES
        return Frame(frame.pcm[:wanted_bytes], frame.start_sample, frame.sample_rate_hz)

    async def _keep_pace(self, packet: Packet) -> None:
        """Wait until a live source would have had the packet, unless asked to stop."""
        if self._source.live or self._rules.pace is Pace.MAX or self._stop.reason is not None:
            return
        due_s = self._began_s + packet.end_sample / self._settings.sample_rate_hz
        wait_s = due_s - self._clock.now_s()
        if wait_s > 0:
            await self._first_of(self._clock.sleep(wait_s), self._stop.wait())

    async def _first_of(self, *waits: Awaitable[None]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _report_progress(self, frame: Frame | None) -> None:
        self._sink.take(
            Progress(
                self._phase,
                self.captured_s,
                self.timeline.captured_until_s,
                None if frame is None else rms_dbfs(frame.pcm),
                None if frame is None else peak_dbfs(frame.pcm),
                self._health.warning if self._source.live else None,
            )
        )
