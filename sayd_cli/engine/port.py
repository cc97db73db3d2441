"""What a speech engine offers to the server; the server knows nothing else of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from sayd_cli.model.events import Final, Partial


class EngineStream(Protocol):
    """One run of audio through the engine.

    Calling order: ``feed`` any number of times, ``finish`` once; ``events`` is iterated once, by
    another task, and ends after ``finish`` when everything is transcribed. ``close`` at any time
    gives up the rest; it is safe to call twice.
    """

    async def feed(self, pcm: bytes) -> None:
        """Take audio: PCM16 little-endian mono at the stream's rate, any even number of bytes.

        Waits while the engine is so far behind that more audio would only pile up.
        """
        ...

    async def finish(self) -> None:
        """No more audio will come. Returns at once; the rest arrives through ``events``."""
        ...

    def events(self) -> AsyncIterator[Partial | Final]:
        """What is heard, in order, with times in seconds from the stream's first sample."""
        ...

    async def close(self) -> None:
        """Stop, and give back what the stream holds."""
        ...


class Engine(Protocol):
    """A speech engine, shared by any number of streams.

    ``start`` before the first stream, ``close`` after the last; both may take a second and do
    not block the event loop.
    """

    name: str
    """Goes out as ``stt_service``."""

    languages: tuple[str, ...]
    """Primary tags of the languages it knows, such as ``("en",)``."""

    async def start(self) -> None:
        """Load the models.

        Raises:
            EngineMissingError: It is not installed, or its weights are not what they should be.
        """
        ...

    async def close(self) -> None:
        """Wait for decodes under way, then give the models back."""
        ...

    def open_stream(self, sample_rate_hz: int) -> EngineStream:
        """A new, independent stream at 8000 or 16000 Hz."""
        ...
