"""Decode workers that all streams share: who is decoded next, and where the text goes.

Owns the threads and the queue; knows no model (a decoder is given), no audio format and no
endpointing. Results go back to the event loop that asked.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

from sayd_cli.errors import SaydError

if TYPE_CHECKING:
    from sayd_cli.engine.level import Pcm

_Result = TypeVar("_Result")


class Decoder(Protocol):
    """Turns a clip into text; used by one thread, and closed by the thread that opened it."""

    def decode(self, pcm: Pcm) -> str:
        """The text of a clip of int16 samples at 16 kHz, stripped; may be empty."""
        ...

    def close(self) -> None:
        """Give the model back."""
        ...


class Urgency(IntEnum):
    """What is decoded first."""

    FINAL = 0
    """Somebody waits for it: a final text, or the guess that will be one."""

    PARTIAL = 1
    """Interim text; out of date soon, so a newer one takes its place in the queue."""


@dataclass(slots=True)
class _Job:
    owner: object
    urgency: Urgency
    pcm: Pcm
    loop: asyncio.AbstractEventLoop
    text: asyncio.Future[str] = field(repr=False)


class DecodePool:
    """A few threads, each with a decoder of its own.

    The queue is bounded by its users: a stream has one partial at most (a newer one replaces it)
    and waits before it has more than a few finals, so nothing needs to be refused here.

    Calling order: ``start``, any number of ``submit`` and ``drop``, ``close``.

    Args:
        open_decoder: Makes a decoder; called once in each thread.
        workers: How many threads.
    """

    def __init__(self, open_decoder: Callable[[], Decoder], workers: int) -> None:
        self._open_decoder = open_decoder
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._queue: list[_Job] = []
        self._partials_running = 0
        # One worker of several is kept free of partials: a final never waits for one to end.
        self._most_partials = max(1, workers - 1)
        self._wake = threading.Condition()
        self._closing = False

    async def start(self) -> None:
        """Start the threads and wait until each has its decoder.

        Raises:
            SaydError: A decoder could not be opened; nothing is left running.
        """
        loop = asyncio.get_running_loop()
        opened: list[asyncio.Future[None]] = []
        for number in range(self._workers):
            ready: asyncio.Future[None] = loop.create_future()
            opened.append(ready)
            thread = threading.Thread(
                target=self._work, args=(loop, ready), name=f"sayd-decode-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        outcomes = await asyncio.gather(*opened, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self.close()
                raise outcome

    async def close(self) -> None:
        """Drop what is queued, wait for decodes under way, close the decoders."""
        with self._wake:
            self._closing = True
            dropped, self._queue = self._queue, []
            self._wake.notify_all()
        for job in dropped:
            job.text.cancel()
        threads, self._threads = self._threads, []
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def submit(self, owner: object, pcm: Pcm, urgency: Urgency) -> asyncio.Future[str]:
        """Queue a clip; from the event loop that wants the text.

        Args:
            owner: Whose clip it is. A partial replaces the owner's queued partial, whose future
                is cancelled.
            pcm: int16 samples, 16 kHz; not to be changed afterwards.
            urgency: What it is for.

        Returns:
            The text; cancelled when it is dropped; SaydError when the decode failed. Cancelling
            it takes the clip off the queue.
        """
        loop = asyncio.get_running_loop()
        job = _Job(owner, urgency, pcm, loop, loop.create_future())
        job.text.add_done_callback(lambda _: self._forget(job))
        if urgency is Urgency.PARTIAL:
            self._drop(lambda other: other.owner is owner and other.urgency is Urgency.PARTIAL)
        with self._wake:
            if not self._closing:
                self._queue.append(job)
                # All: the one woken by chance may be the one that takes no partial now.
                self._wake.notify_all()
                return job.text
        job.text.cancel()
        return job.text

    def drop(self, owner: object) -> None:
        """Take everything of an owner off the queue; its futures are cancelled."""
        self._drop(lambda job: job.owner is owner)

    def _drop(self, wanted: Callable[[_Job], bool]) -> None:
        with self._wake:
            dropped = [job for job in self._queue if wanted(job)]
            self._queue = [job for job in self._queue if not wanted(job)]
        for job in dropped:
            job.text.cancel()

    def _forget(self, job: _Job) -> None:
        """Take a job off the queue whose future was cancelled by who waits for it."""
        if job.text.cancelled():
            with self._wake:
                self._queue = [other for other in self._queue if other is not job]

    def _next(self) -> _Job | None:
        """Wait for the most urgent job, the oldest of its kind; None when the pool closes."""
        with self._wake:
            while not (ready := [job for job in self._queue if self._may_run(job)]):
                if self._closing:
                    return None
                self._wake.wait()
            job = min(ready, key=lambda job: job.urgency)
            self._queue.remove(job)
            self._partials_running += job.urgency is Urgency.PARTIAL
            return job

    def _may_run(self, job: _Job) -> bool:
        # A cancelled job is taken off by its loop a moment later; it must not run before.
        if job.text.cancelled():
            return False
        return job.urgency is Urgency.FINAL or self._partials_running < self._most_partials

    def _done(self, job: _Job) -> None:
        if job.urgency is Urgency.PARTIAL:
            with self._wake:
                self._partials_running -= 1
                self._wake.notify_all()

    def _work(self, loop: asyncio.AbstractEventLoop, ready: asyncio.Future[None]) -> None:
        try:
            decoder = self._open_decoder()
        except Exception as exc:  # noqa: BLE001 - a thread's boundary; told to who waits
            _tell(loop, ready, None, _as_sayd_error(exc))
            return
        _tell(loop, ready, None, None)
        try:
            while (job := self._next()) is not None:
                try:
                    text = decoder.decode(job.pcm)
                except Exception as exc:  # noqa: BLE001 - as above
                    _tell(job.loop, job.text, "", _as_sayd_error(exc))
                else:
                    _tell(job.loop, job.text, text, None)
                finally:
                    self._done(job)
        finally:
            decoder.close()


def _as_sayd_error(exc: Exception) -> SaydError:
    if isinstance(exc, SaydError):
        return exc
    error = SaydError(f"the local engine failed: {type(exc).__name__}: {exc}")
    error.__cause__ = exc
    return error


def _tell(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[_Result],
    result: _Result,
    error: SaydError | None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    # The loop may be gone when the program ends during a decode; nobody is left to be told.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
