"""Killing ``sayd listen`` and ``sayd recover`` at random instants, and what became of the words.

The real processes, server and line; only the engine and the speech are made up. A sample counts as
captured once the process has read it from its standard input, which the pipe tells.

    python -m tests.faults.kills --count 200
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import termios
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from sayd_cli.history.store import SessionStore
from sayd_cli.model.audio import SAMPLE_BYTES
from sayd_cli.server.limits import Limits
from sayd_cli.spool import segments
from tests.cli.process import command, environment
from tests.faults.engine import CodedEngine
from tests.faults.plan import Cut, Refuse
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.speech import CodedSpeech
from tests.server.running import KEY, running

RATE_HZ = 16000
LENGTH_S = 12.0
SPEED = 3.0
"""How much faster than it was spoken, where it is not live."""
SAFE_AFTER_S = 0.2

_TICK_S = 0.004
_LIMIT_S = 60.0
_RECOVERIES = 8


class Moment(StrEnum):
    """What a kill is so long after."""

    START = "start"
    """The process was started."""
    READ = "read"
    """``listen`` has read its first sample."""
    END = "end"
    """The input of ``listen`` has ended."""
    LINE = "line"
    """``recover`` has printed its first sentence."""


@dataclass(frozen=True, slots=True)
class Kill:
    """When to kill.

    Attributes:
        after: After this,
        delay_s: ... by so many seconds.
    """

    after: Moment
    delay_s: float


@dataclass(frozen=True, slots=True)
class Case:
    """What is to happen; a seed decides.

    Attributes:
        seed: The seed.
        kill: When to kill ``sayd listen``.
        live: Fed as fast as it is spoken, as a recorder does, and listened to at that pace.
        times: Whether the service gives times.
        away_s: When the service goes away, counted from the start, and for how long; None for
            never.
        recover_kills: When to kill each ``sayd recover``; those after are let be.
    """

    seed: int
    kill: Kill
    live: bool
    times: bool
    away_s: tuple[float, float] | None
    recover_kills: tuple[Kill, ...]


def drawn(seed: int) -> Case:
    """The case of a seed: killed somewhere in the middle, or near the start or the end."""
    draw = random.Random(seed)
    live = draw.random() < 0.3
    said_s = LENGTH_S if live else LENGTH_S / SPEED
    middle = Kill(Moment.READ, draw.uniform(0, said_s))
    kill = draw.choice(
        (
            middle,
            middle,
            Kill(Moment.START, draw.uniform(0, 1.5)),
            Kill(Moment.END, draw.uniform(0, 0.4)),
        )
    )
    away_s = None
    if draw.random() < 0.4:
        away_s = draw.choice((0.0, draw.uniform(0, said_s + 1))), draw.uniform(0.5, 4.0)
    recover_kills: list[Kill] = []
    while draw.random() < 0.4 and len(recover_kills) < 3:
        recover_kills.append(
            draw.choice(
                (
                    Kill(Moment.START, draw.uniform(0.2, 1.5)),
                    Kill(Moment.LINE, draw.uniform(0, 0.2)),
                )
            )
        )
    return Case(seed, kill, live, draw.random() < 0.7, away_s, tuple(recover_kills))


@dataclass(slots=True)
class Outcome:
    """What became of one case.

    Attributes:
        case: What was done.
        kills: Processes that were killed before they ended by themselves.
        words: Words that had to be there.
        heard: Words in the history.
        lost: Words that had to be there and are not.
        repeated: Words that are in the history again.
        age_s: How long before the kill the oldest sample that is not on disk was captured; 0 when
            all of them are.
        wrong: What else is not as it should be.
    """

    case: Case
    kills: int = 0
    words: int = 0
    heard: int = 0
    lost: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    age_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def is_perfect(self) -> bool:
        """Nothing is lost, nothing repeated, and everything as it should be."""
        return not (self.lost or self.repeated or self.wrong)

    def explain(self) -> str:
        """All there is to say, for a message."""
        return (
            f"{self.case}\n  kills {self.kills}, words {self.words}, heard {self.heard}, lost "
            f"{list(self.lost)}, repeated {list(self.repeated)}, age {self.age_s * 1000:.0f} ms\n"
            + "\n".join(f"  {line}" for line in self.wrong)
        )


@dataclass(frozen=True, slots=True)
class Services:
    """The base URLs of two services: one that gives times, one that does not."""

    with_times: str
    without_times: str


@asynccontextmanager
async def services() -> AsyncIterator[Services]:
    """Two services that hear coded speech."""
    limits = Limits(streams_per_key=None)
    async with (
        running(CodedEngine(), limits=limits) as with_times,
        running(CodedEngine(times=False), limits=limits) as without_times,
    ):
        yield Services(with_times, without_times)


async def kill_and_recover(
    case: Case, services: Services, home: Path, safe_after_s: float = SAFE_AFTER_S
) -> Outcome:
    """Listen, be killed, recover.

    Args:
        case: When.
        services: Who hears.
        home: An empty folder for the history and the spool.
        safe_after_s: What was captured so long before the kill must not be lost.
    """
    outcome = Outcome(case)
    url = services.with_times if case.times else services.without_times
    async with FaultProxy(HOST, urlsplit(url).port or 0) as proxy:
        env = environment(
            {
                "SAYD_HOME": str(home),
                "SAYD_API_KEY": KEY,
                "SAYD_BASE_URL": proxy.url,
                "SAYD_BACKEND": "cloud",
            }
        )
        speech = CodedSpeech(LENGTH_S, case.seed)
        going = asyncio.create_task(_go_away(proxy, case))
        try:
            printed = await _listen(case, speech, env, home, outcome, safe_after_s)
            printed += await _recover(case, env, outcome)
        finally:
            going.cancel()
            await asyncio.wait({going})
    _judge(outcome, speech, printed, home)
    return outcome


async def _go_away(proxy: FaultProxy, case: Case) -> None:
    if case.away_s is not None:
        await asyncio.sleep(case.away_s[0])
        proxy.inject(Refuse(case.away_s[1], port_closed=case.seed % 2 == 0))
        proxy.inject(Cut())


class _Feeding:
    """Speech into a pipe, at a multiple of its pace, and how much of it was read when."""

    def __init__(self, speech: CodedSpeech, fd: int, speed: float) -> None:
        self._pcm = speech.pcm(0, speech.length_samples)
        self._fd = fd
        self._speed = speed
        self._written_bytes = 0
        self._closed = False
        self._log: list[tuple[float, int]] = [(asyncio.get_running_loop().time(), 0)]
        self.has_begun = asyncio.Event()
        """Some of it was read."""
        self.has_ended = asyncio.Event()
        """All of it was."""
        os.set_blocking(fd, False)

    async def run(self) -> None:
        """Feed all of it, until the process is gone."""
        with contextlib.suppress(BrokenPipeError):
            await self._run()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while self._written_bytes < len(self._pcm):
            due_bytes = round((loop.time() - began_s) * self._speed * RATE_HZ) * SAMPLE_BYTES
            with contextlib.suppress(BlockingIOError):
                self._written_bytes += os.write(
                    self._fd, self._pcm[self._written_bytes : due_bytes]
                )
            # While the pipe is full, nothing is said: a recorder loses what it cannot write.
            late_bytes = min(due_bytes, len(self._pcm)) - self._written_bytes
            began_s += late_bytes / SAMPLE_BYTES / RATE_HZ / self._speed
            self.note()
            await asyncio.sleep(_TICK_S)
        while self.note() < len(self._pcm):  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(_TICK_S)
        self.close()
        self.has_ended.set()

    def note(self) -> int:
        """Note how much was read by now."""
        if not self._closed:
            unread = int.from_bytes(
                fcntl.ioctl(self._fd, termios.FIONREAD, b"\0" * 4), sys.byteorder
            )
            self._log.append((asyncio.get_running_loop().time(), self._written_bytes - unread))
            if self._written_bytes > unread:
                self.has_begun.set()
        return self._log[-1][1]

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._fd)

    def captured_samples(self, until_s: float) -> int:
        """How many samples had been read at that time."""
        return max(read for at_s, read in self._log if at_s <= until_s or not read) // SAMPLE_BYTES

    def captured_at_s(self, sample: int) -> float | None:
        """When this sample had not been read yet, for the last time; None if it never was."""
        before_s = self._log[0][0]
        for at_s, read in self._log:
            if read > sample * SAMPLE_BYTES:
                return before_s
            before_s = at_s
        return None


async def _listen(
    case: Case,
    speech: CodedSpeech,
    env: dict[str, str],
    home: Path,
    outcome: Outcome,
    safe_after_s: float,
) -> list[str]:
    """Listen until killed; gives what was printed."""
    out_fd, in_fd = os.pipe()
    feeding = _Feeding(speech, in_fd, 1.0 if case.live else SPEED)
    pace = "realtime" if case.live else "max"
    line = command("listen", "-", "--cloud", "-f", "jsonl", "--pace", pace)
    try:
        process = await asyncio.create_subprocess_exec(
            *line, stdin=out_fd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
    finally:
        os.close(out_fd)
    loop = asyncio.get_running_loop()
    killed_s = 0.0

    async def kill() -> None:
        nonlocal killed_s
        if case.kill.after is not Moment.START:
            await (
                feeding.has_begun if case.kill.after is Moment.READ else feeding.has_ended
            ).wait()
        await asyncio.sleep(case.kill.delay_s)
        feeding.note()
        killed_s = loop.time()
        _kill(process)

    tasks = (asyncio.create_task(feeding.run()), asyncio.create_task(kill()))
    try:
        async with asyncio.timeout(_LIMIT_S):
            out, err = await process.communicate()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        feeding.close()
    if process.returncode == -9:
        outcome.kills += 1
        kept = speech.length_samples if _is_finished(home) else _kept_samples(home)
        lost_at_s = feeding.captured_at_s(kept)
        outcome.age_s = 0.0 if lost_at_s is None else max(0.0, killed_s - lost_at_s)
        captured = feeding.captured_samples(killed_s - safe_after_s)
    else:
        captured = speech.length_samples
        if process.returncode not in (0, 4, 7):
            outcome.wrong.append(f"listen ended with {process.returncode}: {err.decode()}")
    outcome.words = len(speech.words(captured / RATE_HZ))
    return [
        message["text"]
        for message in map(json.loads, out.decode().splitlines())
        if message["type"] == "sentence" and not message.get("unconfirmed")
    ]


def _kept_samples(home: Path) -> int:
    """Where the audio on disk ends."""
    ends = [0]
    for folder in home.glob("spool/*/"):
        ends += [each.end_sample for each in segments.find(folder, RATE_HZ)]
    return max(ends)


def _is_finished(home: Path) -> bool:
    """All was confirmed, and the audio may have gone."""
    path = home / "history.sqlite3"
    if not path.exists():
        return False
    with SessionStore(path) as store:
        return any(each.duration_s is not None for each in store.list())


async def _recover(case: Case, env: dict[str, str], outcome: Outcome) -> list[str]:
    """Recover until there is nothing to recover; gives what was printed."""
    printed: list[str] = []
    kills = list(case.recover_kills)
    for _ in range(_RECOVERIES):
        process = await asyncio.create_subprocess_exec(
            *command("recover"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        async with asyncio.timeout(_LIMIT_S):
            first = b""
            if kills:
                kill = kills.pop(0)
                if kill.after is Moment.LINE and process.stdout is not None:
                    first = await process.stdout.readline()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), kill.delay_s)
                _kill(process)
            out, err = await process.communicate()
        out = first + out
        printed += out.decode().splitlines()
        if process.returncode == -9:
            outcome.kills += 1
        elif process.returncode == 0 and b"nothing was interrupted" in err:
            if out:
                outcome.wrong.append(f"printed though nothing was interrupted: {out!r}")
            return printed
        elif process.returncode not in (0, 4, 7):
            outcome.wrong.append(f"recover ended with {process.returncode}: {err.decode()}")
    outcome.wrong.append(f"never recovered: {err.decode()}")
    return printed


def _judge(outcome: Outcome, speech: CodedSpeech, printed: list[str], home: Path) -> None:
    with SessionStore(home / "history.sqlite3") as store:
        sessions = [store.sentences(each.session_id) for each in reversed(store.list())]
    sentences = [sentence for session in sessions for sentence in session]
    words = [word for sentence in sentences for word in sentence.text.split()]
    counts = Counter(words)
    expected = speech.expected_words
    outcome.heard = len(words)
    outcome.lost = tuple(word for word in expected[: outcome.words] if not counts[word])
    outcome.repeated = tuple(word for word in counts if counts[word] > 1)
    wrong = outcome.wrong
    if words != list(expected[: len(words)]):
        wrong.append(f"the history is not a beginning of what was said: {words}")
    if any(sentence.unconfirmed for sentence in sentences):
        wrong.append("a sentence is still unconfirmed")
    if sum(map(bool, sessions)) > 1:
        wrong.append(f"{len(sessions)} sessions in the history")
    texts = [sentence.text for sentence in sentences]
    unprinted = [text for text in texts if text not in printed]
    if len(unprinted) > outcome.kills:
        wrong.append(f"never printed, with {outcome.kills} kills: {unprinted}")
    if sorted(set(printed)) != sorted(printed) or not set(printed) <= set(texts):
        wrong.append(f"printed {printed}, in the history {texts}")
    left = [path.name for path in home.glob("spool/*") if path.name != ".lock"]
    if left:
        wrong.append(f"left behind: {left}")


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill it, if it still runs.

    Not by asyncio: that first looks whether the process has ended by itself, and so takes its exit
    status away from who waits for it, who then reads 255.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


async def kill_many(
    seeds: range, jobs: int, safe_after_s: float = SAFE_AFTER_S
) -> AsyncIterator[Outcome]:
    """The outcomes of many cases, as they come; ``jobs`` at a time."""
    async with services() as both:
        waiting = iter(seeds)
        under_way: set[asyncio.Task[Outcome]] = set()

        async def one(seed: int) -> Outcome:
            with tempfile.TemporaryDirectory() as home:
                return await kill_and_recover(drawn(seed), both, Path(home), safe_after_s)

        while True:
            while len(under_way) < jobs and (seed := next(waiting, None)) is not None:
                under_way.add(asyncio.create_task(one(seed)))
            if not under_way:
                return
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()


async def _main(count: int, first: int, jobs: int) -> bool:
    outcomes = []
    seeds = range(first, first + count)
    async for outcome in kill_many(seeds, jobs):
        outcomes.append(outcome)
        if not outcome.is_perfect:
            print(outcome.explain(), flush=True)
    ages_ms = sorted(outcome.age_s * 1000 for outcome in outcomes)
    late = sum(age_ms > SAFE_AFTER_S * 1000 for age_ms in ages_ms)
    print(
        f"{sum(each.kills for each in outcomes)} kills in {len(outcomes)} sessions: "
        f"{sum(len(each.lost) for each in outcomes)} words lost, "
        f"{sum(len(each.repeated) for each in outcomes)} repeated, of "
        f"{sum(each.heard for each in outcomes)}; "
        f"oldest sample not on disk {ages_ms[-1]:.0f} ms (median {ages_ms[count // 2]:.0f} ms, "
        f"{late} over {SAFE_AFTER_S * 1000:.0f} ms)"
    )
    return all(outcome.is_perfect for outcome in outcomes)


def main() -> None:
    """Kill as often as the command line says; the exit status tells whether nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=200, help="how many sessions")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    asked = parser.parse_args()
    sys.exit(0 if asyncio.run(_main(asked.count, asked.seed, asked.jobs)) else 1)


if __name__ == "__main__":
    main()
