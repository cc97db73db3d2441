"""The first half of the way of the audio: from the source into the backlog.

Owns what is captured and when: pauses, gaps, the pace of a file, the limit of a duration. It goes
on whatever becomes of the service. Knows nothing of connections and of what is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from sayd_cli.audio.health import SignalHealth
from sayd_cli.audio.level import peak_dbfs, rms_dbfs
from sayd_cli.errors import InputError, StorageError
from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.clock import Clock
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.ports import Sink, Source, Tape
from sayd_cli.listening.rules import Pace, Rules
from sayd_cli.listening.silence import SilenceRule
from sayd_cli.listening.standing import Standing
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import FRAME_MS, SAMPLE_BYTES, Frame, GapReason, Interruption
from sayd_cli.model.report import EndReason, Gap, Notice, Phase

SILENCE_AT_GAP_S = 1.0
"""Put in where the audio breaks off: a service ends a sentence at a pause, and would otherwise
hold the last words until the audio goes on, and then run them into the next ones."""

AHEAD_S = 10.0
"""How much of a source that can wait is taken before the service takes it."""

LONGEST_AHEAD_S = 1800.0
"""How much of a pipe is taken while there is no service, or if it comes no faster than it sounds:
whoever writes to it may be recording. Less than any spool holds, so that the writer waits before
anything is dropped."""

HEAD_START_S = 3.0
"""How much of a pipe is taken before its pace is kept: what was recorded while this program was
starting would else be in memory only, from then on and to the end. A pipe holds 2 s."""


class Intake:
    """Takes what a source gives.

    Calling order: ``run`` once, as soon as the source is open.

    Args:
        source: Where audio comes from; already open.
        backlog: Where it goes.
        rules: How fast, and how much.
        stop: Asked when a rule says so.
        pause: While it is on, nothing is taken.
        clock: Time.
        sink: Who is told of gaps, and of what is wrong.
        standing: Is told how it goes.
        silence: Is told when audio goes on after a gap.
        tape: Takes all that is captured; None for nobody.
    """

    def __init__(
        self,
        source: Source,
        backlog: Backlog,
        *,
        rules: Rules,
        stop: StopSignal,
        pause: PauseSwitch,
        clock: Clock,
        sink: Sink,
        standing: Standing,
        silence: SilenceRule,
        tape: Tape | None = None,
    ) -> None:
        self.failure: InputError | None = None
        """Why the source ended, if it was not its end."""
        self._source = source
        self._backlog = backlog
        self._rules = rules
        self._stop = stop
        self._pause = pause
        self._clock = clock
        self._sink = sink
        self._standing = standing
        self._silence = silence
        self._tape = tape
        self._health = SignalHealth(backlog.sample_rate_hz)
        self._broken_off: GapReason | None = None
        """Why nothing is taken since the end of the backlog; None while audio goes on."""
        self._began_s = 0.0

    async def run(self) -> None:
        """Take audio until the source ends, or a rule says so."""
        self._began_s = self._clock.now_s()
        try:
            async for captured in self._source.frames():
                if isinstance(captured, Interruption):
                    self._break_off(captured.reason)
                    self._sink.take(Notice(captured.message))
                elif not self._pause.paused:
                    for frame in self._paced(captured):
                        await self._take(frame)
                elif self._source.live:
                    self._break_off(GapReason.PAUSE)
                else:
                    await self._hold()
                    for frame in self._paced(captured):
                        await self._take(frame)
        except InputError as exc:
            # What was captured before is still transcribed; the run ends with this after it.
            self.failure = exc
        self._backlog.end()

    async def _take(self, captured: Frame) -> None:
        frame = self._within_duration(captured)
        if not frame.pcm:
            return
        await self._keep_pace(frame)
        await self._wait_for_room(frame)
        if self._broken_off is not None:
            self._go_on(frame, self._broken_off)
        self._backlog.append(frame)
        for notice in self._backlog.notices():
            self._sink.take(Notice(notice))
        self._record(frame.pcm)
        if self._source.live:
            for finding in self._health.push(frame.pcm):
                self._sink.take(Notice(finding.text))
        warning = self._health.warning if self._source.live else None
        self._standing.heard(rms_dbfs(frame.pcm), peak_dbfs(frame.pcm), warning)

    def _paced(self, captured: Frame) -> list[Frame]:
        """A frame as it is taken: a live one as it came, of a file no more than a live one has."""
        if self._source.live or self._rules.pace is Pace.MAX:
            return [captured]
        rate_hz = captured.sample_rate_hz
        step_bytes = rate_hz * FRAME_MS // 1000 * SAMPLE_BYTES
        return [
            Frame(
                captured.pcm[start : start + step_bytes],
                captured.start_sample + start // SAMPLE_BYTES,
                rate_hz,
            )
            for start in range(0, len(captured.pcm), step_bytes)
        ]

    def _break_off(self, reason: GapReason) -> None:
        if self._broken_off is not None:
            return
        self._broken_off = reason
        self._backlog.break_off()
        self._record(bytes(round(SILENCE_AT_GAP_S * self._backlog.sample_rate_hz) * SAMPLE_BYTES))
        self._standing.capture_is(
            Phase.PAUSED if reason is GapReason.PAUSE else Phase.WAITING,
        )

    def _go_on(self, frame: Frame, reason: GapReason) -> None:
        self._broken_off = None
        self._health.reset()
        if frame.start_sample > self._backlog.end_sample:
            self._sink.take(Gap(self._backlog.captured_s, frame.start_s, reason))
            self._silence.goes_on(frame.start_s)
        self._standing.capture_is(Phase.LISTENING)

    async def _hold(self) -> None:
        """Wait until a pause is over; a source that is not live waits with us."""
        self._standing.capture_is(Phase.PAUSED)
        paused_at_s = self._clock.now_s()
        await _first_of(self._pause.over(), self._stop.wait())
        self._began_s += self._clock.now_s() - paused_at_s
        self._standing.capture_is(Phase.LISTENING)

    def _record(self, pcm: bytes) -> None:
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

    async def _keep_pace(self, frame: Frame) -> None:
        """Wait until a live source would have had the frame, unless asked to stop."""
        if self._source.live or self._rules.pace is Pace.MAX or self._stop.reason is not None:
            return
        head_start_s = 0.0 if self._source.can_wait else HEAD_START_S
        wait_s = self._began_s + frame.end_s - head_start_s - self._clock.now_s()
        if wait_s > 0:
            await _first_of(self._clock.sleep(wait_s), self._stop.wait())

    async def _wait_for_room(self, frame: Frame) -> None:
        """Do not run far ahead of the service, where the source can wait."""
        if self._source.live:
            return
        while self._stop.reason is None and self._backlog.waiting_s > self._ahead_s(frame):
            await self._backlog.changed()

    def _ahead_s(self, frame: Frame) -> float:
        if self._source.can_wait:
            return AHEAD_S
        sounded_s = self._clock.now_s() - self._began_s
        may_be_recorded = frame.end_s <= sounded_s + AHEAD_S
        return LONGEST_AHEAD_S if may_be_recorded or not self._backlog.connected else AHEAD_S


async def _first_of(*waits: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
