"""One service of the Listen API: its REST calls and its streams, behind the loop's port.

The cloud and our own server are reached in the same way; they differ in their address only.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sayd_cli.model.secret import Secret
from sayd_cli.model.session import BackendName, Session, SessionSettings
from sayd_cli.transport.api import ListenApi
from sayd_cli.transport.stream import WebSocketStream, open_stream


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service is, and the key to it.

    Attributes:
        name: What the user calls it.
        base_url: Such as ``https://api.sayd.dev``.
        key: The API key.
    """

    name: BackendName
    base_url: str
    key: Secret

    async def create_session(self, settings: SessionSettings) -> Session:
        """Create a session; raises what ``ListenApi.create`` raises."""
        async with ListenApi(self.base_url, self.key) as api:
            return await api.create(settings)

    def open_stream(
        self, session: Session, have: int | None = None
    ) -> AbstractAsyncContextManager[WebSocketStream]:
        """Connect to the session's stream; raises what ``open_stream`` raises."""
        watched = self.name is BackendName.CLOUD
        return open_stream(session.websocket_url, have=have, watched=watched)
