"""The workers and their queue, with a decoder that answers when the test says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sayd_cli.engine.decoding import DecodePool, Urgency
from sayd_cli.errors import EngineMissingError, SaydError

if TYPE_CHECKING:
    from sayd_cli.engine.level import Pcm

LIMIT_S = 10


class Scripted:
    """Answers the clip's first sample, one for each permit; a negative sample is a failure."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.taken: list[int] = []
        self.order: list[int] = []
        self.closed = False

    def decode(self, pcm: Pcm) -> str:
        number = int(pcm[0])
        self.taken.append(number)
        self.begun.release()
        assert self.permits.acquire(timeout=LIMIT_S)
        self.order.append(number)
        if number < 0:
            raise ValueError("no such clip")
        return str(number)

    def close(self) -> None:
        self.closed = True


def clip(number: int) -> Pcm:
    return np.array([number], np.int16)


@asynccontextmanager
async def one_worker(decoder: Scripted) -> AsyncIterator[DecodePool]:
    """A pool whose only worker is busy with clip 0, of nobody."""
    pool = DecodePool(lambda: decoder, workers=1)
    await pool.start()
    busy = pool.submit(object(), clip(0), Urgency.FINAL)
    assert await asyncio.to_thread(decoder.begun.acquire, timeout=LIMIT_S)
    yield pool
    decoder.permits.release(100)
    await pool.close()
    assert decoder.closed
    assert busy.done()


async def test_finals_go_before_partials_and_the_oldest_first() -> None:
    decoder = Scripted()
    async with one_worker(decoder) as pool:
        partial = pool.submit("a", clip(1), Urgency.PARTIAL)
        finals = [pool.submit(owner, clip(at), Urgency.FINAL) for at, owner in ((2, "a"), (3, "b"))]
        decoder.permits.release(4)
        texts = await asyncio.wait_for(asyncio.gather(*finals, partial), LIMIT_S)
    assert texts == ["2", "3", "1"]
    assert decoder.order == [0, 2, 3, 1]


async def test_one_of_two_workers_is_kept_free_of_partials() -> None:
    decoder = Scripted()
    pool = DecodePool(lambda: decoder, workers=2)
    await pool.start()
    partials = [pool.submit(owner, clip(at), Urgency.PARTIAL) for at, owner in ((1, "a"), (2, "b"))]
    assert await asyncio.to_thread(decoder.begun.acquire, timeout=LIMIT_S)
    final = pool.submit("c", clip(3), Urgency.FINAL)
    assert await asyncio.to_thread(decoder.begun.acquire, timeout=LIMIT_S)
    assert sorted(decoder.taken) == [1, 3]
    decoder.permits.release(3)
    assert await asyncio.wait_for(asyncio.gather(*partials, final), LIMIT_S) == ["1", "2", "3"]
    await pool.close()


async def test_a_newer_partial_takes_the_place_of_the_owners_older_one() -> None:
    decoder = Scripted()
    async with one_worker(decoder) as pool:
        older = pool.submit("a", clip(1), Urgency.PARTIAL)
        other = pool.submit("b", clip(2), Urgency.PARTIAL)
        newer = pool.submit("a", clip(3), Urgency.PARTIAL)
        decoder.permits.release(3)
        await asyncio.wait_for(asyncio.gather(other, newer), LIMIT_S)
    assert older.cancelled()
    assert decoder.order == [0, 2, 3]


async def test_what_an_owner_gives_up_is_not_decoded() -> None:
    decoder = Scripted()
    async with one_worker(decoder) as pool:
        dropped = [pool.submit("a", clip(1), Urgency.FINAL)]
        dropped.append(pool.submit("a", clip(2), Urgency.PARTIAL))
        cancelled = pool.submit("b", clip(3), Urgency.FINAL)
        kept = pool.submit("b", clip(4), Urgency.FINAL)
        pool.drop("a")
        cancelled.cancel()
        decoder.permits.release(2)
        assert await asyncio.wait_for(kept, LIMIT_S) == "4"
    assert all(future.cancelled() for future in dropped)
    assert decoder.order == [0, 4]


async def test_a_failed_decode_is_told_and_the_worker_lives_on() -> None:
    decoder = Scripted()
    async with one_worker(decoder) as pool:
        bad = pool.submit("a", clip(-1), Urgency.FINAL)
        good = pool.submit("a", clip(1), Urgency.FINAL)
        decoder.permits.release(3)
        with pytest.raises(SaydError, match="no such clip") as caught:
            await asyncio.wait_for(bad, LIMIT_S)
        assert isinstance(caught.value.__cause__, ValueError)
        assert await asyncio.wait_for(good, LIMIT_S) == "1"


async def test_closing_waits_for_the_decode_under_way_and_drops_the_rest() -> None:
    decoder = Scripted()
    async with one_worker(decoder) as pool:
        queued = pool.submit("a", clip(1), Urgency.FINAL)
        closing = asyncio.create_task(pool.close())
        await asyncio.wait([queued], timeout=LIMIT_S)
        assert queued.cancelled()
        assert not decoder.closed
        assert pool.submit("a", clip(2), Urgency.FINAL).cancelled()
        decoder.permits.release()
        await asyncio.wait_for(closing, LIMIT_S)
    assert decoder.order == [0]


async def test_a_decoder_that_cannot_be_opened_fails_the_start() -> None:
    def refuse() -> Scripted:
        raise EngineMissingError("not here")

    before = threading.active_count()
    with pytest.raises(EngineMissingError, match="not here"):
        await DecodePool(refuse, workers=2).start()
    assert threading.active_count() <= before + 1  # asyncio's own thread for waiting
