"""Signals: the first asks to stop in good order, a second Ctrl-C leaves at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sayd_cli.listening.stop import StopSignal
from sayd_cli.model.report import EndReason

_ASKING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def stop_on_signals(stop: StopSignal, abandon: Callable[[], None]) -> Iterator[None]:
    """Inside, signals end the run in good order; to be entered in the event loop's thread.

    Args:
        stop: Asked by the first signal.
        abandon: Called by a Ctrl-C after that. A second SIGTERM or SIGHUP changes nothing: a
            closing terminal sends both, and the last words are still worth their wait.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def handle(number: int) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            abandon()
        asked = True
        stop.request(EndReason.INTERRUPT)

    known = [getattr(signal, name) for name in _ASKING if hasattr(signal, name)]
    # One that is ignored stays so: `nohup` wants it. But for Ctrl-C, which shells let every job in
    # the background of a script ignore: `kill -INT` is how a script ends one.
    numbers = [
        number
        for number in known
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        # ``loop.add_signal_handler`` does not exist on Windows; this does, everywhere.
        signal.signal(number, lambda number, _: loop.call_soon_threadsafe(handle, number))
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])


async def first_stop_signal() -> None:
    """Return at SIGINT or SIGTERM; a second one does what it would have done without us.

    To be awaited in the event loop of the main thread.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        await stop.wait()
    finally:
        for number in numbers:
            signal.signal(number, before[number])
