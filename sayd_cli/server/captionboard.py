"""The caption as its viewers get it: one state, in JSON, that everybody who waits is told of.

Owns what the state says and when it changes. Refuses to know of HTTP. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from enum import StrEnum

from sayd_cli.model.report import Ended, Report, Started
from sayd_cli.render.caption import Caption


class BoardState(StrEnum):
    """Where the run is."""

    STARTING = "starting"
    LISTENING = "listening"
    ENDED = "ended"


class CaptionBoard:
    """The latest caption, and whether more will come.

    The JSON is an object: ``run`` (another one for each board: indices begin again), ``state``,
    ``sentences`` (the latest final ones, each with its ``index`` and its ``text``; the texts
    follow on each other as they are) and ``interim`` (what comes after them and may still
    change).

    Args:
        hold_s: Seconds without new text after which the caption is emptied.
    """

    def __init__(self, hold_s: float) -> None:
        self._hold_s = hold_s
        self._run = secrets.token_hex(8)
        self._caption = Caption()
        self._state = BoardState.STARTING
        self._changed = asyncio.Event()
        self._clearing: asyncio.TimerHandle | None = None
        self._json: str | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """There will be no other state."""
        return self._closed

    @property
    def json(self) -> str:
        """The state now: one line; the same object for as long as nothing changes."""
        if self._json is None:
            self._json = json.dumps(
                {
                    "run": self._run,
                    "state": self._state,
                    "sentences": [
                        {"index": sentence.index, "text": sentence.text}
                        for sentence in self._caption.sentences
                    ],
                    "interim": self._caption.interim,
                },
                ensure_ascii=False,
            )
        return self._json

    def take(self, report: Report) -> None:
        """Take one report."""
        if self._caption.take(report):
            self._tell()
            self._clear_later()
        if isinstance(report, Started):
            self._enter(BoardState.LISTENING)
        elif isinstance(report, Ended):
            self._enter(BoardState.ENDED)

    def close(self) -> None:
        """The run is over, whatever it said; the caption stays as it is."""
        if self._clearing is not None:
            self._clearing.cancel()
        self._enter(BoardState.ENDED)
        self._closed = True
        self._tell()

    async def change(self, seen: str) -> None:
        """Wait for another state than the one seen, or for the end of all."""
        while self.json is seen and not self._closed:
            await self._changed.wait()

    def _enter(self, state: BoardState) -> None:
        if state is not self._state:
            self._state = state
            self._tell()

    def _clear_later(self) -> None:
        if self._clearing is not None:
            self._clearing.cancel()
        self._clearing = asyncio.get_running_loop().call_later(self._hold_s, self._clear)

    def _clear(self) -> None:
        if self._caption.clear():
            self._tell()

    def _tell(self) -> None:
        self._json = None
        self._changed.set()
        self._changed = asyncio.Event()
