"""A listening of many hours with an outage every ten minutes: ``python -m tests.faults.soak``.

Coded speech from a microphone that is many times faster than a real one, through the real loop,
transport, spool on disk, history and server, all in this one process: what any of them keeps,
shows in its memory. Leaves with 1 when it grew, or a word was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from sayd_cli.cli.keeping import HistoryKeeper
from sayd_cli.history.store import SessionStore
from sayd_cli.model.report import Report
from sayd_cli.model.session import SessionSettings
from sayd_cli.server.limits import Limits
from sayd_cli.spool.disk import DiskSpool
from tests.faults.engine import CodedEngine
from tests.faults.plan import Cut, Direction, Fault, HalfOpen, Refuse, Reset, Truncate
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.run import RATE_HZ, Ledger, Microphone, listen
from tests.faults.score import Score, score
from tests.faults.speech import CodedSpeech
from tests.server.running import running

SPEED = 30.0
"""How much faster than a real microphone; a machine that is not busy bears 100."""

WORD_S, PAUSE_S = 0.5, 2.0
"""So that the words of eight hours can be told apart."""

RESUME_S = 0.3
"""Some outages are shorter, and the stream goes on; after the others a new session is begun."""

OUTAGES: tuple[tuple[Fault, ...], ...] = (
    (Refuse(0.1), Cut()),
    (Refuse(0.6, port_closed=True), Reset()),
    (Truncate(Direction.UP),),
    (Refuse(0.6), Cut()),
    (HalfOpen(),),
    (Truncate(Direction.DOWN),),
)
"""By turns."""

LIMIT_BYTES = 10 * 2**20
"""How much the memory may grow."""

_LOOK_EVERY_S = 0.1
_STATM = Path("/proc/self/statm")


class KeptLedger(Ledger):
    """A ledger whose sentences go to the history first."""

    def __init__(self, history: HistoryKeeper) -> None:
        super().__init__()
        self._history = history

    def take(self, report: Report) -> None:
        self._history.take(report)
        super().take(report)


@dataclass(frozen=True, slots=True)
class Plan:
    """How it goes; seconds are of audio.

    Attributes:
        length_s: How long is listened.
        speed: How much faster than a real microphone this one is.
        every_s: From one outage to the next.
        warm_s: When all is under way, and memory is looked at first.
        look_s: For how long it is looked at, then, and at the end.
    """

    length_s: float
    speed: float = SPEED
    every_s: float = 600.0
    warm_s: float = 600.0
    look_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Soaked:
    """What became of it.

    Attributes:
        score: The words.
        outages: How many there were.
        reconnections: How often the service was found again.
        start_bytes: Resident memory once all was under way: the most in ten minutes of audio.
        end_bytes: ... the most in the last ten minutes.
        peak_bytes: ... the most of all.
        spool_bytes: The most that the spool held on disk.
        kept: Sentences in the history.
        told: Sentences that were heard.
    """

    score: Score
    outages: int
    reconnections: int
    start_bytes: int
    end_bytes: int
    peak_bytes: int
    spool_bytes: int
    kept: int
    told: int

    @property
    def grown_bytes(self) -> int:
        """How much more memory it takes at its end."""
        return self.end_bytes - self.start_bytes

    def lines(self) -> list[str]:
        """For who reads it."""
        mib = 2**20
        return [
            f"{self.outages} outages, {self.reconnections} reconnections",
            self.score.explain(),
            f"memory: {self.start_bytes / mib:.1f} MiB at the start, {self.end_bytes / mib:.1f} at"
            f" the end, {self.peak_bytes / mib:.1f} at its most;"
            f" the spool at its most {self.spool_bytes / mib:.1f} MiB",
            f"history: {self.kept} sentences of {self.told}",
        ]


class Watch:
    """Looks at memory and spool, and brings the outages, by the audio that was captured."""

    def __init__(self, ledger: Ledger, proxy: FaultProxy, folder: Path, plan: Plan) -> None:
        self.outages = 0
        self.start_bytes = 0
        self.end_bytes = 0
        self.peak_bytes = 0
        self.spool_bytes = 0
        self._ledger = ledger
        self._proxy = proxy
        self._folder = folder
        self._plan = plan

    async def run(self) -> None:
        """For ever."""
        plan = self._plan
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            progress = self._ledger.progress
            captured_s = progress.captured_s if progress is not None else 0.0
            now_bytes = resident_bytes()
            self.peak_bytes = max(self.peak_bytes, now_bytes)
            if 0 <= captured_s - plan.warm_s < plan.look_s:
                self.start_bytes = max(self.start_bytes, now_bytes)
            if captured_s >= plan.length_s - plan.look_s:
                self.end_bytes = max(self.end_bytes, now_bytes)
            self.spool_bytes = max(self.spool_bytes, _folder_bytes(self._folder))
            if captured_s >= (self.outages + 1) * plan.every_s:
                for fault in OUTAGES[self.outages % len(OUTAGES)]:
                    self._proxy.inject(fault)
                self.outages += 1


async def soak(plan: Plan) -> Soaked:
    """Listen for so long."""
    speech = CodedSpeech(plan.length_s, word_s=WORD_S, pause_s=PAUSE_S)
    limits = Limits(streams_per_key=None, resume_s=RESUME_S)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "spool"
        settings = SessionSettings()
        with (
            SessionStore(Path(name) / "server.db") as archive,
            SessionStore(Path(name) / "history.db") as store,
            DiskSpool(folder, RATE_HZ) as spool,
        ):
            with HistoryKeeper(store, settings, "soak", Ledger()) as history:
                ledger = KeptLedger(history)
                async with (
                    running(CodedEngine(WORD_S, PAUSE_S), archive, limits=limits) as url,
                    FaultProxy(HOST, urlsplit(url).port or 0) as proxy,
                ):
                    watch = Watch(ledger, proxy, folder, plan)
                    watching = asyncio.create_task(watch.run())
                    microphone = Microphone(speech, plan.speed)
                    try:
                        await listen(microphone, proxy, ledger, Random(0), spool)
                    finally:
                        watching.cancel()
            spool.discard()
            if folder.exists():
                raise AssertionError("the spool left something behind")
            kept = sum(
                len(store.sentences(summary.session_id))
                for summary in store.list(limit=10, offset=0)
            )
    return Soaked(
        score([sentence.text for sentence in ledger.sentences], speech.expected_words),
        watch.outages,
        len(ledger.reconnections),
        watch.start_bytes,
        watch.end_bytes,
        watch.peak_bytes,
        watch.spool_bytes,
        kept,
        len(ledger.sentences),
    )


def resident_bytes() -> int:
    """What this process takes of the machine's memory."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _folder_bytes(folder: Path) -> int:
    size_bytes = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                size_bytes += entry.stat().st_size
            except FileNotFoundError:
                continue  # released in this moment
    return size_bytes


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--speed", type=float, default=SPEED)
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    began_s = time.monotonic()
    soaked = asyncio.run(soak(Plan(options.hours * 3600, options.speed)))
    print("\n".join(soaked.lines()))
    print(f"{time.monotonic() - began_s:.0f} s")
    is_well = soaked.score.is_perfect and soaked.grown_bytes <= LIMIT_BYTES
    return 0 if is_well and soaked.kept == soaked.told else 1


if __name__ == "__main__":
    sys.exit(main())
