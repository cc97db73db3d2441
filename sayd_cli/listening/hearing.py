"""One session of the service: what is sent to it and what it says, over one or more connections.

Owns which of its texts are new, where in the captured audio they lie, and up to where that audio
is confirmed by them. Knows nothing of connections that fail, and of who is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sayd_cli.errors import ProtocolError, UnreachableError
from sayd_cli.listening.clock import Clock
from sayd_cli.listening.feeding import Feeding
from sayd_cli.model.events import Complete, Final, Partial, Ready
from sayd_cli.model.session import Session
from sayd_cli.transcript.overlap import Overlap
from sayd_cli.transcript.sequence import Sequence

MARGIN_S = 10.0
"""How much later than its audio a sentence without times may come from a service that keeps up."""

IN_FLIGHT_S = 30.0
"""How much audio may be sent and not have arrived: what a connection takes of the smallest codec
before its other end has read anything, and some more."""

_AHEAD_S = 1.0
"""How far after the audio that was sent a service's times may lie by its way of counting."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a session says, without what is known, and placed in the captured audio.

    Attributes:
        event: A final of which nothing is left still tells that interim text before it is over.
        is_known: All of it was heard before.
    """

    event: Partial | Final
    is_known: bool = False


class Hearing:
    """A session that is under way.

    Calling order: for each connection ``ready``, then ``texts`` for what comes; ``lost`` when it
    fails, and then, where it says so, the same again.

    Args:
        session: As the service created it.
        feeding: Sends it audio.
        overlap: Tells what is heard again from what is new.
        clock: Time.
        before: What heard the session on earlier connections that this one does not continue, and
            hears no more.
    """

    def __init__(
        self,
        session: Session,
        feeding: Feeding,
        *,
        overlap: Overlap,
        clock: Clock,
        before: Hearing | None = None,
    ) -> None:
        self.session = session
        self.feeding = feeding
        self._streamed_s = 0.0 if before is None else before.streamed_s
        self.is_resuming = self._streamed_s > 0
        """The next connection is to a stream that was open before."""
        self.is_asked_to_end = False
        """``end`` was sent, on this connection or an earlier one."""
        self._sequence: Sequence = Sequence() if before is None else before._sequence
        self._sequence.reconnected()
        self._overlap = overlap
        self._clock = clock
        self._arrived_s = 0.0 if before is None else before._surely_arrived_s
        self._told_s: float = 0.0 if before is None else before._told_s
        """The latest time that a sentence of the session was said to end at."""
        self._counts_on: bool | None = None if before is None else before._counts_on
        """Its times count on over connections that it does not continue; None: not known yet."""
        self._resume_s: float | None = None
        self._lost_at_s: float | None = None
        self._was_ready = False

    @property
    def have(self) -> int | None:
        """How many sentences came, for a service that can be asked for the others."""
        return self._sequence.next_index if self._sequence.strict and self.is_resuming else None

    @property
    def streamed_s(self) -> float:
        """How much was sent on the session's stream, in seconds."""
        return self._streamed_s + self._sent_s

    @property
    def continues(self) -> bool:
        """Whether the service can continue a stream; else the same URL begins another."""
        return self._sequence.strict

    def ready(self, ready: Ready) -> None:
        """The service takes audio now.

        Raises:
            ProtocolError: It does not continue the stream where it has to.
        """
        if self.continues and self.is_resuming:
            received = ready.received_samples
            if received is None or received > self.feeding.timeline.stream_samples:
                raise ProtocolError("the service does not continue the stream where it ended")
            self.feeding.continue_at(received)
        elif ready.received_samples == 0:
            self._sequence.strict = True
        self._resume_s = ready.resume_s
        self._was_ready = True
        self.is_resuming = False
        self._lost_at_s = None

    def lost(self) -> bool:
        """The connection is lost, or could not be made; whether to try the same URL again."""
        tried, self.is_resuming = self.is_resuming, True
        now_s = self._clock.now_s()
        if self._lost_at_s is None:
            self._lost_at_s = now_s
        if not self._was_ready:
            return False
        if self.continues and self._resume_s is not None:
            return now_s - self._lost_at_s < self._resume_s
        return not tried

    def texts(self, message: Partial | Final) -> Iterator[Said]:
        """What a message says, in order."""
        self.feeding.said()
        if isinstance(message, Partial):
            text = self._overlap.peek(message.text)
            yield Said(self._placed(replace(message, text=text)))
            return
        self._told_s = max(self._told_s, min(message.end_s or 0.0, self.streamed_s))
        for final in self._sequence.take(message):
            text = self._overlap.remove(final.text)
            is_known = bool(final.text) and not text
            yield Said(self._placed(replace(final, text=text)), is_known)

    def confirmed_sample(self, end_s: float | None) -> int:
        """Up to where the captured audio is surely confirmed by a sentence of the session.

        Args:
            end_s: Where the sentence ends, in the captured audio; None when that is not known.
        """
        timeline = self.feeding.timeline
        if end_s is not None:
            confirmed_s = min(end_s, timeline.captured_until_s)
        else:
            confirmed_s = timeline.end_s(max(0.0, self.feeding.heard_s() - MARGIN_S))
        return self._sample(confirmed_s)

    def completed_sample(self, complete: Complete) -> int:
        """Up to where the captured audio is surely heard, with words in it or without, when the
        service has completed the session before all of it was sent.
        """
        timeline = self.feeding.timeline
        if complete.duration_ms is None:
            heard_s = self._sent_s - IN_FLIGHT_S
        else:
            heard_s = min(self._sent_s, complete.duration_ms / 1000) - MARGIN_S
        return self._sample(timeline.end_s(max(0.0, heard_s)))

    def check(self, complete: Complete) -> None:
        """Whether everything came.

        Raises:
            UnreachableError: The service says that there were more sentences than came.
        """
        if (
            self._sequence.strict
            and complete.sentences is not None
            and complete.sentences > self._sequence.next_index
        ):
            raise UnreachableError("the stream ended before all its sentences came")

    def _sample(self, captured_s: float) -> int:
        return int(captured_s * self.feeding.timeline.sample_rate_hz + 1e-6)

    def _placed(self, message: Partial | Final) -> Partial | Final:
        """The message with its times in the captured audio, not in the stream."""
        timeline = self.feeding.timeline
        start_s, end_s = message.start_s, message.end_s
        offset_s = self._offset_s(end_s)
        if start_s is None or offset_s is None or start_s < offset_s:
            # Without a start it is approximate. It ends no later than by counting anew.
            start_s, offset_s = None, 0.0
            end_s = None if end_s is None else min(end_s, self._sent_s)
        if end_s is not None:
            end_s = timeline.end_s(end_s - offset_s) if end_s >= offset_s else None
        if start_s is not None:
            start_s = timeline.start_s(start_s - offset_s)
            # What is all in silence that was put in has its end before it, its start after it.
            start_s = start_s if end_s is None else min(start_s, end_s)
        return replace(message, start_s=start_s, end_s=end_s)

    def _offset_s(self, end_s: float | None) -> float | None:
        """What to take off the times; None while it is not known."""
        if not self._streamed_s:
            return 0.0
        if self._counts_on is None and end_s is not None:
            self._decide(end_s)
        if self._counts_on is None:
            return None
        return self._streamed_s if self._counts_on else 0.0

    def _decide(self, end_s: float) -> None:
        """Find out how the service counts, by the first time that only one way can give.

        A time by which a service counts on can look like one by which it counts anew: as much is
        sent again in a moment as was sent before. Taken for the wrong one, it would confirm audio
        that is not heard yet; so of one that is possible both ways nothing is believed.
        """
        if not 0 < end_s <= self.streamed_s + _AHEAD_S:
            return
        # By counting on, it is no later than this in the present stream, and may be late itself.
        latest_s = end_s - self._arrived_s
        counts_on = latest_s >= max(0.0, self.feeding.heard_s() - MARGIN_S - IN_FLIGHT_S)
        counts_anew = end_s <= self._sent_s + _AHEAD_S
        if counts_on != counts_anew:
            self._counts_on = counts_on

    @property
    def _sent_s(self) -> float:
        """How much was sent on the present connection, or on those that it continues."""
        timeline = self.feeding.timeline
        return timeline.stream_samples / timeline.sample_rate_hz

    @property
    def _surely_arrived_s(self) -> float:
        """How much of the session's stream a service that counts on has at least.

        What it had told of had arrived, and of the rest all but what was on its way.
        """
        return max(self._told_s, self.streamed_s - IN_FLIGHT_S)
