"""The connections of a run, those that failed too: whether and when to make another.

Refuses to make one, or to wait.
"""

from __future__ import annotations

from random import Random

from sayd_cli.errors import RefusedError, SaydError, ServiceFailedError, UnreachableError
from sayd_cli.listening.clock import Clock
from sayd_cli.listening.outage import Outage
from sayd_cli.listening.rules import Rules

_STEADY_S = 10.0
"""A connection that lasts so long, or on which something is heard, is a good one; after one that is
neither, the next attempt waits as if there had been none."""

_FAILURES = 3
"""After so many breakdowns of a service in a row, each soon after it was ready and none with
anything confirmed, it is the audio or the service itself that is at fault, and a further attempt
would end in the same way."""

_SOON_S = 60.0
"""A connection that lasts longer does not break on the audio that is sent again at its start. In a
silence, a service that ends its connections now and then confirms nothing, and is not at fault."""


class Attempts:
    """Calling order: ``failed`` for each attempt that fails and each connection that is lost,
    ``connected`` when one works, ``heard`` and ``confirmed`` while it does.

    Args:
        rules: How long to be patient.
        clock: Time.
        random: Spreads attempts.
    """

    def __init__(self, rules: Rules, clock: Clock, random: Random) -> None:
        self._rules = rules
        self._clock = clock
        self._random = random
        self._outage: Outage | None = None
        self._failures = 0
        self._connected_at_s = 0.0
        self._in_vain = 0
        """Before the present connection, while it is not known to be a good one."""
        self.has_begun = False
        """The service was ready once, and the user knows that it listens."""

    def connected(self) -> Outage | None:
        """The service takes audio.

        Returns:
            The outage that this ends; None the first time.
        """
        outage, self._outage = self._outage, None
        ended = outage if self.has_begun else None
        self._connected_at_s = self._clock.now_s()
        self._in_vain = 0 if outage is None else outage.attempts
        self.has_begun = True
        return ended

    def heard(self) -> None:
        """The service says what it hears: the connection is a good one."""
        self._in_vain = 0

    def confirmed(self) -> None:
        """The service has finished with some of the audio: that is not what it fails on."""
        self._failures = 0

    def failed(self, cause: SaydError, *, stopping: bool, can_wait: bool) -> Outage:
        """An attempt has failed, or a connection is lost.

        Args:
            cause: Why; retryable.
            stopping: Somebody wants the run to end.
            can_wait: Nothing is missed while nobody listens, so that an outage has a limit.

        Returns:
            The outage, which says when to try again.

        Raises:
            SaydError: There is no point in trying again.
        """
        if self._outage is None:
            self._give_up_if_at_fault(cause)
            self._outage = self._begin_outage()
        self._give_up_if_hopeless(cause, self._outage, stopping=stopping, can_wait=can_wait)
        return self._outage

    def _begin_outage(self) -> Outage:
        now_s = self._clock.now_s()
        is_steady = now_s - self._connected_at_s >= _STEADY_S
        return Outage(now_s, self._random, attempts=0 if is_steady else self._in_vain)

    def _give_up_if_at_fault(self, cause: SaydError) -> None:
        """A connection that worked is lost, and why. That none can be made is no such failure."""
        if not self.has_begun or not isinstance(cause, ServiceFailedError):
            return
        if self._clock.now_s() - self._connected_at_s > _SOON_S:
            self._failures = 0
        self._failures += 1
        if self._failures >= _FAILURES:
            raise RefusedError(cause.message, "try again later") from cause

    def _give_up_if_hopeless(
        self, cause: SaydError, outage: Outage, *, stopping: bool, can_wait: bool
    ) -> None:
        lasted_s = self._clock.now_s() - outage.began_s
        if not self.has_begun:
            unreachable = isinstance(cause, UnreachableError)
            too_long = unreachable and lasted_s >= self._rules.start_patience_s
            if too_long or isinstance(cause, ServiceFailedError) or stopping:
                raise cause
        if can_wait and lasted_s >= self._rules.outage_limit_s:
            raise cause
