"""Asking a run to stop: by a signal, by a rule, once and for one reason."""

from __future__ import annotations

import asyncio

from sayd_cli.model.report import EndReason


class StopSignal:
    """A request to stop; the first reason given is the one that counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._reason: EndReason | None = None

    @property
    def reason(self) -> EndReason | None:
        """Why; None while nobody has asked."""
        return self._reason

    def request(self, reason: EndReason) -> None:
        """Ask the run to stop. To be called from the event loop's thread."""
        if self._reason is None:
            self._reason = reason
            self._event.set()

    async def wait(self) -> None:
        """Until somebody asks."""
        await self._event.wait()
