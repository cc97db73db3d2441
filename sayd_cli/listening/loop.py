"""The loop: audio from a source to a service, and what the service hears to a sink.

Owns the order of things: the source opens first and is captured from then on, whatever becomes of
the service; a service is connected, and connected again for as long as somebody listens; what it
has not confirmed is sent again; at the end the last words are waited for. Knows no library and no
edge, only its ports.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from random import Random

from sayd_cli.errors import (
    BusyError,
    DeviceError,
    RefusedError,
    SaydError,
    ServiceFailedError,
    UnconfirmedError,
    UnreachableError,
)
from sayd_cli.listening.attempts import Attempts
from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.clock import Clock, SystemClock
from sayd_cli.listening.conversation import Conversation
from sayd_cli.listening.feeding import Feeding
from sayd_cli.listening.hearing import Hearing, Said
from sayd_cli.listening.intake import Intake
from sayd_cli.listening.outage import Outage
from sayd_cli.listening.patience import Patience
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Backend, Sink, Source, Spool, Stream, Tape
from sayd_cli.listening.rules import Rules
from sayd_cli.listening.silence import SilenceRule
from sayd_cli.listening.standing import Standing
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.events import Final, Partial, Ready
from sayd_cli.model.report import (
    Ended,
    EndReason,
    Heard,
    Interim,
    Notice,
    Phase,
    Reconnected,
    Started,
)
from sayd_cli.model.session import Session, SessionSettings
from sayd_cli.model.transcript import Sentence, Transcript
from sayd_cli.transcript.assembly import Assembly
from sayd_cli.transcript.overlap import Overlap

_log = logging.getLogger(__name__)

_DURATION_GRACE_S = 1.0
"""How much later than due the audio of a live source may arrive."""

_KNOWN_BEFORE = 2
"""Sentences before those that may be heard again, which tell how people speak."""


class Listening:
    """One run, from the first sample to the last word.

    Calling order: ``run`` once. ``stop.request`` at any time, from the same event loop.

    Args:
        source: Where audio comes from; entered and left by ``run``.
        backend: Gives the service when entered; entered after the source, left before it.
        spool: Keeps the audio until it is confirmed; may hold some of a run that was interrupted.
        settings: What to ask of the session.
        rules: How the run goes.
        sink: Who is told.
        stop: Ends the run when somebody asks.
        pause: While it is on, nothing is heard.
        tape: Takes all the audio that is captured.
        clock: Time.
        random: Spreads attempts to connect.
        heard: The confirmed sentences of the run that was interrupted.
        is_kept: Whether all that the sink was told is kept, so that its audio may go.
    """

    def __init__(
        self,
        source: Source,
        backend: AbstractAsyncContextManager[Backend],
        spool: Spool,
        *,
        settings: SessionSettings,
        rules: Rules,
        sink: Sink,
        stop: StopSignal,
        pause: PauseSwitch | None = None,
        tape: Tape | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        heard: Sequence[Sentence] = (),
        is_kept: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_kept = is_kept
        self._source = source
        self._backend = backend
        self._settings = settings
        self._rules = rules
        self._sink = sink
        self._stop = stop
        self._clock = clock or SystemClock()
        self._assembly = Assembly(Transcript(tuple(heard)))
        self._backlog = Backlog(spool, settings.sample_rate_hz)
        self._confirmed_sample = _confirmed_by(heard, spool, settings.sample_rate_hz)
        self._standing = Standing(self._backlog, sink)
        self._silence = SilenceRule(rules.until_silence_s)
        self._hearing: Hearing | None = None
        self._attempts = Attempts(rules, self._clock, random or Random())
        self._is_told = False
        """The user knows the session's name; later sessions of the run go by the same."""
        self._is_complete = False
        self._heard_in = ""
        """The name of the session that the last sentence came from."""
        self._intake = Intake(
            source,
            self._backlog,
            rules=rules,
            stop=stop,
            pause=pause or PauseSwitch(),
            clock=self._clock,
            sink=sink,
            standing=self._standing,
            silence=self._silence,
            tape=tape,
        )

    @property
    def unconfirmed_s(self) -> float:
        """Seconds of captured audio whose words are wanted and not confirmed.

        None of a file that was never begun: it is still there, and so is all that is in it.
        """
        if self._is_complete or self._has_had_enough():
            return 0.0
        if self._source.can_wait and not self._attempts.has_begun:
            return 0.0
        rate_hz = self._settings.sample_rate_hz
        return max(0, self._backlog.end_sample - self._confirmed_sample) / rate_hz

    @property
    def held_s(self) -> float:
        """Seconds of captured audio that are not released, confirmed or not."""
        held_samples = self._backlog.end_sample - self._backlog.start_sample
        return held_samples / self._settings.sample_rate_hz

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
                self._standing.service_is(Phase.STARTING)
                await self._listen_for_enough(opened_at)
            if self._intake.failure is not None:
                raise self._intake.failure
        except SaydError as exc:
            self._report_unconfirmed()
            self._finish(EndReason.DEVICE if isinstance(exc, DeviceError) else EndReason.ERROR)
            raise
        return self._finish(self._stop.reason or EndReason.EOF)

    async def _listen_for_enough(self, opened_at: datetime) -> None:
        try:
            await self._listen(opened_at)
        except UnconfirmedError:
            if not self._has_had_enough():
                raise

    async def _listen(self, opened_at: datetime) -> None:
        patience = Patience(self._rules)
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = (
                    tasks.create_task(self._intake.run()),
                    tasks.create_task(self._stop_source_when_asked(patience)),
                    tasks.create_task(self._stop_when_time_is_up()),
                    tasks.create_task(self._stop_when_silent()),
                )
                async with self._backend as backend, patience:
                    await self._transcribe(backend, patience, opened_at)
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as failures:
            cause = _cause(failures)
            raise cause from cause.__cause__

    async def _stop_source_when_asked(self, patience: Patience) -> None:
        await self._stop.wait()
        _log.info("asked to stop: %s", self._stop.reason)
        self._source.stop()
        patience.hurry(self._backlog.waiting_s)
        self._backlog.wake()

    async def _stop_when_time_is_up(self) -> None:
        """Keep ``duration_s`` also while a live source gives nothing; else samples are counted."""
        if self._source.live and self._rules.duration_s is not None:
            await self._clock.sleep(self._rules.duration_s + _DURATION_GRACE_S)
            self._stop.request(EndReason.DURATION)

    async def _stop_when_silent(self) -> None:
        """Keep ``until_silence_s`` while a live source gives silence; else texts are placed."""
        if self._source.live and self._rules.until_silence_s is not None:
            while not (self._backlog.connected and self._silence.is_over(self._backlog.sent_s)):
                await self._backlog.changed()
            self._stop.request(EndReason.SILENCE)

    async def _transcribe(self, backend: Backend, patience: Patience, opened_at: datetime) -> None:
        """Have everything heard, over as many sessions and connections as it takes."""
        while not self._is_complete:
            try:
                if self._hearing is None:
                    session = await backend.create_session(self._settings)
                    self._tell_started(session, backend, opened_at)
                    self._hearing = self._hear_anew(session, patience)
                hearing = self._hearing
                async with backend.open_stream(hearing.session, hearing.have) as stream:
                    patience.answered()
                    await self._converse(stream, hearing, patience)
                self._is_complete = True
            except SaydError as exc:
                if self._has_had_enough():
                    return
                await self._outlast(exc, patience)

    def _tell_started(self, session: Session, backend: Backend, opened_at: datetime) -> None:
        if self._is_told:
            return
        self._is_told = True
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

    def _hear_anew(
        self, session: Session, patience: Patience, before: Hearing | None = None
    ) -> Hearing:
        """Have the session hear everything that is not confirmed."""
        feeding = Feeding(
            self._backlog,
            self._confirmed_sample,
            settings=self._settings,
            patience=patience,
            clock=self._clock,
            sink=self._sink,
        )
        return Hearing(
            session,
            feeding,
            overlap=self._heard_again(),
            clock=self._clock,
            before=before,
        )

    def _heard_again(self) -> Overlap:
        """What may be heard a second time: nothing, where times tell what is confirmed."""
        sentences = self._assembly.transcript.sentences
        first = len(sentences)
        if sentences and sentences[-1].approximate:
            confirmed_s = self._confirmed_sample / self._settings.sample_rate_hz
            # A derived end is never before the real one.
            while first > 0 and sentences[first - 1].end_s > confirmed_s:
                first -= 1
        texts = [sentence.text for sentence in sentences[max(first - _KNOWN_BEFORE, 0) :]]
        before = min(first, _KNOWN_BEFORE)
        return Overlap(texts[before:], texts[:before])

    async def _converse(self, stream: Stream, hearing: Hearing, patience: Patience) -> None:
        """Talk on one connection until everything is heard."""
        is_ready = asyncio.Event()

        def on_ready(ready: Ready) -> None:
            hearing.ready(ready)
            self._tell_connected(hearing, patience)
            is_ready.set()

        conversation = Conversation(
            stream,
            self._rules,
            self._clock,
            on_ready,
            has_said=self._heard_in == hearing.session.session_id,
        )

        async def send() -> None:
            await is_ready.wait()
            await hearing.feeding.run(conversation)
            self._standing.service_is(Phase.FINISHING)
            patience.hurry(0.0)
            hearing.is_asked_to_end = True
            await conversation.end()

        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = (
                    tasks.create_task(send()),
                    tasks.create_task(conversation.keep_alive()),
                )
                complete = await conversation.read(lambda text: self._take(text, patience))
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as failures:
            cause = _cause(failures)
            raise cause from cause.__cause__
        finally:
            self._backlog.connected = False
        hearing.check(complete)
        # A stream that is continued after its end says so at once, before it is asked again.
        is_all_heard = hearing.is_asked_to_end and self._backlog.is_sent_up_to(
            hearing.feeding.position
        )
        if conversation.is_cut_short and not is_all_heard:
            if self._assembly.transcript.partial is None:
                self._confirm(hearing.completed_sample(complete))
            raise ServiceFailedError("the service ended the session before the audio ended")

    def _tell_connected(self, hearing: Hearing, patience: Patience) -> None:
        """The service takes audio: for the first time, or again."""
        outage = self._attempts.connected()
        if outage is not None:
            # What went while the service was away is told as a gap.
            first = max(hearing.feeding.position, self._backlog.start_sample)
            waiting = self._backlog.end_sample - first
            outage_s = self._clock.now_s() - outage.began_s
            replayed_s = waiting / self._settings.sample_rate_hz
            self._sink.take(Reconnected(hearing.session.session_id, outage_s, replayed_s))
            if outage.told:
                self._sink.take(
                    Notice(
                        f"connected again after {outage_s:.0f} s; "
                        f"{replayed_s:.0f} s of audio are sent now"
                    )
                )
        patience.begun()
        self._silence.is_caught_up_at(self._backlog.captured_s)
        self._backlog.connected = True
        self._standing.service_is(Phase.LISTENING)

    async def _outlast(self, cause: SaydError, patience: Patience) -> None:
        """Wait for the next attempt to connect, if there is to be one.

        Raises:
            SaydError: There is to be none.
        """
        hearing = self._hearing
        was_resuming = hearing is not None and hearing.is_resuming
        if type(cause) is RefusedError and hearing is not None and hearing.continues:
            # Of a service that continues streams, it is this stream that is over: it was silent
            # for too long, as a laptop that slept makes it; or a connection that had been given up
            # has got through after all, and taken it.
            cause = ServiceFailedError(cause.message, cause.remedy)
        is_over = hearing is not None and not hearing.lost()
        if is_over or isinstance(cause, ServiceFailedError):
            self._hearing = None
        elif hearing is not None and not hearing.continues:
            self._hearing = self._hear_anew(hearing.session, patience, hearing)
        if was_resuming and not isinstance(cause, UnreachableError | BusyError):
            # The old stream cannot be had any more. Whether anything can, a new session will tell.
            # A busy service has not said so, but to come later; that is for new sessions too.
            _log.info("the stream is not continued: %s", cause.message)
            self._hearing = None
            return
        if not cause.retryable:
            raise cause
        _log.info("no connection: %s", cause.message)
        stopping = self._stop.reason is not None
        # A pipe is not live, but whoever writes to it may be recording.
        nothing_is_missed = self._source.can_wait or (not self._source.live and self._backlog.ended)
        outage = self._attempts.failed(cause, stopping=stopping, can_wait=nothing_is_missed)
        begun = self._attempts.has_begun
        at_the_end = self._backlog.ended or stopping
        if begun and at_the_end:
            patience.hurry(self._backlog.waiting_s)
        delay_s = outage.delay_s(cause, at_the_end=at_the_end)
        if not outage.told and self._is_worth_telling(cause, outage):
            outage.told = True
            if isinstance(cause, BusyError):
                what = f"trying again in {delay_s:.0f} s"
            else:
                what = "listening goes on, and so do attempts"
            self._sink.take(Notice(f"{cause.message}; {what}"))
        self._standing.service_is(Phase.RECONNECTING if begun else Phase.STARTING)
        await self._sleep_until_the_end(delay_s)

    def _is_worth_telling(self, cause: SaydError, outage: Outage) -> bool:
        """Not that one attempt failed; nor, at the start, what may be an error in a moment."""
        return isinstance(cause, BusyError) or (self._attempts.has_begun and outage.attempts > 1)

    async def _sleep_until_the_end(self, seconds: float) -> None:
        """Wait; when it is the end meanwhile, of the audio or because somebody asks for it, try
        once more at once.
        """
        tasks = [asyncio.ensure_future(self._clock.sleep(seconds))]
        if self._stop.reason is None:
            tasks.append(asyncio.ensure_future(self._stop.wait()))
        if self._attempts.has_begun and not self._backlog.ended:
            tasks.append(asyncio.ensure_future(self._backlog.over()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _take(self, message: Partial | Final, patience: Patience) -> None:
        hearing = self._hearing
        if hearing is None:
            return
        for said in hearing.texts(message):
            if self._has_had_enough() or self._comes_too_late(said.event):
                return
            self._take_text(said, hearing, patience)

    def _take_text(self, said: Said, hearing: Hearing, patience: Patience) -> None:
        event = said.event
        heard_until_s = hearing.feeding.timeline.captured_until_s
        if said.is_known:
            # That it is heard again shows how far the service is, even when it fails soon.
            self._attempts.heard()
            patience.renew()
            known_until_s = self._assembly.known_until_s(event, heard_until_s=heard_until_s)
            if known_until_s is not None:
                self._confirm(hearing.confirmed_sample(known_until_s))
        report = self._assembly.apply(event, heard_until_s=heard_until_s)
        if report is None:
            return
        self._sink.take(report)
        self._attempts.heard()
        if isinstance(report, Interim):
            if report.text:
                self._silence.heard(report.end_s, self._backlog.sent_s)
            return
        sentence = report.sentence
        self._attempts.confirmed()
        self._heard_in = hearing.session.session_id
        self._silence.heard(sentence.end_s, self._backlog.sent_s)
        patience.renew()
        self._confirm(hearing.confirmed_sample(None if sentence.approximate else sentence.end_s))
        if self._has_had_enough():
            self._stop.request(EndReason.ONCE)

    def _confirm(self, until_sample: int) -> None:
        """All that was said in the audio before this is told."""
        if until_sample > self._confirmed_sample:
            self._confirmed_sample = until_sample
            self._attempts.confirmed()
            if self._is_kept():
                self._backlog.release(until_sample)

    def _comes_too_late(self, text: Partial | Final) -> bool:
        if text.start_s is None or not text.text or not self._silence.ended_before(text.start_s):
            return False
        self._stop.request(EndReason.SILENCE)
        return True

    def _has_had_enough(self) -> bool:
        return self._rules.once and bool(self._assembly.transcript.sentences)

    def _report_unconfirmed(self) -> None:
        sentence = self._assembly.give_up_partial()
        if sentence is not None:
            self._sink.take(Heard(sentence))

    def _finish(self, reason: EndReason) -> Ended:
        for notice in (*self._source.notices(), *self._backlog.notices()):
            self._sink.take(Notice(notice))
        transcript = self._assembly.transcript
        ended = Ended(
            reason=reason,
            duration_s=self._backlog.captured_s,
            sentences=len(transcript.sentences),
            words=transcript.word_count,
        )
        self._sink.take(ended)
        return ended


def _confirmed_by(heard: Sequence[Sentence], spool: Spool, rate_hz: int) -> int:
    """Where the audio begins that the sentences do not confirm.

    After one whose times were derived, that is not known; all that is kept is heard again then.
    """
    if heard and not heard[-1].approximate:
        return max(int(heard[-1].end_s * rate_hz + 1e-6), spool.start_sample)
    return spool.start_sample


def _cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure is the cause; any other follows from it."""
    first = failures.exceptions[0]
    return _cause(first) if isinstance(first, BaseExceptionGroup) else first
