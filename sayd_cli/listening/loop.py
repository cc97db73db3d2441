"""The loop: audio from a source to a service, and what the service hears to a sink.

Owns the order of things: the source opens first and captures from then on; the session is created
while it does; everything captured is sent; at the end the last words are waited for. Knows no
library and no edge, only its ports.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from sayd_cli.audio.codec import Packer, Packet
from sayd_cli.audio.level import rms_dbfs
from sayd_cli.errors import DeviceError, InputError, SaydError
from sayd_cli.listening.clock import Clock, SystemClock
from sayd_cli.listening.conversation import Conversation
from sayd_cli.listening.ports import Backend, Sink, Source
from sayd_cli.listening.rules import Pace, Rules
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, Interruption
from sayd_cli.model.events import Audio, Final, Partial
from sayd_cli.model.report import Ended, EndReason, Heard, Notice, Phase, Progress, Started
from sayd_cli.model.session import SessionSettings
from sayd_cli.transcript.assembly import Assembly

_log = logging.getLogger(__name__)


class Listening:
    """One run, from the first sample to the last word.

    Calling order: ``run`` once. ``stop.request`` at any time, from the same event loop.

    Args:
        source: Where audio comes from; entered and left by ``run``.
        backend: Gives the service when entered; entered after the source, left before it.
        settings: What to ask of the session.
        rules: How the run goes.
        sink: Who is told.
        stop: Ends the run when somebody asks.
        clock: Time.
    """

    def __init__(
        self,
        source: Source,
        backend: AbstractAsyncContextManager[Backend],
        *,
        settings: SessionSettings,
        rules: Rules,
        sink: Sink,
        stop: StopSignal,
        clock: Clock | None = None,
    ) -> None:
        self._source = source
        self._backend = backend
        self._settings = settings
        self._rules = rules
        self._sink = sink
        self._stop = stop
        self._clock = clock or SystemClock()
        self._assembly = Assembly()
        self._phase = Phase.STARTING
        self._captured_samples = 0
        self._sent_samples = 0
        self._source_failure: InputError | None = None

    async def run(self) -> Ended:
        """Listen until the source ends, a rule says so, or ``stop`` is requested.

        Returns:
            How it ended; the sink was told the same.

        Raises:
            SaydError: Whatever ended it before its time. The sink was told what was heard, the
                interim text that was never confirmed, and that it ended.
        """
        try:
            async with self._source:
                opened_at = self._clock.utc_now()
                _log.info("listening begins")
                self._report_progress()
                stopper = asyncio.create_task(self._stop_source_when_asked())
                try:
                    await self._use_service(opened_at)
                finally:
                    stopper.cancel()
            if self._source_failure is not None:
                raise self._source_failure
        except SaydError as exc:
            self._report_unconfirmed()
            self._finish(EndReason.DEVICE if isinstance(exc, DeviceError) else EndReason.ERROR)
            raise
        return self._finish(self._stop.reason or EndReason.EOF)

    async def _stop_source_when_asked(self) -> None:
        await self._stop.wait()
        _log.info("asked to stop: %s", self._stop.reason)
        self._source.stop()

    async def _use_service(self, opened_at: datetime) -> None:
        async with self._backend as backend:
            session = await backend.create_session(self._settings)
            self._sink.take(
                Started(
                    session_id=session.session_id,
                    backend=backend.name,
                    language=session.language,
                    sample_rate_hz=self._settings.sample_rate_hz,
                    codec=self._settings.codec,
                    started_at=opened_at,
                )
            )
            async with backend.open_stream(session) as stream:
                await self._converse(Conversation(stream, self._rules, self._clock))

    async def _converse(self, conversation: Conversation) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._send_source(conversation))
                keeper = tasks.create_task(conversation.keep_alive())
                await conversation.read(self._take)
                sender.cancel()
                keeper.cancel()
        except BaseExceptionGroup as failures:
            # The first failure is the cause; any other follows from it.
            raise failures.exceptions[0] from None

    async def _send_source(self, conversation: Conversation) -> None:
        await conversation.ready.wait()
        self._enter(Phase.LISTENING)
        packer = Packer(self._settings)
        began_s = self._clock.now_s()
        try:
            async for captured in self._source.frames():
                if isinstance(captured, Interruption):
                    continue
                frame = self._within_duration(captured)
                if not frame.pcm:
                    continue
                self._captured_samples = frame.end_sample
                for packet in packer.push(frame):
                    await self._keep_pace(packet, began_s)
                    await self._send(conversation, packet)
                self._report_progress(rms_dbfs(frame.pcm))
        except InputError as exc:
            # What was captured before is still transcribed; the run ends with this after it.
            self._source_failure = exc
        for packet in packer.flush():
            await self._send(conversation, packet)
        self._enter(Phase.FINISHING)
        await conversation.end()

    async def _send(self, conversation: Conversation, packet: Packet) -> None:
        await conversation.send(Audio(packet.payload))
        self._sent_samples = packet.end_sample

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

    async def _keep_pace(self, packet: Packet, began_s: float) -> None:
        """Wait until a live source would have had the packet, unless asked to stop."""
        if self._source.live or self._rules.pace is Pace.MAX:
            return
        wait_s = began_s + self._seconds(packet.end_sample) - self._clock.now_s()
        if wait_s <= 0 or self._stop.reason is not None:
            return
        waits = (
            asyncio.create_task(self._clock.sleep(wait_s)),
            asyncio.create_task(self._stop.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _take(self, message: Partial | Final) -> None:
        if self._had_enough():
            return
        report = self._assembly.apply(message, heard_until_s=self._seconds(self._sent_samples))
        if report is None:
            return
        self._sink.take(report)
        if self._had_enough():
            self._stop.request(EndReason.ONCE)

    def _had_enough(self) -> bool:
        return self._rules.once and bool(self._assembly.transcript.sentences)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._report_progress()

    def _report_progress(self, level_dbfs: float | None = None) -> None:
        self._sink.take(
            Progress(
                self._phase,
                self._seconds(self._captured_samples),
                self._seconds(self._sent_samples),
                level_dbfs,
            )
        )

    def _report_unconfirmed(self) -> None:
        sentence = self._assembly.give_up_partial()
        if sentence is not None:
            self._sink.take(Heard(sentence))

    def _finish(self, reason: EndReason) -> Ended:
        for notice in self._source.notices():
            self._sink.take(Notice(notice))
        transcript = self._assembly.transcript
        ended = Ended(
            reason=reason,
            duration_s=self._seconds(self._captured_samples),
            sentences=len(transcript.sentences),
            words=transcript.word_count,
        )
        self._sink.take(ended)
        return ended

    def _seconds(self, samples: int) -> float:
        return samples / self._settings.sample_rate_hz
