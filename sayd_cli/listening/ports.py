"""What the loop needs from the world, as it needs it. Edges fit these; the loop never asks whose
they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sayd_cli.model.audio import Frame, Interruption
from sayd_cli.model.report import Report
from sayd_cli.model.session import BackendName, Session, SessionSettings


class Source(Protocol):
    """Audio that arrives: a microphone, a file, a pipe.

    Calling order: enter the context (it opens, and from then on nothing is lost), iterate
    ``frames()`` once, ``stop()`` at any time, leave the context.

    Raises:
        InputError: On entering or iterating: the source cannot be opened or read.
    """

    live: bool
    """True when the audio comes at its own pace; False when it can be read as fast as wanted."""

    can_wait: bool
    """True when nothing is lost by not reading for a while: what is not read is still there later.
    A file can wait; a pipe cannot, since its writer may be recording."""

    async def __aenter__(self) -> Source: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    def frames(self) -> AsyncIterator[Frame | Interruption]:
        """Frames at the wanted rate, of any length but 0, until the source ends.

        They follow on each other without a gap, but for one after each ``Interruption``.
        """
        ...

    def stop(self) -> None:
        """Take no more in. ``frames()`` still gives what was captured before, then ends.

        Of a file nothing was captured but what ``frames()`` has given.
        """
        ...

    def notices(self) -> list[str]:
        """What the user should know at the end of the run, such as audio that overflowed."""
        ...


class Stream(Protocol):
    """An open connection that carries messages both ways.

    Raises:
        UnreachableError: The connection is lost.
        RefusedError: The other side closed it with a reason to.
    """

    async def send(self, message: bytes | str) -> None:
        """Send one message; waits when the other side is slow."""
        ...

    async def receive(self) -> bytes | str | None:
        """The next message; None when the other side has closed in good order."""
        ...


class Backend(Protocol):
    """A service of the Listen API."""

    @property
    def name(self) -> BackendName:
        """What the user calls it."""
        ...

    async def create_session(self, settings: SessionSettings) -> Session:
        """Create a session.

        Raises:
            KeyRefusedError, UnreachableError, RefusedError, BusyError, ProtocolError.
        """
        ...

    def open_stream(
        self, session: Session, have: int | None = None
    ) -> AbstractAsyncContextManager[Stream]:
        """Connect to the session's stream; the context closes it.

        Args:
            session: As it was created.
            have: For a stream that was lost and is to be continued: how many of its sentences
                came.
        """
        ...


class Sink(Protocol):
    """Somebody who is told what happens, in order, from one thread; must not block for long."""

    def take(self, report: Report) -> None:
        """Take one report."""
        ...


class Spool(Protocol):
    """Captured audio, kept until the words in it are confirmed.

    Positions are samples counted from the first captured one. What is kept is a number of runs;
    between two of them is a gap. Calls are short, and come from one thread.
    """

    @property
    def start_sample(self) -> int:
        """Position of the first sample that is kept, or would be. Moves forward by ``release``,
        and by itself when there is no room for more: then the oldest audio goes."""
        ...

    @property
    def end_sample(self) -> int:
        """Position after the last sample that was captured."""
        ...

    def append(self, frame: Frame) -> None:
        """Keep captured audio; it survives the death of this process once this returns.

        It never fails: where the disk does, the audio is kept in memory, and ``notices`` says so.

        Args:
            frame: At ``end_sample`` or after it; then the samples between are a gap.
        """
        ...

    def read(self, position: int, limit_samples: int) -> Frame | None:
        """The next audio at ``position`` or after it; from one run, no longer than the limit.

        None when there is none yet. Audio that was kept and cannot be read is a gap, and
        ``notices`` says so.
        """
        ...

    def release(self, until_sample: int) -> None:
        """What is before ``until_sample`` is not needed any more; some of it may stay a while."""
        ...

    def notices(self) -> list[str]:
        """What went wrong since this was last asked, each a line for the user."""
        ...


class Tape(Protocol):
    """Somewhere to keep the audio that is sent."""

    def write(self, pcm: bytes) -> None:
        """Append PCM16 at the session's rate.

        Raises:
            StorageError: It cannot be kept, and nor can what follows.
        """
        ...
