"""A source that a thread reads ahead of whoever listens, because its reads block.

Owns the way from the thread to ``frames()``, the length of frames and the end of the reading;
knows nothing of what is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Self

from sayd_cli.capture.handover import Handover, pump
from sayd_cli.model.audio import SAMPLE_BYTES, Frame

# A run can stop between two frames only, and paces itself by them.
_FRAMES_A_SECOND = 2


class ReadAheadSource(ABC):
    """What the sources that are read, and do not sound, have in common.

    A subclass opens in ``__aenter__`` and calls ``_read_ahead`` there.

    Args:
        sample_rate_hz: The rate of the frames.
        ahead_s: How much may be read ahead; then the reading waits.
    """

    live = False
    can_wait = False

    def __init__(self, sample_rate_hz: int, ahead_s: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._handover = Handover(ahead_s * sample_rate_hz * SAMPLE_BYTES)

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None:
        self._handover.discard()

    async def frames(self) -> AsyncIterator[Frame]:
        """Frames of at most half a second.

        Raises:
            InputError: The source cannot be read, or not to its end.
        """
        start_sample = 0
        while (pcm := await self._handover.get()) is not None:
            yield Frame(pcm, start_sample, self._sample_rate_hz)
            start_sample += len(pcm) // SAMPLE_BYTES
        if self._handover.error is not None:
            raise self._handover.error

    def stop(self) -> None:
        """Read no further; what was read is still given."""
        self._handover.close()

    def notices(self) -> list[str]:
        """Nothing: what is read waits, and is not lost."""
        return []

    def _read_ahead(self, blocks: Iterator[bytes], thread_name: str) -> None:
        """Begin to read.

        Args:
            blocks: PCM16 at the rate of the frames, in blocks of any length. An empty one is no
                frame, but lets the reading end where it is no longer wanted.
            thread_name: The name of the thread in which they are iterated.
        """
        limit_bytes = self._sample_rate_hz // _FRAMES_A_SECOND * SAMPLE_BYTES
        pump(_cut(blocks, limit_bytes), self._handover, thread_name)


def _cut(blocks: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    for block in blocks:
        yield block[:limit_bytes]
        for at in range(limit_bytes, len(block), limit_bytes):
            yield block[at : at + limit_bytes]
