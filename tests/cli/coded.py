"""A service that hears coded speech, for the real ``sayd`` in processes of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sayd_cli.engine.port import Engine
from sayd_cli.history.store import SessionStore
from sayd_cli.model.session import BackendName, SessionSettings
from sayd_cli.model.transcript import Sentence
from sayd_cli.server.limits import Limits
from sayd_cli.spool.label import SpoolLabel
from sayd_cli.spool.shelf import Shelf
from tests.cli.process import LIMIT_S, command, environment, sayd
from tests.faults.engine import CodedEngine
from tests.faults.proxy import HOST, FaultProxy
from tests.faults.speech import CodedSpeech
from tests.server.running import KEY, running

RATE_HZ = 16000
BEGUN = datetime(2025, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Coded:
    """The service, and a home for its clients.

    Attributes:
        proxy: The line to it.
        home: ``SAYD_HOME``.
    """

    proxy: FaultProxy
    home: Path

    @property
    def env(self) -> dict[str, str]:
        """What tells ``sayd`` of both."""
        return {
            "SAYD_HOME": str(self.home),
            "SAYD_API_KEY": KEY,
            "SAYD_BASE_URL": self.proxy.url,
        }

    async def sayd(
        self, *arguments: str, stdin: Path | bytes | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return await asyncio.to_thread(sayd, *arguments, stdin=stdin, env={**self.env, **env})

    @asynccontextmanager
    async def running(self, *arguments: str, **env: str) -> AsyncIterator[Running]:
        """Run it with a pipe on each stream; killed on leaving if it has not ended."""
        process = await asyncio.create_subprocess_exec(
            *command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment({**self.env, **env}),
        )
        one = Running(process)
        try:
            yield one
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    @property
    def shelf(self) -> Shelf:
        """Where the spools are."""
        return Shelf(self.home / "spool")

    def left_behind(self) -> list[str]:
        """What is in the folder of the spools."""
        return sorted(path.name for path in self.home.glob("spool/*") if path.name != ".lock")

    def sessions(self) -> list[tuple[Sentence, ...]]:
        """The sentences of every session in the history, in the order in which they were begun."""
        with SessionStore(self.home / "history.sqlite3") as store:
            return [store.sentences(each.session_id) for each in reversed(store.list())]

    def texts(self) -> list[str]:
        """The sentences in the history."""
        return [sentence.text for session in self.sessions() for sentence in session]


@dataclass(frozen=True, slots=True)
class Running:
    """A process under way."""

    process: asyncio.subprocess.Process

    async def feed(self, pcm: bytes) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(pcm)
        async with asyncio.timeout(LIMIT_S):
            await self.process.stdin.drain()

    def end_input(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def line(self) -> str:
        """The next line of its standard output."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            return (await self.process.stdout.readline()).decode()

    async def message(self, kind: str) -> dict[str, Any]:
        """The next JSON line of this type."""
        while line := await self.line():
            message = json.loads(line)
            assert isinstance(message, dict)
            if message["type"] == kind:
                return message
        raise AssertionError(f"no {kind} came")

    async def rest(self) -> tuple[int, str, str]:
        """Wait for its end; its exit status, and what else it said on its two outputs."""
        async with asyncio.timeout(LIMIT_S):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def coded(
    home: Path, engine: Engine | None = None, limits: Limits | None = None
) -> AsyncIterator[Coded]:
    """The service, while the context is open."""
    async with (
        running(engine or CodedEngine(), limits=limits or Limits(streams_per_key=None)) as url,
        FaultProxy(HOST, urlsplit(url).port or 0) as proxy,
    ):
        yield Coded(proxy, home)


def interrupt(
    home: Path,
    speech: CodedSpeech,
    *,
    session_id: str | None = None,
    heard: int = 0,
    title: str = "",
    minutes: int = 0,
    unconfirmed: str = "",
) -> str:
    """Leave what a listening leaves that was killed after its last sample.

    Args:
        home: ``SAYD_HOME``.
        speech: All that was captured.
        session_id: Its name in the history; None where it never got one.
        heard: How many of its sentences are confirmed.
        title: What the user calls it.
        minutes: How long after ``BEGUN`` it began.
        unconfirmed: The text after them.

    Returns:
        The name of its spool.
    """
    begun = BEGUN + timedelta(minutes=minutes)
    settings = SessionSettings()
    label = SpoolLabel(begun, settings, BackendName.CLOUD, title, session_id)
    if session_id is not None:
        with SessionStore(home / "history.sqlite3") as store:
            store.create(
                session_id,
                settings=settings,
                created_at=begun,
                backend=BackendName.CLOUD,
                title=title,
            )
            for sentence in sentences_of(speech)[:heard]:
                store.add_sentence(session_id, sentence)
            if unconfirmed:
                last = Sentence(heard, unconfirmed, 0.0, speech.length_s, unconfirmed=True)
                store.add_sentence(session_id, last)
    with Shelf(home / "spool").begin(label) as labelled:
        for frame in speech.frames():
            labelled.spool.append(frame)
    return labelled.spool_id


def sentences_of(speech: CodedSpeech) -> list[Sentence]:
    """Its sentences, as a service hears them."""
    words = iter(speech.words())
    found: list[Sentence] = []
    for index, text in enumerate(speech.expected_sentences):
        own = [next(words) for _ in text.split()]
        start_s, end_s = own[0].start_sample / RATE_HZ, own[-1].end_sample / RATE_HZ
        found.append(Sentence(index, text, start_s, end_s))
    return found


def words_of(texts: Sequence[str]) -> list[str]:
    """All words of some sentences."""
    return " ".join(texts).split()


def touch_every_file(home: Path) -> dict[str, float]:
    """Every file below a folder, and when it was last changed."""
    return {
        os.fspath(path): path.stat().st_mtime for path in home.rglob("*") if path.name != ".lock"
    }
