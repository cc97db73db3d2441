"""Asking a run to pause, and to go on."""

from __future__ import annotations

import asyncio


class PauseSwitch:
    """On or off, as the user likes. To be used from the event loop's thread."""

    def __init__(self) -> None:
        self._going_on = asyncio.Event()
        self._going_on.set()

    @property
    def paused(self) -> bool:
        """Whether nothing is to be heard now."""
        return not self._going_on.is_set()

    def toggle(self) -> None:
        """Pause, or go on."""
        if self.paused:
            self._going_on.set()
        else:
            self._going_on.clear()

    async def over(self) -> None:
        """Until it is not paused."""
        await self._going_on.wait()
