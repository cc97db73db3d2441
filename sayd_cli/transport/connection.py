"""A WebSocket that tells when bytes arrive, of whatever kind: the library answers pings itself, and
says nothing of them. Import it where it is used: the library is not cheap.
"""

from __future__ import annotations

from collections.abc import Callable

from websockets.asyncio.client import ClientConnection


class HeardConnection(ClientConnection):
    """Calls ``on_data`` whenever something comes from the other end, once that is set."""

    on_data: Callable[[], None] | None = None

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.on_data is not None:
            self.on_data()
        super().data_received(data)
