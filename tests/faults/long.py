"""The long run of the disturbed sessions: ``python -m tests.faults.long``.

Each session has its own seed, which decides what is said, under which conditions, and the faults.
Prints what went wrong, and leaves with 1 if anything did.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.run import Conditions, Outcome, disturbed_session

AT_ONCE = 8


@dataclass
class Tally:
    """What became of all sessions.

    Attributes:
        failed: Sessions that ended with an error, and what it was.
    """

    sessions: int = 0
    words: int = 0
    lost: int = 0
    repeated: int = 0
    out_of_order: int = 0
    strange: int = 0
    misplaced: int = 0
    reconnections: int = 0
    recoveries: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Of all kinds."""
        return self.counts.total()

    @property
    def is_perfect(self) -> bool:
        """Nothing went wrong."""
        wrong = self.lost + self.repeated + self.out_of_order + self.strange + self.misplaced
        return not wrong and not self.failed

    def add(self, outcome: Outcome) -> None:
        """Count one session."""
        self.sessions += 1
        self.words += outcome.words
        self.lost += len(outcome.score.lost)
        self.repeated += len(outcome.score.repeated)
        self.out_of_order += len(outcome.score.out_of_order)
        self.strange += len(outcome.score.strange)
        self.misplaced += outcome.wrong_times
        self.reconnections += outcome.reconnections
        self.recoveries += outcome.recoveries
        self.counts += outcome.counts

    def lines(self) -> list[str]:
        """For who reads it."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.counts.items()))
        return [
            f"{self.sessions} sessions, {self.words} words, {self.faults} faults: {kinds}",
            f"{self.reconnections} reconnections, {self.recoveries} recoveries",
            f"words lost {self.lost}, repeated {self.repeated}, out of order {self.out_of_order},"
            f" never said {self.strange}; sentences misplaced {self.misplaced};"
            f" sessions failed {len(self.failed)}",
        ]


async def run(sessions: int, faults: int, seed: int) -> Tally:
    """So many sessions, and more until there were so many faults in each of them on average: a
    fault that waits for its occasion, such as two neighbouring sentences, may never have it.
    """
    tally = Tally()
    seeds = iter(range(seed, seed + 2 * sessions))

    async def work() -> None:
        for own_seed in seeds:
            if own_seed >= seed + sessions and tally.faults >= sessions * faults:
                return
            try:
                outcome = await disturbed_session(own_seed, Conditions.drawn(own_seed, faults))
            except Exception as exc:  # noqa: BLE001 - one session's end is not that of the others
                tally.failed.append(f"seed {own_seed}: {exc!r}")
                print(tally.failed[-1], flush=True)
                continue
            tally.add(outcome)
            if not outcome.is_perfect:
                print(outcome.explain(), flush=True)
            if tally.sessions % 10 == 0:
                print(f"{tally.sessions} sessions, {tally.faults} faults", file=sys.stderr)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return tally


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.long", description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--faults", type=int, default=10, help="in each session")
    parser.add_argument("--seed", type=int, default=0, help="of the first session")
    options = parser.parse_args()
    # Engines break on purpose, and the server logs each time.
    logging.disable(logging.ERROR)
    began_s = time.monotonic()
    tally = asyncio.run(run(options.sessions, options.faults, options.seed))
    print("\n".join(tally.lines()))
    print(f"{time.monotonic() - began_s:.0f} s")
    return 0 if tally.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())
