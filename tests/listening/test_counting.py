"""Services whose times count on over the connections of a session, and those that count anew."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import UnreachableError
from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.feeding import Feeding
from sayd_cli.listening.hearing import IN_FLIGHT_S, MARGIN_S, Hearing
from sayd_cli.listening.patience import Patience
from sayd_cli.listening.rules import Rules
from sayd_cli.model.events import Audio, ClientMessage, Complete, End, Final, Partial
from sayd_cli.model.secret import SecretUrl
from sayd_cli.model.session import Session, SessionSettings
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.transcript.overlap import Overlap
from tests.listening.test_outage import SECOND_BYTES, Answers, Run, UniqueSource, expected
from tests.listening.world import RATE_HZ, FakeClock, Recorder, ScriptedService

SESSION = Session("s", SecretUrl("ws://h/s?api_key=k"), "en")
BEGIN_S = 100.0

Times = tuple[float | None, float | None]


class Connected:
    """A connection of a session on which audio from the 100th second is sent."""

    def __init__(self, before: Connected | None = None) -> None:
        self.clock: FakeClock = FakeClock() if before is None else before.clock
        self.feeding = Feeding(
            Backlog(MemorySpool(RATE_HZ), RATE_HZ),
            round(BEGIN_S * RATE_HZ),
            settings=SessionSettings(),
            patience=Patience(Rules()),
            clock=self.clock,
            sink=Recorder(),
        )
        self.hearing: Hearing = Hearing(
            SESSION,
            self.feeding,
            overlap=Overlap([]),
            clock=self.clock,
            before=None if before is None else before.hearing,
        )

    def sent(self, seconds: float, *, in_s: float = 0.0) -> None:
        self.clock.time_s += in_s
        self.feeding.heard_s()
        start = round(self.feeding.timeline.captured_until_s * RATE_HZ)
        self.feeding.timeline.sent(start, start + round(seconds * RATE_HZ))

    def take(self, message: Partial | Final) -> list[Times]:
        return [(said.event.start_s, said.event.end_s) for said in self.hearing.texts(message)]

    def said(self, start_s: float | None, end_s: float | None) -> Times:
        """Where the times of a sentence are taken to be."""
        (times,) = self.take(Final("A.", start_s, end_s))
        return times


def after(streamed_s: float, told_s: float | None) -> Connected:
    """The second connection; on the first, the last sentence ended at ``told_s``."""
    first = Connected()
    first.sent(streamed_s)
    if told_s is not None:
        first.said(told_s - 1, told_s)
    return Connected(first)


def is_near(times: Times, start_s: float, end_s: float) -> bool:
    return times == pytest.approx((start_s, end_s))


def test_times_after_all_that_was_sent_count_on() -> None:
    connected = after(30, 30)
    connected.sent(5)
    assert is_near(connected.said(31, 32), 101, 102)
    connected.sent(60)
    # Here it could be either, but that is decided.
    assert is_near(connected.said(50, 51), 120, 121)


def test_times_before_those_that_came_count_anew() -> None:
    connected = after(30, 30)
    connected.sent(40)
    assert is_near(connected.said(1, 2), 101, 102)
    connected.sent(5)
    assert is_near(connected.said(44, 45.5), 144, 145.5)


def test_times_that_may_be_either_are_not_believed() -> None:
    connected = after(10, 10)
    connected.sent(40)
    # No earlier than it can be, so that what is heard again is known.
    assert connected.said(10, 11) == (None, 111)
    assert connected.take(Partial("a", 12, 13)) == [(None, 113)]
    # As late as nothing that was sent.
    assert connected.said(40, 40.9) == (None, 140)
    assert is_near(connected.said(42, 43), 132, 133)
    assert is_near(connected.said(44, 45), 134, 135)


def test_no_service_is_minutes_late() -> None:
    connected = after(60, 60)
    connected.sent(70)
    assert connected.said(64, 65) == (None, 165)
    # This one is in time with the audio by counting anew; it would be a minute late by counting on.
    connected.sent(60, in_s=60)
    connected.sent(0, in_s=60)
    assert is_near(connected.said(128, 129), 228, 229)


def test_of_a_first_connection_without_a_word_it_is_not_known_how_much_arrived() -> None:
    connected = after(20, None)
    connected.sent(10)
    assert connected.said(5, 6) == (None, 106)
    connected = after(60, None)
    connected.sent(10)
    assert is_near(connected.said(5, 6), 105, 106)


def test_audio_that_was_on_its_way_when_the_connection_was_lost_was_never_counted() -> None:
    # 25 s of 30 arrived, and the second one is told of.
    connected = after(30, 24)
    connected.sent(40)
    assert connected.said(26, 27) == (None, 127)
    # Later, in time with the audio, it is clear; but how much arrived is not known.
    assert connected.said(63, 64)[1] == 134


@pytest.mark.parametrize(
    "times", [(None, None), (0.0, 0.0), (-2.0, -1.0), (-1.0, 0.0), (1e9, 1e9 + 1), (5.0, None)]
)
def test_what_is_no_time_decides_nothing(times: Times) -> None:
    connected = after(10, 10)
    connected.sent(40)
    start_s, _ = connected.said(*times)
    assert start_s is None
    assert is_near(connected.said(46, 47), 136, 137)


@pytest.mark.parametrize(("first", "second"), [((1, 2), 112), ((44, 45), 102)])
def test_what_is_decided_holds_for_the_connections_that_follow(
    first: tuple[float, float], second: float
) -> None:
    connected = after(10, 10)
    connected.sent(40)
    connected.said(*first)
    connected = Connected(Connected(connected))
    connected.sent(80)
    said_s = 12.0 if second == 112 else 52.0
    assert is_near(connected.said(said_s - 1, said_s), second - 1, second)


def test_sentences_that_come_again_on_another_connection_are_told_once() -> None:
    first = Connected()
    first.sent(10)
    said = [Final("A.", 0.5, 1.0, 0), Final("B.", 2.0, 3.0, 1)]
    assert [len(first.take(each)) for each in said] == [1, 1]
    second = Connected(first)
    second.sent(10)
    assert [len(second.take(each)) for each in said] == [0, 0]
    third = Connected(second)
    third.sent(5)
    assert [len(third.take(each)) for each in said] == [0, 0]
    # They do not say how it counts.
    assert is_near(third.said(20.5, 21), 100.5, 101)


@pytest.mark.parametrize(
    "other", [Final("C.", 0.5, 1.0, 0), Final("A.", 1.5, 2.0, 0), Final("A.", 0.5, 1.0)]
)
def test_others_of_the_same_number_are_new(other: Final) -> None:
    first = Connected()
    first.sent(10)
    first.take(Final("A.", 0.5, 1.0, 0))
    assert len(Connected(first).take(other)) == 1


def test_without_times_the_words_decide_what_is_new() -> None:
    first = Connected()
    first.take(Final("Yes.", index=0))
    assert len(Connected(first).take(Final("Yes.", index=0))) == 1


@given(
    counts_on=st.booleans(),
    streamed_s=st.floats(0.5, 100),
    told=st.one_of(st.none(), st.floats(0, 1)),
    in_flight_s=st.floats(0, IN_FLIGHT_S),
    steps=st.lists(
        st.tuples(
            st.floats(0, 40),  # is sent
            st.floats(0, 40),  # takes so long
            st.floats(0, 1),  # where in what may be told next a sentence ends
            st.floats(0.01, 3),  # and how long it is
        ),
        max_size=12,
    ),
)
def test_nothing_is_placed_before_it_is_said_or_confirmed_before_it_is_heard(
    counts_on: bool,
    streamed_s: float,
    told: float | None,
    in_flight_s: float,
    steps: list[tuple[float, float, float, float]],
) -> None:
    told_s = None if told is None else told * streamed_s
    arrived_s = max(streamed_s - in_flight_s, told_s or 0.0)
    connected = after(streamed_s, told_s)
    heard_until_s = 0.0
    for sent_s, in_s, share, length_s in steps:
        connected.sent(sent_s, in_s=in_s)
        sent_so_far_s = connected.hearing.feeding.timeline.stream_samples / RATE_HZ
        # It keeps up, or the words are lost with any way of counting.
        first_s = max(heard_until_s, connected.feeding.heard_s() - MARGIN_S)
        end_s = first_s + share * (sent_so_far_s - first_s)
        if end_s <= heard_until_s:
            continue
        begin_s = max(heard_until_s, end_s - length_s)
        heard_until_s = end_s
        before_s = arrived_s if counts_on else 0.0
        start, end = connected.said(before_s + begin_s, before_s + end_s)
        if start is None or end is None:
            assert end is None or end >= BEGIN_S + end_s - 1e-4
            continue
        lost_s = streamed_s - arrived_s if counts_on else 0.0
        assert end == pytest.approx(BEGIN_S + end_s - lost_s, abs=1e-4)
        confirmed = connected.hearing.confirmed_sample(end)
        assert confirmed <= (BEGIN_S + end_s) * RATE_HZ + 1


class Counting:
    """Hears a word for each second of the source's audio, and tells of it later; counts the audio
    of all connections or of each. Loses the connection when told to.

    Args:
        source: What it hears.
        counts_on: How it counts.
        late_s: It tells of nothing on a connection before so much of its audio came.
        late_each_s: And so much later than its audio of each word.
        silent_s: So much of the source's audio has no words at its beginning.
        losses: After how much audio, by the number of the connection, from 1.
    """

    def __init__(
        self,
        source: UniqueSource,
        *,
        counts_on: bool,
        late_s: float,
        late_each_s: float,
        silent_s: int,
        losses: Mapping[int, float],
    ) -> None:
        self._source = source
        self._counts_on = counts_on
        self._late_s = late_s
        self._late_each_s = late_each_s
        self._silent_s = silent_s
        self._losses = dict(losses)
        self._told = 0

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        connection = service.connection
        if isinstance(message, Audio) and len(connection.pcm) == len(message.payload):
            self._told = 0
        answers: Answers = []
        has_ended = isinstance(message, End)
        came_s = len(connection.pcm) / SECOND_BYTES
        if has_ended or came_s >= self._late_s:
            answers += self._words(service, came_s if has_ended else came_s - self._late_each_s)
        number = len(service.connections)
        if came_s >= self._losses.get(number, float("inf")):
            answers.append(UnreachableError("cut"))
        if has_ended:
            answers.append(Complete())
        return answers

    def _words(self, service: ScriptedService, until_s: float) -> Answers:
        pcm = service.pcm
        silence_s = 0 if any(pcm[:1000]) else 1
        if len(pcm) < (silence_s + 0.1) * SECOND_BYTES:
            return []
        start = self._source.pcm.index(pcm[silence_s * SECOND_BYTES :][:1000])
        before_s = sum(len(c.pcm) for c in service.connections[:-1]) / SECOND_BYTES
        answers: Answers = []
        for number in range(max(start // SECOND_BYTES, self._silent_s), 1000):
            begin_s = number - start / SECOND_BYTES + silence_s
            if begin_s + 0.9 > until_s:
                break
            if begin_s < silence_s - 0.5 or begin_s <= self._told - 0.5:
                continue  # most of it is not in this stream, or it was told
            self._told = round(begin_s + 1)
            at_s = before_s + begin_s if self._counts_on else begin_s
            answers.append(Final(f"word{number} of{number}", at_s + 0.1, at_s + 0.9))
        return answers


@pytest.mark.parametrize("counts_on", [True, False])
@pytest.mark.parametrize("silent_s", [0, 13])
@pytest.mark.parametrize(("late_s", "late_each_s"), [(0, 0), (8, 0), (15, 0), (0, 15), (25, 2)])
@pytest.mark.parametrize("losses", [{1: 10}, {1: 10, 2: 27}, {1: 18, 2: 10, 3: 8}])
async def test_however_a_service_counts_no_word_is_lost_and_none_comes_twice(
    counts_on: bool, silent_s: int, late_s: float, late_each_s: float, losses: dict[int, float]
) -> None:
    source = UniqueSource(40)
    service = ScriptedService(
        Counting(
            source,
            counts_on=counts_on,
            late_s=late_s,
            late_each_s=late_each_s,
            silent_s=silent_s,
            losses=losses,
        )
    )
    run = Run(source, service)
    await run.go()
    assert run.recorder.texts == expected(40)[silent_s:]
    assert len(service.connections) == len(losses) + 1
    for sentence in run.sentences:
        said_s = int(sentence.text.split("of")[1])
        assert said_s + 0.9 <= sentence.end_s + 1e-3
        if not sentence.approximate:
            assert sentence.end_s == pytest.approx(said_s + 0.9, abs=1e-3)
    assert run.listening.unconfirmed_s == 0


class Repeating:
    """Hears a word in each second, numbers it, and counts its time on over connections; on each it
    says again all that it said, when so much audio has come.
    """

    def __init__(self, again_after_s: float) -> None:
        self._again_after_s = again_after_s
        self._said: list[Final] = []
        self._heard = 0
        self._has_repeated = True

    def __call__(self, message: ClientMessage, service: ScriptedService) -> Answers:
        *before, pcm = [connection.pcm for connection in service.connections]
        if isinstance(message, Audio) and len(pcm) == len(message.payload):
            self._heard, self._has_repeated = (1, False) if before else (0, True)
        answers: Answers = []
        came_s = len(pcm) / SECOND_BYTES
        if not self._has_repeated and came_s >= self._again_after_s:
            self._has_repeated = True
            answers += self._said
        while self._has_repeated and self._heard + 1 <= came_s:
            at_s = sum(map(len, before)) / SECOND_BYTES + self._heard
            number = len(self._said)
            self._said.append(Final(f"word{number} of{number}", at_s, at_s + 1, number))
            answers.append(self._said[-1])
            self._heard += 1
        if not before and came_s >= 10:
            answers.append(UnreachableError("cut"))
        if isinstance(message, End):
            answers.append(Complete())
        return answers


@pytest.mark.parametrize("again_after_s", [0.1, 8])
async def test_what_a_service_says_again_on_another_connection_is_told_once(
    again_after_s: float,
) -> None:
    run = Run(UniqueSource(20), ScriptedService(Repeating(again_after_s)))
    await run.go()
    assert run.recorder.texts == expected(20)
    assert [round(sentence.end_s, 3) for sentence in run.sentences] == list(range(1, 21))
