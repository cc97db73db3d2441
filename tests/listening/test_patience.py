from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sayd_cli.errors import UnconfirmedError, UnreachableError
from sayd_cli.listening.patience import Patience
from sayd_cli.listening.rules import Rules

SHORT = Rules(
    start_patience_s=0.05, ready_timeout_s=0.06, complete_timeout_s=0.07, complete_limit_s=0.3
)


async def for_ever() -> None:
    async with asyncio.timeout(20):
        await asyncio.Event().wait()


async def within(patience: Patience, work: Callable[[], Awaitable[None]]) -> None:
    async with patience:
        await work()


async def runs_out(patience: Patience, work: Callable[[], Awaitable[None]] = for_ever) -> str:
    with pytest.raises(UnconfirmedError) as caught:
        await within(patience, work)
    return caught.value.message


async def test_it_waits_for_ever_while_nobody_is_in_a_hurry() -> None:
    async with Patience(SHORT) as patience:
        patience.begun()
        patience.renew()
        await asyncio.sleep(0.15)


async def test_how_long_depends_on_what_the_service_has_shown_of_itself() -> None:
    patience = Patience(SHORT)
    patience.hurry(0.0)
    assert "within 0.05 s" in await runs_out(patience)
    patience = Patience(SHORT)
    patience.answered()
    patience.hurry(0.0)
    assert "within 0.06 s" in await runs_out(patience)
    patience = Patience(SHORT)
    patience.begun()
    patience.answered()
    patience.hurry(0.0)
    assert "within 0.07 s" in await runs_out(patience)


async def test_after_it_is_left_nothing_is_limited_any_more() -> None:
    async with Patience(SHORT) as patience:
        pass
    patience.hurry(0.0)
    patience.answered()
    patience.begun()
    patience.renew()


async def test_life_renews_it() -> None:
    loop = asyncio.get_running_loop()
    patience = Patience(Rules(complete_timeout_s=1.0, complete_limit_s=60.0))
    until_s = loop.time() + 1.5

    async def live() -> None:
        patience.begun()
        patience.hurry(0.0)
        while loop.time() < until_s:
            await asyncio.sleep(0.01)
            patience.renew()
        await for_ever()

    await runs_out(patience, live)
    assert loop.time() >= until_s + 0.9


async def test_life_does_not_renew_it_without_end_and_only_the_first_hurry_counts() -> None:
    loop = asyncio.get_running_loop()
    patience, began_s = Patience(SHORT), loop.time()

    async def live() -> None:
        patience.hurry(0.0)
        async with asyncio.timeout(20):
            while True:
                await asyncio.sleep(0.01)
                patience.hurry(1000.0)
                patience.renew()

    await runs_out(patience, live)
    assert loop.time() >= began_s + 0.25


@pytest.mark.parametrize("error", [UnreachableError("gone"), TimeoutError("not ours")])
async def test_an_error_of_what_is_limited_is_not_hidden(error: Exception) -> None:
    patience = Patience(SHORT)
    patience.hurry(0.0)

    async def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await within(patience, fail)
    assert caught.value is error
