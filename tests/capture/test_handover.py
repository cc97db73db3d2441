from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from sayd_cli.capture.handover import Handover, pump
from sayd_cli.errors import InputError


async def drained(handover: Handover) -> list[bytes]:
    blocks = []
    while (block := await handover.get()) is not None:
        blocks.append(block)
    return blocks


async def test_blocks_come_out_as_they_went_in() -> None:
    handover = Handover(1 << 20)
    blocks = [bytes([i % 256]) * (1 + i % 7) for i in range(3000)]

    def produce() -> None:
        for block in blocks:
            assert handover.put(block)
        handover.close()

    thread = threading.Thread(target=produce)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(drained(handover))
        await asyncio.sleep(0)
        thread.start()
        assert await waiting == blocks
    thread.join()


async def test_a_reader_waits_for_room_and_is_let_go_by_close() -> None:
    handover = Handover(8)
    given: list[int] = []

    def blocks() -> Iterator[bytes]:
        for i in range(1000):
            given.append(i)
            yield bytes(4)

    pump(blocks(), handover, "test")
    async with asyncio.timeout(20):
        for _ in range(10):
            assert await handover.get() == bytes(4)
        handover.close()
        rest = await drained(handover)
    assert len(rest) <= 3
    assert len(given) <= 14


async def test_an_error_of_the_reader_is_kept_behind_its_blocks() -> None:
    handover = Handover(100)
    error = InputError("damaged")

    def blocks() -> Iterator[bytes]:
        yield b"good"
        raise error

    pump(blocks(), handover, "test")
    async with asyncio.timeout(20):
        assert await drained(handover) == [b"good"]
    assert handover.error is error


async def test_closing_keeps_what_lies_in_it_and_discarding_drops_it() -> None:
    for end, left in ((Handover.close, [b"one", b"two"]), (Handover.discard, [])):
        handover = Handover(100)
        assert handover.put(b"one")
        assert handover.put(b"two")
        end(handover)
        assert not handover.put(b"three")
        async with asyncio.timeout(20):
            assert await drained(handover) == left


async def test_an_error_behind_what_is_discarded_is_not_told() -> None:
    handover = Handover(100)
    assert handover.put(b"good")
    handover.close(InputError("damaged"))
    handover.discard()
    assert await handover.get() is None
    assert handover.error is None


async def test_discarding_wakes_who_waits() -> None:
    taker, full = Handover(100), Handover(3)
    assert full.put(b"full")
    async with asyncio.timeout(20):
        taking = asyncio.create_task(taker.get())
        putting = asyncio.create_task(asyncio.to_thread(full.put, b"more"))
        await asyncio.sleep(0)
        taker.discard()
        full.discard()
        assert await taking is None
        assert await putting is False


async def test_a_reader_that_finds_nothing_learns_that_nothing_is_wanted() -> None:
    handover = Handover(100)
    ended = threading.Event()

    def blocks() -> Iterator[bytes]:
        try:
            while True:
                yield b""
        finally:
            ended.set()

    pump(blocks(), handover, "test")
    handover.close()
    assert await asyncio.to_thread(ended.wait, 20)


@pytest.mark.parametrize("first", [None, InputError("first")])
async def test_the_first_close_decides(first: InputError | None) -> None:
    handover = Handover(100)
    handover.close(first)
    handover.close(InputError("second"))
    assert await handover.get() is None
    assert handover.error is first


def test_a_block_after_the_loop_has_gone_harms_nobody() -> None:
    handover = Handover(100)

    async def take() -> None:
        assert handover.put(b"x")
        await handover.get()

    asyncio.run(take())
    assert handover.put(b"y")
    handover.close()
