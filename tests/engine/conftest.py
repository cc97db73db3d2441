from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sayd_cli.engine.embedded import EmbeddedEngine


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[EmbeddedEngine]:
    """The real engine, loaded once for each module of tests."""
    engine = EmbeddedEngine()
    await engine.start()
    yield engine
    await engine.close()
