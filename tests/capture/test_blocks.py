from __future__ import annotations

import asyncio
import threading

from sayd_cli.capture.blocks import BlockQueue


async def drained(blocks: BlockQueue) -> list[bytes]:
    taken = []
    while (block := await blocks.get()) is not None:
        taken.append(block)
    return taken


async def test_blocks_come_out_as_they_went_in() -> None:
    blocks = BlockQueue(1 << 20)
    given = [bytes([i % 256]) * (1 + i % 7) for i in range(3000)]

    def produce() -> None:
        for block in given:
            blocks.offer(block)
        blocks.close()

    thread = threading.Thread(target=produce)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(drained(blocks))
        await asyncio.sleep(0)
        thread.start()
        assert await waiting == given
    thread.join()
    assert blocks.held_bytes == 0


async def test_no_block_is_slept_through() -> None:
    there, back = BlockQueue(1 << 20), BlockQueue(1 << 20)
    loop = asyncio.get_running_loop()

    def answer() -> None:
        for _ in range(2000):
            block = asyncio.run_coroutine_threadsafe(there.get(), loop).result(20)
            assert block is not None
            back.offer(block)

    thread = threading.Thread(target=answer)
    thread.start()
    async with asyncio.timeout(60):
        for i in range(2000):
            there.offer(bytes([i % 256]))
            assert await back.get() == bytes([i % 256])
    await asyncio.to_thread(thread.join)


async def test_what_finds_no_room_is_counted_and_the_rest_is_kept() -> None:
    blocks = BlockQueue(10)
    for _ in range(5):
        blocks.offer(bytes(4))
    assert blocks.lost_bytes == 8  # 12 are in: the limit is looked at before a block, not after
    assert blocks.held_bytes == 12
    assert await blocks.get() == bytes(4)
    blocks.offer(b"last")
    blocks.close()
    blocks.offer(b"too late")
    assert await drained(blocks) == [bytes(4), bytes(4), b"last"]
    assert blocks.lost_bytes == 8


async def test_closing_wakes_who_waits() -> None:
    blocks = BlockQueue(10)
    waiting = asyncio.create_task(drained(blocks))
    await asyncio.sleep(0)
    threading.Thread(target=blocks.close).start()
    async with asyncio.timeout(20):
        assert await waiting == []


def test_a_block_after_the_loop_has_gone_harms_nobody() -> None:
    blocks = BlockQueue(100)

    async def take() -> None:
        blocks.offer(b"x")
        await blocks.get()

    asyncio.run(take())
    blocks.offer(b"y")
    blocks.close()
