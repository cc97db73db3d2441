"""Real speech over a line that fails; ``python -m tests.faults.long --real`` is the long run."""

from __future__ import annotations

import asyncio

from sayd_cli.engine.embedded import EmbeddedEngine
from sayd_cli.server.limits import Limits
from tests.faults.real import errors_undisturbed, real_session, two_cities
from tests.server.running import running

POINT = 0.01
"""Of the word error rate."""


async def test_what_is_heard_is_as_good_as_over_a_line_that_does_not_fail() -> None:
    recording = two_cities()
    engine = EmbeddedEngine()
    async with running(engine, limits=Limits(streams_per_key=None)) as url:
        kept, anew, undisturbed_errors = await asyncio.gather(
            real_session(url, recording, 1, 8, plain=False),
            real_session(url, recording, 2, 8, plain=True),
            errors_undisturbed(engine, recording),
        )
    assert undisturbed_errors < 0.08 * recording.words
    for hearing in (kept, anew):
        assert hearing.counts.total() >= 6, hearing.story
        assert hearing.reconnections >= 2, hearing.story
        assert hearing.errors <= undisturbed_errors + POINT * hearing.words, hearing.story
