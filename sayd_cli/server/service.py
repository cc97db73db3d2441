"""What every request and stream of one server shares, and how long it lives."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType

from sayd_cli.engine.port import Engine
from sayd_cli.errors import SaydError
from sayd_cli.history.store import SessionStore
from sayd_cli.server.archive import Archive
from sayd_cli.server.keys import KeyRing
from sayd_cli.server.limits import Limits
from sayd_cli.server.streams import OpenStreams

_log = logging.getLogger(__name__)


class Service:
    """The engine, the archive, the keys and the open streams.

    An async context manager: entering begins to load the engine and does not wait for it;
    leaving closes it. No stream may be open by then (``streams.drain``).

    Args:
        engine: Not started.
        store: Open, and not used by anybody else meanwhile.
        keys: Who may use it.
        limits: How much.
    """

    def __init__(
        self, engine: Engine, store: SessionStore, keys: KeyRing, limits: Limits | None = None
    ) -> None:
        self.keys = keys
        self.limits = limits or Limits()
        self.streams = OpenStreams(self.limits)
        self.archive = Archive(store)
        self.engine_name = engine.name
        self.languages = engine.languages
        self._engine = engine
        self._loading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Service:
        self._loading = asyncio.create_task(self._engine.start(), name="sayd-engine-start")
        self._loading.add_done_callback(_note)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._loading is not None:
                # A start cannot be called off: it is a thread that reads a file.
                await asyncio.wait({self._loading})
            await self._engine.close()
        finally:
            await self.archive.close()

    @property
    def failure(self) -> BaseException | None:
        """Why the engine did not load; None while it loads and when it did."""
        loading = self._loading
        if loading is None or not loading.done() or loading.cancelled():
            return None
        return loading.exception()

    async def engine(self) -> Engine:
        """The engine, once it is loaded.

        Raises:
            EngineMissingError: It cannot be; see ``Engine.start``.
        """
        if self._loading is None:
            raise RuntimeError("the service is not entered")
        await asyncio.shield(self._loading)
        return self._engine


def _note(loading: asyncio.Task[None]) -> None:
    if loading.cancelled():
        return
    failure = loading.exception()
    if isinstance(failure, SaydError):
        _log.warning("the engine did not load: %s", failure.message)
    elif failure is not None:
        _log.error("the engine did not load", exc_info=failure)
