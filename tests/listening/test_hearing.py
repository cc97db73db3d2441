from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.errors import ProtocolError, UnreachableError
from sayd_cli.listening.backlog import Backlog
from sayd_cli.listening.feeding import Feeding
from sayd_cli.listening.hearing import IN_FLIGHT_S, MARGIN_S, Hearing
from sayd_cli.listening.patience import Patience
from sayd_cli.listening.rules import Rules
from sayd_cli.model.events import Complete, Final, Partial, Ready
from sayd_cli.model.secret import SecretUrl
from sayd_cli.model.session import Session, SessionSettings
from sayd_cli.spool.memory import MemorySpool
from sayd_cli.transcript.overlap import Overlap
from tests.listening.world import RATE_HZ, FakeClock, Recorder

SESSION = Session("s", SecretUrl("ws://h/s?api_key=k"), "en")


class World:
    """A hearing of audio that begins in the 100th second, and the clock."""

    BEGIN_S = 100.0

    def __init__(self, *, known: Sequence[str] = (), before: Hearing | None = None) -> None:
        self.clock = FakeClock()
        feeding = Feeding(
            Backlog(MemorySpool(RATE_HZ), RATE_HZ),
            round(self.BEGIN_S * RATE_HZ),
            settings=SessionSettings(),
            patience=Patience(Rules()),
            clock=self.clock,
            sink=Recorder(),
        )
        self.timeline = feeding.timeline
        self.hearing = Hearing(
            SESSION, feeding, overlap=Overlap(known), clock=self.clock, before=before
        )

    def sent(self, seconds: float) -> None:
        start = round(self.timeline.captured_until_s * RATE_HZ)
        self.timeline.sent(start, start + round(seconds * RATE_HZ))

    def take(self, message: Partial | Final) -> list[tuple[str, float | None, float | None]]:
        events = [said.event for said in self.hearing.texts(message)]
        return [(event.text, event.start_s, event.end_s) for event in events]


def test_texts_are_placed_in_the_captured_audio() -> None:
    world = World()
    world.sent(10)
    assert world.take(Partial("a", 1.0, 2.0)) == [("a", 101.0, 102.0)]
    assert world.take(Final("A.", 1.0, 2.5)) == [("A.", 101.0, 102.5)]
    assert world.take(Final("B.")) == [("B.", None, None)]


def test_of_a_sentence_that_is_known_it_is_told_that_interim_text_is_over() -> None:
    world = World(known=["One two three."])
    assert world.take(Partial("One two")) == [("", None, None)]
    assert world.take(Final("One two three.")) == [("", None, None)]
    assert world.take(Final("Four.")) == [("Four.", None, None)]


def test_it_is_told_that_a_sentence_was_heard_before() -> None:
    world = World(known=["One two three."])
    texts: list[Partial | Final] = [
        Final("One two"),
        Partial("three"),
        Final("three."),
        Final(""),
        Final("Four."),
    ]
    said = [each.is_known for text in texts for each in world.hearing.texts(text)]
    assert said == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("sent_s", "said", "placed"),
    [
        # It counts anew.
        (5.0, (1.0, 2.0), (101.0, 102.0)),
        # It counts on: that much was never sent on this connection.
        (5.0, (31.0, 32.0), (101.0, 102.0)),
        # By its own way of counting it may be a little ahead.
        (5.0, (4.0, 5.9), (104.0, 105.9)),
    ],
)
def test_a_service_may_count_on_over_connections_or_anew(
    sent_s: float, said: tuple[float, float], placed: tuple[float, float]
) -> None:
    first = World()
    first.sent(30)
    first.take(Final("A.", 29.0, 30.0))
    world = World(before=first.hearing)
    world.sent(sent_s)
    assert world.take(Partial("a"))[0][1:] == (None, None)
    assert world.take(Final("A.", *said))[0][1:] == pytest.approx(placed)
    # What is decided stays so.
    world.sent(60)
    later = said[0] + 20, said[1] + 20
    expected = placed[0] + 20, placed[1] + 20
    assert world.take(Final("B.", *later))[0][1:] == pytest.approx(expected)


@given(
    st.lists(st.tuples(st.floats(0, 12), st.floats(0, 4), st.floats(-0.3, 0.3)), max_size=8),
)
def test_however_careless_its_times_are_nothing_ends_before_the_audio_that_was_sent(
    said: list[tuple[float, float, float]],
) -> None:
    world = World()
    world.timeline.padded(RATE_HZ)
    world.sent(12)
    for start_s, length_s, off_s in said:
        ((_, begins_s, ends_s),) = world.take(Final("A.", start_s, start_s + length_s + off_s))
        assert begins_s is not None
        assert (ends_s is None) == (start_s + length_s + off_s < 0)
        if ends_s is None:
            assert begins_s >= world.BEGIN_S
            continue
        assert world.BEGIN_S <= begins_s <= ends_s
        confirmed = world.hearing.confirmed_sample(ends_s)
        assert confirmed <= 112 * RATE_HZ


def test_what_is_confirmed_is_where_the_sentence_ends_but_no_more_than_was_sent() -> None:
    world = World()
    world.sent(10)
    assert world.hearing.confirmed_sample(104.5) == 104.5 * RATE_HZ
    assert world.hearing.confirmed_sample(999.0) == 110 * RATE_HZ


def test_without_times_it_is_what_the_slowest_service_has_heard_by_then() -> None:
    world = World()
    world.sent(60)
    # It says nothing for a while, as one that has just been started.
    world.clock.time_s += 20
    world.take(Partial("A"))
    assert world.hearing.confirmed_sample(None) == 100 * RATE_HZ
    world.clock.time_s += 20
    assert world.hearing.confirmed_sample(None) == (100 + 30 - MARGIN_S) * RATE_HZ
    world.clock.time_s += 3600
    assert world.hearing.confirmed_sample(None) == (160 - MARGIN_S) * RATE_HZ


def test_what_a_service_has_completed_by_itself_is_heard() -> None:
    world = World()
    world.sent(60)
    assert world.hearing.completed_sample(Complete()) == (160 - IN_FLIGHT_S) * RATE_HZ
    assert world.hearing.completed_sample(Complete(50_000)) == (150 - MARGIN_S) * RATE_HZ
    # More than it was sent it cannot have heard.
    assert world.hearing.completed_sample(Complete(10**9)) == (160 - MARGIN_S) * RATE_HZ
    assert world.hearing.completed_sample(Complete(100)) == 100 * RATE_HZ


def test_a_stream_is_continued_where_it_was_received_up_to() -> None:
    world = World()
    world.hearing.ready(Ready(30.0, 0))
    world.sent(10)
    assert world.hearing.lost()
    world.hearing.ready(Ready(30.0, 4 * RATE_HZ))
    assert world.hearing.feeding.position == 104 * RATE_HZ
    assert world.timeline.stream_samples == 4 * RATE_HZ


@pytest.mark.parametrize("received", [None, 10 * RATE_HZ + 1])
def test_a_stream_that_goes_on_elsewhere_is_not_the_same(received: int | None) -> None:
    world = World()
    world.hearing.ready(Ready(30.0, 0))
    world.sent(10)
    world.hearing.lost()
    with pytest.raises(ProtocolError):
        world.hearing.ready(Ready(30.0, received))


def test_it_is_asked_for_what_came_of_it_since_for_as_long_as_the_service_said() -> None:
    world = World()
    hearing = world.hearing
    hearing.ready(Ready(30.0, 0))
    have = [hearing.have]
    world.take(Final("A.", 0.0, 1.0, 0))
    assert hearing.lost()
    assert [*have, hearing.have] == [None, 1]
    world.clock.time_s += 29
    assert hearing.lost()
    world.clock.time_s += 2
    assert not hearing.lost()


def test_a_url_that_continues_nothing_is_tried_once_more() -> None:
    world = World()
    assert not world.hearing.lost()
    world.hearing.ready(Ready())
    assert world.hearing.have is None
    world.sent(5)
    again = World(before=world.hearing)
    assert again.hearing.is_resuming
    assert not again.hearing.lost()


@pytest.mark.parametrize(("told", "came"), [(3, 2), (1, 0)])
def test_sentences_that_did_not_come_are_missed(told: int, came: int) -> None:
    world = World()
    world.hearing.ready(Ready(30.0, 0))
    for index in range(came):
        world.take(Final("A.", 0.0, 1.0, index))
    with pytest.raises(UnreachableError):
        world.hearing.check(Complete(sentences=told))
    world.hearing.check(Complete(sentences=came))
    world.hearing.check(Complete())
