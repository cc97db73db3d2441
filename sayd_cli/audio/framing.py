"""Cutting audio of any length into messages of one length. Knows no clock and no codec."""

from __future__ import annotations

from sayd_cli.model.audio import FRAME_MS, SAMPLE_BYTES, Frame


class Framer:
    """Cuts a run of audio into whole frames of ``frame_ms``; where the audio was cut before does
    not matter.

    Calling order: ``push`` any number of times, ``flush`` once at the end.

    Args:
        sample_rate_hz: Samples a second, of what goes in and of what comes out.
        frame_ms: Length of each frame in milliseconds.
    """

    def __init__(self, sample_rate_hz: int, frame_ms: int = FRAME_MS) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._frame_bytes = sample_rate_hz * frame_ms // 1000 * SAMPLE_BYTES
        self._rest = bytearray()
        self._start_sample: int | None = None

    def push(self, audio: Frame | bytes) -> list[Frame]:
        """Take audio, and give the frames that are whole now; often none.

        Args:
            audio: The audio that follows on what was pushed before. A first ``Frame`` says where
                the count of samples begins; first bytes begin at 0.

        Raises:
            ValueError: A frame of another rate or place, or half a sample.
        """
        pcm = self._following(audio) if isinstance(audio, Frame) else audio
        if len(pcm) % SAMPLE_BYTES:
            raise ValueError(f"{len(pcm)} bytes are not whole samples")
        self._rest += pcm
        frames = []
        while len(self._rest) >= self._frame_bytes:
            frames.append(self._cut(self._frame_bytes))
        return frames

    def flush(self) -> Frame | None:
        """The rest that fills no frame, unpadded: silence that nobody recorded is not sent."""
        return self._cut(len(self._rest)) if self._rest else None

    def _following(self, frame: Frame) -> bytes:
        if frame.sample_rate_hz != self._sample_rate_hz:
            raise ValueError(f"a frame at {frame.sample_rate_hz} Hz, not {self._sample_rate_hz}")
        if self._start_sample is None:
            self._start_sample = frame.start_sample
        expected = self._start_sample + len(self._rest) // SAMPLE_BYTES
        if frame.start_sample != expected:
            raise ValueError(f"a frame at sample {frame.start_sample}, not {expected}")
        return frame.pcm

    def _cut(self, size_bytes: int) -> Frame:
        frame = Frame(bytes(self._rest[:size_bytes]), self._start_sample or 0, self._sample_rate_hz)
        del self._rest[:size_bytes]
        self._start_sample = frame.end_sample
        return frame
