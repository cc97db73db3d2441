"""The source of a run that only hears what is waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Self

from sayd_cli.model.audio import Frame, Interruption


class EndedSource:
    """A source that has ended: all there is to hear is in the spool."""

    live = False
    can_wait = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def frames(self) -> AsyncIterator[Frame | Interruption]:
        """Give none."""
        nothing: tuple[Frame, ...] = ()
        for frame in nothing:
            yield frame

    def stop(self) -> None:
        """Change nothing."""

    def notices(self) -> list[str]:
        """Tell nothing."""
        return []
