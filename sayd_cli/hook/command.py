"""A command of the user's, run for each sentence: in order, one after the other, in a thread.

Owns which sentences wait, which are not run because too many do, what the user is told, and how
it ends. Nothing a command does is fatal to the run. Refuses to know how a process is run.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, Self

from sayd_cli.errors import UsageError
from sayd_cli.hook.environment import inherited_variables, sentence_variables
from sayd_cli.hook.process import CommandRunner, Outcome
from sayd_cli.model.report import Heard, Notice, Report, Started
from sayd_cli.model.secret import Secret
from sayd_cli.transcript.sanitize import sanitize

_LINES = 20
_LINE_CHARS = 500
_ABANDONED_WITHIN_S = 0.5
_MARGIN_S = 5.0
"""For what cannot be killed, or cannot be told."""
_SAID_AT_EVERY_POWER_OF = 10
_WAITED_IN_SILENCE_S = 2.0
"""At the end; then it is said what is waited for."""

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Somebody who is told what happens."""

    def take(self, report: Report) -> None:
        """Take one report."""
        ...


@dataclass(frozen=True, slots=True)
class HookLimits:
    """What a command is allowed.

    Attributes:
        run_s: How long one run may take.
        grace_s: How long it has to end when it is asked to, before it is killed.
        finish_s: How long sentences that wait at the end are still begun.
        sentences: How many may wait.
    """

    run_s: float = 30.0
    grace_s: float = 2.0
    finish_s: float = 10.0
    sentences: int = 100


class CommandHook:
    """A sink that runs a command for each sentence, from entering its context to leaving it.

    ``finish`` waits until it has been run for all that wait. Leaving the context waits, too: for
    the sentences that wait, ``finish_s`` long; then for the one that runs, up to its time limit.
    After ``abandon`` nothing waits.

    The command has the text and a line end on standard input, and in its environment SAYD_TEXT,
    SAYD_INDEX, SAYD_START, SAYD_END, SAYD_SESSION_ID, and where they apply SAYD_LANGUAGE and
    SAYD_UNCONFIRMED. What it writes is told, up to 20 lines of each run, unless ``quiet``; but of
    a run that fails only where the failure is told too: the first time, the tenth, the hundredth.

    Args:
        command: As the user typed it; see ``process`` for how it is read.
        told: Takes notices, from the threads of ``take`` and of the command: it must allow that.
            It must be there until the context is left.
        environment: The environment of this process.
        key: The key to the service; no command gets it.
        limits: What a command is allowed.
        quiet: Tell failures only.

    Raises:
        UsageError: The command is empty, or no command line.
    """

    def __init__(
        self,
        command: str,
        *,
        told: Sink,
        environment: Mapping[str, str],
        key: Secret | None = None,
        limits: HookLimits | None = None,
        quiet: bool = False,
    ) -> None:
        if not command.strip() or "\0" in command:
            raise UsageError("--exec needs a command", "as in --exec 'cat >> notes.txt'")
        self._told = told
        self._quiet = quiet
        self._limits = limits or HookLimits()
        self._runner = CommandRunner(
            command,
            inherited_variables(environment, key),
            time_limit_s=self._limits.run_s,
            grace_s=self._limits.grace_s,
        )
        self._session_id: str | None = None
        self._thread = threading.Thread(target=self._work, name="exec", daemon=True)
        self._changed = threading.Condition()
        # Shared with the thread, under the condition.
        self._waiting: deque[Heard] = deque()
        self._leaving = False
        self._abandoned = False
        self._ended = False
        """The thread has."""
        self._begun_until_s = math.inf
        """When sentences that wait at the end are not begun any more."""
        self._not_run = 0
        # The thread's, until it has ended.
        self._runs = 0
        self._failures = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.hurry()
            self.finish()
        except BaseException:
            # Ctrl-C: whoever waits has had enough of it.
            self.abandon()
            raise

    def take(self, report: Report) -> None:
        """Take one report; never waits for the command."""
        if isinstance(report, Started):
            self._session_id = report.session_id
        if not isinstance(report, Heard):
            return
        with self._changed:
            if self._leaving or self._abandoned:
                return
            is_full = len(self._waiting) >= self._limits.sentences
            if is_full:
                # The oldest: what was said a while ago is what a command comes too late for.
                self._waiting.popleft()
                self._not_run += 1
            is_first = is_full and self._not_run == 1
            self._waiting.append(report)
            self._changed.notify_all()
        if is_first:
            self._tell(
                f"the command is too slow: {self._limits.sentences} sentences wait, the oldest "
                "are left out"
            )

    def abandon(self) -> None:
        """Kill the command that runs, with all that it started, and run no other; nothing more is
        told. From any thread, at any time; safe to call twice.
        """
        self._abandoned = True
        self._runner.abandon()
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def hurry(self) -> None:
        """From now on, begin waiting sentences for ``finish_s`` only. From any thread; the first
        call counts.
        """
        with self._changed:
            self._begun_until_s = min(self._begun_until_s, monotonic() + self._limits.finish_s)
            self._changed.notify_all()

    def finish(self) -> None:
        """Take no more, and wait until the command has been run for all that wait, within the
        limits. From any thread; the first call tells how it went.
        """
        with self._changed:
            is_first, self._leaving = not self._leaving, True
            self._changed.notify_all()
        self._wait_for_command(tells=is_first and not self._quiet)
        if is_first and not self._abandoned:
            self._summarize()

    def _wait_for_command(self, *, tells: bool) -> None:
        limits = self._limits
        tell_at_s = monotonic() + _WAITED_IN_SILENCE_S if tells else math.inf
        gone_by_s = math.inf
        while True:
            with self._changed:
                now_s = monotonic()
                self._drop_overdue(now_s)
                waiting = len(self._waiting)
                if not waiting:
                    last_s = now_s + limits.run_s + limits.grace_s + _MARGIN_S
                    gone_by_s = min(gone_by_s, last_s)
                if self._ended or self._abandoned or now_s >= gone_by_s:
                    break
                if now_s < tell_at_s:
                    until_s = min(tell_at_s, self._begun_until_s if waiting else gone_by_s)
                    self._changed.wait(None if until_s == math.inf else until_s - now_s)
                    continue
            tell_at_s = math.inf
            self._tell("the command still runs" + _and_waiting(waiting))
        if self._abandoned:
            self._thread.join(_ABANDONED_WITHIN_S)

    def _drop_overdue(self, now_s: float) -> None:
        """At the end, under the condition: what waits and may not be begun any more, goes."""
        if now_s >= self._begun_until_s:
            self._not_run += len(self._waiting)
            self._waiting.clear()

    def _work(self) -> None:
        """The thread: run what waits, until told to leave."""
        try:
            while (heard := self._next()) is not None:
                self._run(heard)
        except Exception as exc:  # noqa: BLE001 - the thread's boundary; the run goes on without
            _log.error("a bug in sayd, no command is run any more: %s", exc, exc_info=True)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _next(self) -> Heard | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._leaving or self._abandoned)
            if self._leaving:
                # Here, too: the command may end before whoever finishes gets to look.
                self._drop_overdue(monotonic())
            if self._abandoned or not self._waiting:
                return None
            heard = self._waiting.popleft()
            self._changed.notify_all()
            return heard

    def _run(self, heard: Heard) -> None:
        sentence = heard.sentence
        outcome = self._runner.run(
            sanitize(sentence.text), sentence_variables(sentence, self._session_id)
        )
        if self._abandoned:
            return
        self._runs += 1
        if outcome.failure is None:
            if not self._quiet:
                self._show(outcome)
            return
        self._failures += 1
        if self._failures == 1:
            self._show(outcome)
            self._tell(f"the command {outcome.failure}")
        elif _is_power(self._failures):
            self._show(outcome)
            self._tell(
                f"the command has failed {self._failures} times; the last time it {outcome.failure}"
            )

    def _show(self, outcome: Outcome) -> None:
        lines = [line for line in outcome.output.splitlines() if line.strip()]
        for line in lines[:_LINES]:
            self._tell(line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…")
        if outcome.is_cut or len(lines) > _LINES:
            self._tell("… and more, which is not shown")

    def _summarize(self) -> None:
        """Say what went wrong, in figures; the thread has ended."""
        if self._failures and self._runs > 1:
            self._tell(f"the command failed {self._failures} of {self._runs} times")
        if self._not_run:
            self._tell(f"the command was not run for {_sentences(self._not_run)}: it is too slow")

    def _tell(self, text: str) -> None:
        try:
            self._told.take(Notice(f"exec: {text}"))
        except OSError as exc:
            # The stream has gone. Who writes results to it finds out too, and ends the run.
            _log.debug("a notice is not shown: %s", exc)


def _and_waiting(number: int) -> str:
    if not number:
        return ""
    return f"; {_sentences(number)} {'waits' if number == 1 else 'wait'} for it"


def _sentences(number: int) -> str:
    return "1 sentence" if number == 1 else f"{number} sentences"


def _is_power(number: int) -> bool:
    while number % _SAID_AT_EVERY_POWER_OF == 0:
        number //= _SAID_AT_EVERY_POWER_OF
    return number == 1
