"""How long the last words are waited for, once no more audio is wanted.

Owns one limit over everything that may then still be under way: a connection that is being made,
audio that is being sent, text that is to come. Knows none of them.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

from sayd_cli.errors import UnconfirmedError
from sayd_cli.listening.rules import Rules


class Patience:
    """A limit that begins when asked to, and anew with everything that shows life.

    An async context manager around what is limited; calling order: ``hurry`` and ``renew`` at any
    time, before it is entered and after it is left, too.

    Args:
        rules: How long to wait.

    Raises:
        UnconfirmedError: On leaving, when time was up.
    """

    def __init__(self, rules: Rules) -> None:
        self.hurried = False
        self._rules = rules
        self._timeout: asyncio.Timeout | None = None
        """While it is entered."""
        self._has_begun = False
        self._window_s = rules.start_patience_s
        self._last_moment_s = math.inf

    async def __aenter__(self) -> Patience:
        self._timeout = await asyncio.timeout(None).__aenter__()
        self.renew()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        timeout, self._timeout = self._timeout, None
        if timeout is None:
            raise RuntimeError("it is left without being entered")
        try:
            await timeout.__aexit__(kind, error, trace)
        except TimeoutError as exc:
            raise UnconfirmedError(
                f"the service did not confirm the end within {self._window_s:g} s",
                "the last words may be missing",
            ) from exc

    def answered(self) -> None:
        """There is a connection to the service, which may have to load before it is ready."""
        if not self._has_begun:
            self._window_s = self._rules.ready_timeout_s
            self.renew()

    def begun(self) -> None:
        """The service is there, so that it may be expected to answer soon from now on."""
        self._has_begun = True
        self._window_s = self._rules.complete_timeout_s
        self.renew()

    def hurry(self, waiting_s: float) -> None:
        """From now on, wait with a limit.

        Args:
            waiting_s: Seconds of audio that still have to be sent; a service that hears no faster
                than it is spoken needs as long.
        """
        if self.hurried:
            return
        self.hurried = True
        now_s = asyncio.get_running_loop().time()
        self._last_moment_s = now_s + self._rules.complete_limit_s + waiting_s
        self.renew()

    def renew(self) -> None:
        """Something came, or was taken: begin to wait anew."""
        if not self.hurried or self._timeout is None or self._timeout.expired():
            return
        now_s = asyncio.get_running_loop().time()
        self._timeout.reschedule(min(now_s + self._window_s, self._last_moment_s))
