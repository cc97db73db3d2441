"""The loop: audio from a source to a service, and what the service hears to a sink.

Owns the order of things: the source opens first and captures from then on; the session is created
while it does; everything captured is sent; at the end the last words are waited for. Knows no
library and no edge, only its ports.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime

from sayd_cli.errors import DeviceError, SaydError
from sayd_cli.listening.clock import Clock, SystemClock
from sayd_cli.listening.conversation import Conversation
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Backend, Sink, Source, Tape
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.sending import Sending
from sayd_cli.listening.stop import StopSignal
from sayd_cli.listening.timeline import Timeline
from sayd_cli.model.events import Final, Partial
from sayd_cli.model.report import Ended, EndReason, Heard, Notice, Phase, Started
from sayd_cli.model.session import SessionSettings
from sayd_cli.transcript.assembly import Assembly

_log = logging.getLogger(__name__)


_DURATION_GRACE_S = 1.0
"""How much later than due the audio of a live source may arrive."""


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
        pause: While it is on, nothing is heard.
        tape: Takes all the audio that is sent.
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
        pause: PauseSwitch | None = None,
        tape: Tape | None = None,
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
        self._conversation: Conversation | None = None
        self._sending = Sending(
            source,
            settings=settings,
            rules=rules,
            stop=stop,
            pause=pause or PauseSwitch(),
            clock=self._clock,
            sink=sink,
            tape=tape,
        )

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
                self._sending.enter(Phase.STARTING)
                helpers = (
                    asyncio.create_task(self._stop_source_when_asked()),
                    asyncio.create_task(self._stop_when_time_is_up()),
                )
                try:
                    await self._use_service(opened_at)
                finally:
                    for helper in helpers:
                        helper.cancel()
            if self._sending.failure is not None:
                raise self._sending.failure
        except SaydError as exc:
            self._report_unconfirmed()
            self._finish(EndReason.DEVICE if isinstance(exc, DeviceError) else EndReason.ERROR)
            raise
        return self._finish(self._stop.reason or EndReason.EOF)

    async def _stop_source_when_asked(self) -> None:
        await self._stop.wait()
        _log.info("asked to stop: %s", self._stop.reason)
        self._source.stop()
        if self._conversation is not None:
            self._conversation.hurry()

    async def _stop_when_time_is_up(self) -> None:
        """Keep ``duration_s`` also while a live source gives nothing; else samples are counted."""
        if self._source.live and self._rules.duration_s is not None:
            await self._clock.sleep(self._rules.duration_s + _DURATION_GRACE_S)
            self._stop.request(EndReason.DURATION)

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
        self._conversation = conversation
        if self._stop.reason is not None:
            conversation.hurry()
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._sending.run(conversation))
                keeper = tasks.create_task(conversation.keep_alive())
                await conversation.read(self._take)
                sender.cancel()
                keeper.cancel()
        except BaseExceptionGroup as failures:
            # The first failure is the cause; any other follows from it.
            first = failures.exceptions[0]
            raise first from first.__cause__

    def _take(self, message: Partial | Final) -> None:
        if self._had_enough():
            return
        timeline = self._sending.timeline
        report = self._assembly.apply(
            _placed(message, timeline), heard_until_s=timeline.captured_until_s
        )
        if report is None:
            return
        self._sink.take(report)
        if self._had_enough():
            self._stop.request(EndReason.ONCE)

    def _had_enough(self) -> bool:
        return self._rules.once and bool(self._assembly.transcript.sentences)

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
            duration_s=self._sending.captured_s,
            sentences=len(transcript.sentences),
            words=transcript.word_count,
        )
        self._sink.take(ended)
        return ended


def _placed(message: Partial | Final, timeline: Timeline) -> Partial | Final:
    """The message with its times in the captured audio, not in the stream."""
    start_s, end_s = message.start_s, message.end_s
    if end_s is not None:
        end_s = timeline.end_s(end_s)
    if start_s is not None:
        start_s = timeline.start_s(start_s)
        # What is all in silence that was put in has its end before it, and its start after it.
        start_s = start_s if end_s is None else min(start_s, end_s)
    return replace(message, start_s=start_s, end_s=end_s)
