from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from sayd_cli.errors import InputError, StorageError
from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.intake import AHEAD_S, HEAD_START_S, LONGEST_AHEAD_S, Intake
from sayd_cli.listening.pause import PauseSwitch
from sayd_cli.listening.rules import Pace, Rules
from sayd_cli.listening.silence import SilenceRule
from sayd_cli.listening.standing import Standing
from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.audio import SAMPLE_BYTES, Frame, GapReason, Interruption
from sayd_cli.model.report import EndReason, Gap, Phase
from sayd_cli.spool.memory import MemorySpool
from tests.listening.world import FakeClock, Recorder

RATE_HZ = 100
"""Low, so that half an hour is little to hold."""

BLOCK_S = 0.5

Given = Frame | Interruption | Callable[[], None]


def frame(start_s: float, end_s: float) -> Frame:
    start, end = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
    pcm = b"".join(
        (n * 7919 % 20_000 - 10_000).to_bytes(2, "little", signed=True) for n in range(start, end)
    )
    return Frame(pcm, start, RATE_HZ)


def blocks(start_s: float, end_s: float) -> list[Given]:
    count = round((end_s - start_s) / BLOCK_S)
    return [
        frame(start_s + n * BLOCK_S, min(start_s + (n + 1) * BLOCK_S, end_s)) for n in range(count)
    ]


class Giver:
    """A source that gives what it was told to; what can be called is called in its turn."""

    def __init__(self, given: Sequence[Given], *, live: bool, can_wait: bool) -> None:
        self.live = live
        self.can_wait = can_wait
        self.given_s = 0.0
        self.to_give = given
        self._stopped = False

    async def __aenter__(self) -> Giver:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        for each in self.to_give:
            if self._stopped:
                return
            await asyncio.sleep(0)
            if isinstance(each, Frame):
                self.given_s = each.end_s
                yield each
            elif isinstance(each, Interruption):
                yield each
            else:
                each()

    def stop(self) -> None:
        self._stopped = True

    def notices(self) -> list[str]:
        return []


class Tape:
    def __init__(self, *, full: bool = False) -> None:
        self.samples = 0
        self.full = full

    def write(self, pcm: bytes) -> None:
        if self.full:
            raise StorageError("the tape is full")
        self.samples += len(pcm) // SAMPLE_BYTES


class Taking:
    """An intake, and all that is around it."""

    def __init__(
        self,
        given: Sequence[Given],
        *,
        live: bool = False,
        can_wait: bool = False,
        rules: Rules | None = None,
        tape: Tape | None = None,
    ) -> None:
        self.source = Giver(given, live=live, can_wait=can_wait)
        self.backlog = Backlog(MemorySpool(RATE_HZ), RATE_HZ)
        self.stop = StopSignal()
        self.pause = PauseSwitch()
        self.clock = FakeClock()
        self.recorder = Recorder()
        self.silence = SilenceRule(10.0)
        self.standing = Standing(self.backlog, self.recorder)
        self.standing.service_is(Phase.LISTENING)
        self.intake = Intake(
            self.source,
            self.backlog,
            rules=rules or Rules(),
            stop=self.stop,
            pause=self.pause,
            clock=self.clock,
            sink=self.recorder,
            standing=self.standing,
            silence=self.silence,
            tape=tape,
        )

    async def to_the_end(self) -> None:
        async with asyncio.timeout(20):
            await self.intake.run()

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[asyncio.Task[None]]:
        async with asyncio.timeout(20):
            task = asyncio.create_task(self.intake.run())
            try:
                await self.settled()
                yield task
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def settled(self) -> None:
        """Until it waits for something that only we can do."""
        before = -1.0
        while before != self.backlog.captured_s:
            before = self.backlog.captured_s
            for _ in range(20):
                await asyncio.sleep(0)

    @property
    def phases(self) -> list[Phase]:
        phases: list[Phase] = []
        for progress in self.recorder.progress:
            if not phases or progress.phase is not phases[-1]:
                phases.append(progress.phase)
        return phases


async def test_all_of_a_source_is_taken_and_then_it_is_over() -> None:
    taking = Taking(blocks(0, 5), live=True)
    await taking.to_the_end()
    assert taking.backlog.captured_s == 5
    assert taking.backlog.ended


@pytest.mark.parametrize("connected", [True, False])
async def test_a_file_is_never_taken_far_ahead(*, connected: bool) -> None:
    taking = Taking(blocks(0, 300), can_wait=True)
    taking.backlog.connected = connected
    async with taking.under_way() as task:
        for sent_s in (0, 20, 21, 200):
            taking.backlog.sent(sent_s * RATE_HZ)
            await taking.settled()
            assert sent_s + AHEAD_S < taking.backlog.captured_s <= sent_s + AHEAD_S + BLOCK_S
        # What is to be sent again is not taken again.
        taking.backlog.sent(100 * RATE_HZ)
        await taking.settled()
        assert taking.backlog.captured_s <= 200 + AHEAD_S + BLOCK_S
        taking.backlog.sent(300 * RATE_HZ)
        await task


async def test_a_pipe_is_taken_in_an_outage_up_to_half_an_hour_ahead() -> None:
    taking = Taking(blocks(0, LONGEST_AHEAD_S + 100))
    async with taking.under_way():
        assert LONGEST_AHEAD_S < taking.backlog.captured_s <= LONGEST_AHEAD_S + BLOCK_S
        assert taking.source.given_s <= LONGEST_AHEAD_S + 2 * BLOCK_S
        # Nothing was dropped for it.
        assert taking.recorder.notices == []
        taking.backlog.connected = True
        taking.backlog.sent(60 * RATE_HZ)
        await taking.settled()
        assert taking.backlog.captured_s <= LONGEST_AHEAD_S + BLOCK_S


async def test_a_pipe_that_comes_faster_than_it_sounds_waits_for_the_service() -> None:
    taking = Taking(blocks(0, 300))
    taking.backlog.connected = True
    async with taking.under_way():
        assert AHEAD_S < taking.backlog.captured_s <= AHEAD_S + BLOCK_S
        taking.backlog.connected = False
        await taking.settled()
        assert taking.backlog.captured_s == 300


async def test_a_pipe_that_may_be_recorded_now_does_not_wait_for_a_slow_service() -> None:
    taking = Taking([])
    taking.backlog.connected = True

    def a_second_later() -> None:
        taking.clock.time_s += 1

    given: list[Given] = []
    for n in range(120):
        given += [*blocks(n, n + 1), a_second_later]
    taking.source.to_give = given
    await taking.to_the_end()
    assert taking.backlog.captured_s == 120


async def test_whoever_waits_for_room_is_let_go_by_a_stop() -> None:
    taking = Taking(blocks(0, 300), can_wait=True)
    async with taking.under_way() as task:
        taking.stop.request(EndReason.INTERRUPT)
        taking.source.stop()
        taking.backlog.wake()
        await task
    assert taking.backlog.ended
    assert taking.backlog.captured_s <= AHEAD_S + 3 * BLOCK_S


@pytest.mark.parametrize(("can_wait", "ahead_s"), [(True, 0.0), (False, HEAD_START_S)])
async def test_at_real_time_it_keeps_the_pace_of_the_sound(
    *, can_wait: bool, ahead_s: float
) -> None:
    taking = Taking(blocks(0, 8), can_wait=can_wait, rules=Rules(pace=Pace.REALTIME))
    moments: list[tuple[float, float]] = []
    append = taking.backlog.append

    def noting(taken: Frame) -> None:
        moments.append((taking.clock.time_s, taken.end_s))
        append(taken)

    setattr(taking.backlog, append.__name__, noting)
    await taking.to_the_end()
    for moment_s, end_s in moments:
        assert moment_s == pytest.approx(max(0.0, end_s - ahead_s))


@for_all(st.floats(0.01, 6), st.booleans())
def test_of_a_duration_no_sample_is_too_many_or_too_few(duration_s: float, live: bool) -> None:
    async def go() -> None:
        taking = Taking(blocks(0, 5), live=live, rules=Rules(duration_s=duration_s))
        await taking.to_the_end()
        wanted = min(round(duration_s * RATE_HZ), 5 * RATE_HZ)
        assert taking.backlog.end_sample == wanted
        is_over = duration_s * RATE_HZ <= 5 * RATE_HZ
        assert (taking.stop.reason is EndReason.DURATION) == (
            is_over or round(duration_s * RATE_HZ) <= 5 * RATE_HZ
        )

    asyncio.run(go())


async def test_while_a_live_source_is_paused_nothing_is_taken_and_the_gap_is_told() -> None:
    taking = Taking([], live=True, tape=(tape := Tape()))
    toggle = taking.pause.toggle
    given: list[Given] = [*blocks(0, 2), toggle, *blocks(2, 7), toggle, *blocks(7, 9)]
    taking.source.to_give = given
    await taking.to_the_end()
    assert taking.recorder.gaps == [Gap(2.0, 7.0, GapReason.PAUSE)]
    assert taking.backlog.captured_s == 9
    assert taking.backlog.read(200, 1000) == frame(7, 9)
    assert taking.phases == [Phase.LISTENING, Phase.PAUSED, Phase.LISTENING]
    # A second of silence stands for the pause.
    assert tape.samples == (2 + 1 + 2) * RATE_HZ


async def test_a_pipe_that_is_paused_is_not_read() -> None:
    taking = Taking([])
    toggle = taking.pause.toggle
    given: list[Given] = [*blocks(0, 2), toggle, *blocks(2, 9)]
    taking.source.to_give = given
    async with taking.under_way() as task:
        assert taking.backlog.captured_s == 2
        assert taking.source.given_s <= 2 + BLOCK_S
        toggle()
        await task
    assert taking.backlog.captured_s == 9
    assert taking.recorder.gaps == []
    assert taking.phases == [Phase.LISTENING, Phase.PAUSED, Phase.LISTENING]


async def test_a_stop_ends_the_pause_of_a_pipe() -> None:
    taking = Taking([])
    given: list[Given] = [*blocks(0, 2), taking.pause.toggle, *blocks(2, 9)]
    taking.source.to_give = given
    async with taking.under_way() as task:
        taking.stop.request(EndReason.INTERRUPT)
        taking.source.stop()
        await task
    # What it had given already is kept.
    assert taking.backlog.captured_s == 2 + BLOCK_S


@pytest.mark.parametrize("paused_first", [True, False])
async def test_a_device_that_goes_in_a_pause_makes_one_gap_with_it(*, paused_first: bool) -> None:
    taking = Taking([], live=True)
    toggle, gone = taking.pause.toggle, Interruption(GapReason.DEVICE, "gone")
    if paused_first:
        given: list[Given] = [
            *blocks(0, 2),
            toggle,
            *blocks(2, 3),
            gone,
            *blocks(5, 6),
            toggle,
            *blocks(6, 7),
        ]
        reason = GapReason.PAUSE
    else:
        given = [*blocks(0, 2), gone, toggle, *blocks(5, 6), toggle, *blocks(6, 7)]
        reason = GapReason.DEVICE
    taking.source.to_give = given
    await taking.to_the_end()
    assert taking.recorder.gaps == [Gap(2.0, 6.0, reason)]
    assert taking.recorder.notices == ["gone"]
    assert taking.phases[0] is taking.phases[-1] is Phase.LISTENING


async def test_a_device_that_is_back_without_a_loss_makes_no_gap() -> None:
    given: list[Given] = [*blocks(0, 2), Interruption(GapReason.DEVICE, "gone"), *blocks(2, 3)]
    taking = Taking(given, live=True)
    await taking.to_the_end()
    assert taking.recorder.gaps == []
    assert taking.backlog.captured_s == 3
    assert not taking.backlog.broken_off


async def test_in_a_gap_nobody_is_silent() -> None:
    def is_over() -> bool:
        return taking.silence.is_over(taking.backlog.captured_s)

    seen: list[bool] = []
    taking = Taking([], live=True)
    toggle = taking.pause.toggle

    def note() -> None:
        seen.append(is_over())

    before = [*blocks(0, 2), toggle, *blocks(2, 60), toggle]
    taking.source.to_give = [*before, *blocks(60, 65), note, *blocks(65, 71), note]
    taking.silence.heard(1.5, 1.5)
    await taking.to_the_end()
    assert seen == [False, True]
    assert not taking.silence.ended_before(69.0)


async def test_a_source_that_fails_has_kept_what_it_gave() -> None:
    def fail() -> None:
        raise InputError("broken")

    taking = Taking([*blocks(0, 2), fail, *blocks(2, 3)])
    await taking.to_the_end()
    assert taking.intake.failure is not None
    assert taking.backlog.captured_s == 2
    assert taking.backlog.ended


async def test_a_tape_that_is_full_ends_nothing() -> None:
    taking = Taking(blocks(0, 3), live=True, tape=Tape(full=True))
    await taking.to_the_end()
    assert taking.backlog.captured_s == 3
    assert taking.recorder.notices == ["the tape is full"]
