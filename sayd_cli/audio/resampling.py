"""From any sample rate to a session's, as a stream.

Owns the soxr stream: anti-aliased, at 157 µs for a second of audio. Where both rates are equal,
neither numpy nor soxr is imported for bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sayd_cli.audio.conversion import from_pcm16, to_mono, to_pcm16

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Resampler:
    """One stream of mono audio, brought from one rate to another.

    However the audio is cut, the same samples come out. It runs a few milliseconds behind;
    ``flush`` gives what is held back, and then as much has come out as went in, within a sample.

    Calling order: ``push`` any number of times, ``flush`` once at the end.

    Args:
        in_rate_hz: Samples a second of what goes in.
        out_rate_hz: Samples a second of what comes out.
    """

    def __init__(self, in_rate_hz: int, out_rate_hz: int) -> None:
        self._stream: Any = None
        if in_rate_hz != out_rate_hz:
            import soxr

            # float32 inside: soxr adds random dither when it rounds to int16 itself.
            self._stream = soxr.ResampleStream(
                in_rate_hz, out_rate_hz, 1, dtype="float32", quality="HQ"
            )

    def push(self, samples: bytes | NDArray[Any]) -> bytes:
        """Take samples and give what can be given, as PCM16; may be empty.

        Args:
            samples: PCM16 bytes, or mono int16 or float of shape (frames,).
        """
        if self._stream is None:
            return samples if isinstance(samples, bytes) else to_pcm16(to_mono(samples))
        mono = from_pcm16(samples) if isinstance(samples, bytes) else to_mono(samples)
        return to_pcm16(self._stream.resample_chunk(mono))

    def flush(self) -> bytes:
        """What was held back, as PCM16; empty where both rates are equal."""
        if self._stream is None:
            return b""
        return to_pcm16(self._stream.resample_chunk(from_pcm16(b""), last=True))
