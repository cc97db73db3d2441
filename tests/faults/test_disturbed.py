"""Sessions over a line that fails; ``python -m tests.faults.long`` is the long run."""

from __future__ import annotations

import asyncio

import pytest

from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.transport.pulse import WINDOW_BYTES
from tests.faults.connection import SOCKET_BYTES
from tests.faults.plain import Plain
from tests.faults.plan import TRANSIENT, Stall
from tests.faults.run import RATE_HZ, Conditions, Outcome, disturbed_session
from tests.faults.speech import TALE

DRAWN = {f"drawn {seed}": Conditions.drawn(seed) for seed in range(5)}

WITHOUT_TIMES = {
    # What is sent again begins ten seconds before what a slow service has heard by the clock; of
    # speech at five times its pace that is most of it, of speech at twice its pace some.
    "words alone": Conditions(resume_s=0, times=False),
    "words alone, slower": Conditions(resume_s=0, times=False, speed=2.0, length_s=20, faults=6),
    "words alone, late": Conditions(
        plain=Plain.ONCE, kinds=TRANSIENT[:-2], times=False, delay_s=2.0
    ),
    "words that are said again and again": Conditions(resume_s=0, times=False, text=TALE),
    "words that are said again and again, late": Conditions(
        plain=Plain.ANEW, kinds=TRANSIENT[:-2], times=False, delay_s=2.0, text=TALE
    ),
    "words that are said again and again, slower": Conditions(
        resume_s=0, times=False, speed=2.0, length_s=20, faults=6, text=TALE
    ),
    "numbers without times": Conditions(resume_s=30, times=False),
}

BREAKING = {
    "the engine breaks": Conditions(resume_s=0, fail_every=3, faults=4, length_s=20),
    "the engine of a kept stream breaks": Conditions(fail_every=3, faults=4, length_s=20),
}

EACH_KIND = {
    kind.__name__: Conditions(kinds=(kind,), faults=3, resume_s=30.0 * (n % 2), length_s=20)
    for n, kind in enumerate(TRANSIENT)
}

SLOW = {
    "the server is slower than speech": Conditions(
        length_s=40.0, speed=10.0, faults=2, kinds=(Stall,), hears_s=5.0
    )
}

SESSIONS = DRAWN | WITHOUT_TIMES | BREAKING | EACH_KIND | SLOW


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome | BaseException]:
    """All sessions; at once, for most of their time is spent in waiting."""

    async def hold() -> list[Outcome | BaseException]:
        return await asyncio.gather(
            *(disturbed_session(seed, each) for seed, each in enumerate(SESSIONS.values())),
            return_exceptions=True,
        )

    return dict(zip(SESSIONS, asyncio.run(hold()), strict=True))


def of(outcomes: dict[str, Outcome | BaseException], name: str) -> Outcome:
    outcome = outcomes[name]
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@pytest.mark.parametrize("name", SESSIONS)
def test_no_word_is_lost_and_none_comes_twice(
    outcomes: dict[str, Outcome | BaseException], name: str
) -> None:
    outcome = of(outcomes, name)
    assert outcome.is_perfect, outcome.explain()
    assert outcome.faults, outcome.story


@pytest.mark.parametrize("name", [*DRAWN, *WITHOUT_TIMES, *BREAKING])
def test_the_service_was_lost_and_found(
    outcomes: dict[str, Outcome | BaseException], name: str
) -> None:
    outcome = of(outcomes, name)
    assert outcome.faults >= SESSIONS[name].faults // 2, outcome.story
    assert outcome.reconnections > 1, outcome.story


def test_a_slow_server_is_waited_for(outcomes: dict[str, Outcome | BaseException]) -> None:
    outcome = of(outcomes, *SLOW)
    # When all was said, the server had heard half; the rest waited in the spool.
    on_the_way_s = (WINDOW_BYTES + 4 * SOCKET_BYTES) / SAMPLE_BYTES / RATE_HZ
    assert outcome.lag_s > 40.0 / 2 - on_the_way_s
