"""The long run of the disturbed sessions: ``python -m tests.faults.long``.

Each session has its own seed, which decides what is said, under which conditions, and the faults.
With ``--real`` it is real speech and the real engine, half of the sessions on a server that keeps
streams, half on one that does not. Prints what went wrong, and leaves with 1 if anything did.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from sayd_cli.engine.embedded import EmbeddedEngine
from sayd_cli.server.limits import Limits
from tests.faults.real import Hearing, both, errors_undisturbed, real_session
from tests.faults.run import Conditions, Outcome, disturbed_session
from tests.server.running import running

AT_ONCE = 8

_SERVERS = {False: "streams are kept", True: "every outage takes a new session"}

_POINT = 0.01


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
            if outcome.recoveries:
                print(f"seed {own_seed}: recovered, {outcome.ended}", flush=True)
            if not outcome.is_perfect:
                print(outcome.explain(), flush=True)
            if tally.sessions % 10 == 0:
                print(f"{tally.sessions} sessions, {tally.faults} faults", file=sys.stderr)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return tally


@dataclass
class RealTally:
    """What became of the sessions with the real engine on one kind of server."""

    words: int = 0
    errors: int = 0
    reconnections: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, hearing: Hearing) -> None:
        """Count one session."""
        self.words += hearing.words
        self.errors += hearing.errors
        self.reconnections += hearing.reconnections
        self.counts += hearing.counts

    @property
    def rate(self) -> float:
        """Word errors over words."""
        return self.errors / max(1, self.words)


async def run_real(sessions: int, faults: int, seed: int) -> bool:
    """So many sessions on each kind of server; whether all was well."""
    recording = both()
    tallies = {False: RealTally(), True: RealTally()}
    engine = EmbeddedEngine()
    async with running(engine, limits=Limits(streams_per_key=None)) as url:
        undisturbed = await errors_undisturbed(engine, recording) / recording.words
        for own_seed in range(seed, seed + sessions):
            for hearing in await asyncio.gather(
                real_session(url, recording, own_seed, faults, plain=False),
                real_session(url, recording, own_seed, faults, plain=True),
            ):
                tallies[hearing.plain].add(hearing)
                print(
                    f"seed {own_seed}, {_SERVERS[hearing.plain]}: {hearing.counts.total()} faults,"
                    f" {hearing.errors} errors in {hearing.words} words",
                    flush=True,
                )
    print(f"undisturbed: word error rate {undisturbed:.2%} of {recording.words} words")
    for plain, tally in tallies.items():
        print(
            f"{_SERVERS[plain]}: word error rate {tally.rate:.2%} of {tally.words} words,"
            f" {tally.counts.total()} faults, {tally.reconnections} reconnections"
        )
    return all(tally.rate <= undisturbed + _POINT for tally in tallies.values())


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.long", description=__doc__)
    parser.add_argument("--sessions", type=int, help="100; with --real 6 on each kind of server")
    parser.add_argument("--faults", type=int, default=10, help="in each session")
    parser.add_argument("--seed", type=int, default=0, help="of the first session")
    parser.add_argument("--real", action="store_true", help="real speech and the real engine")
    options = parser.parse_args()
    # Engines break on purpose, and the server logs each time.
    logging.disable(logging.ERROR)
    began_s = time.monotonic()
    if options.real:
        is_well = asyncio.run(run_real(options.sessions or 6, options.faults, options.seed))
    else:
        tally = asyncio.run(run(options.sessions or 100, options.faults, options.seed))
        print("\n".join(tally.lines()))
        is_well = tally.is_perfect
    print(f"{time.monotonic() - began_s:.0f} s")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
