"""Captured audio on its way: from the source, through the spool, to the service.

Owns how the one who captures and the one who sends tell each other how far they are. The spool
holds the audio; here are positions only, counted in samples from the first captured one. Knows
neither source nor service.
"""

from __future__ import annotations

import asyncio

from sayd_cli.listening.ports import Spool
from sayd_cli.model.audio import Frame


class Backlog:
    """What is captured and may still have to be sent, or sent again.

    Calling order: ``append`` and ``break_off`` as audio comes, ``end`` once; ``read`` at any time.
    All from one event loop.

    Args:
        spool: Keeps the audio; may hold some already, of a listening that was interrupted.
        sample_rate_hz: Samples a second.
    """

    def __init__(self, spool: Spool, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._spool = spool
        self._sent_sample = spool.start_sample
        self._connected = False
        self._broken_off = False
        self._ended = False
        # Where audio goes on after a gap, and where it broke off before. One for each pause and
        # each loss of a device.
        self._gaps: dict[int, int] = {}
        self._told_lost_sample = 0
        self._change = asyncio.Event()

    @property
    def start_sample(self) -> int:
        """Position of the first sample that is still kept."""
        return self._spool.start_sample

    @property
    def end_sample(self) -> int:
        """Position after the last captured sample."""
        return self._spool.end_sample

    @property
    def captured_s(self) -> float:
        """Where the captured audio ends, in seconds from its first sample."""
        return self.end_sample / self.sample_rate_hz

    @property
    def sent_s(self) -> float:
        """Where what the service was sent ends, in the same way."""
        return self._sent_sample / self.sample_rate_hz

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that are captured and not yet sent."""
        return (self.end_sample - self._sent_sample) / self.sample_rate_hz

    @property
    def connected(self) -> bool:
        """Whether a service takes audio now."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        self._connected = connected
        self.wake()

    @property
    def broken_off(self) -> bool:
        """Nothing comes for now: the next audio follows on a gap."""
        return self._broken_off

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self._ended

    def is_sent_up_to(self, position: int) -> bool:
        """Whether nothing is left to be sent after ``position``, nor ever will be."""
        return self._ended and position >= self.end_sample

    def append(self, frame: Frame) -> None:
        """Keep captured audio; it is safe once this returns."""
        if frame.start_sample > self.end_sample:
            self._gaps[frame.start_sample] = self.end_sample
        self._broken_off = False
        self._spool.append(frame)
        self.wake()

    def break_off(self) -> None:
        """Say that nothing comes for now."""
        self._broken_off = True
        self.wake()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self.wake()

    def read(self, position: int, limit_samples: int) -> Frame | None:
        """The next audio at ``position`` or after it; None when there is none yet."""
        return self._spool.read(position, limit_samples)

    def take_lost(self, position: int, start_sample: int) -> tuple[int, int] | None:
        """Audio that was captured and is not kept any more; the same is given once only.

        Args:
            position: Where it was read on.
            start_sample: Where what is kept goes on.

        Returns:
            Where it begins and ends; None when there is none that was not given before.
        """
        start = max(position, self._told_lost_sample)
        end = self._gaps.get(start_sample, start_sample)
        if end <= start:
            return None
        self._told_lost_sample = end
        return start, end

    def sent(self, position: int) -> None:
        """Say how far the service has been sent audio; back again when it is sent anew."""
        self._sent_sample = position
        self.wake()

    def release(self, until_sample: int) -> None:
        """Audio before this is not needed any more."""
        self._spool.release(until_sample)
        for end in [end for end in self._gaps if end < until_sample]:
            del self._gaps[end]

    def notices(self) -> list[str]:
        """What went wrong with the keeping since this was last asked."""
        return self._spool.notices()

    def wake(self) -> None:
        """Let those who wait in ``changed`` look again."""
        self._change.set()
        self._change = asyncio.Event()

    async def changed(self) -> None:
        """Until something is not as it was when this was called."""
        await self._change.wait()

    async def over(self) -> None:
        """Until nothing more will come."""
        while not self._ended:
            await self.changed()
