"""Where in the captured audio a moment of the stream is.

The service counts the samples it was sent. What was captured may have gaps, which were never sent,
and the stream may hold silence that was never captured. Knows samples and seconds, and no clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass


@dataclass(slots=True)
class _Run:
    """Consecutive samples of the stream, and the captured ones that they are.

    Attributes:
        stream_start: Where they begin in the stream.
        captured_start: Where they begin in the captured audio.
        length: How many there are.
        silence: They were never captured; ``captured_start`` is where the capture broke off.
    """

    stream_start: int
    captured_start: int
    length: int = 0
    silence: bool = False


class Timeline:
    """What was sent, in order.

    Calling order: ``sent`` and ``padded`` as audio goes out; ``start_s`` and ``end_s`` at any time.

    Args:
        sample_rate_hz: Samples a second, of the stream and of the capture.
        from_sample: The captured sample with which the stream begins.
    """

    def __init__(self, sample_rate_hz: int, from_sample: int = 0) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._runs = [_Run(0, from_sample)]

    @property
    def stream_samples(self) -> int:
        """How many samples were sent."""
        last = self._runs[-1]
        return last.stream_start + last.length

    @property
    def captured_until_s(self) -> float:
        """Where the last captured sample that was sent ends, in seconds."""
        last = self._runs[-1]
        captured = last.captured_start + (0 if last.silence else last.length)
        return captured / self.sample_rate_hz

    def sent(self, start_sample: int, end_sample: int) -> None:
        """Captured samples went out: those from ``start_sample`` to before ``end_sample``."""
        last = self._runs[-1]
        if last.silence or start_sample != last.captured_start + last.length:
            last = _Run(last.stream_start + last.length, start_sample)
            self._runs.append(last)
        last.length += end_sample - start_sample

    def padded(self, samples: int) -> None:
        """So many samples of silence went out that were never captured."""
        last = self._runs[-1]
        if not last.silence:
            captured = last.captured_start + last.length
            last = _Run(last.stream_start + last.length, captured, silence=True)
            self._runs.append(last)
        last.length += samples

    def cut(self, stream_sample: int) -> int:
        """Only so much of the stream arrived; it goes on from there.

        Args:
            stream_sample: How many samples arrived; no more than were sent.

        Returns:
            The captured sample to go on with.
        """
        while len(self._runs) > 1 and self._runs[-1].stream_start >= stream_sample:
            self._runs.pop()
        last = self._runs[-1]
        last.length = stream_sample - last.stream_start
        return last.captured_start + (0 if last.silence else last.length)

    def start_s(self, stream_s: float) -> float:
        """The captured moment at which something begins that begins at ``stream_s``.

        What begins in silence that was put in, or on the edge of a gap, begins after it.
        """
        moment = stream_s * self.sample_rate_hz
        at = bisect_right(self._runs, moment, key=lambda run: run.stream_start) - 1
        run = self._runs[max(at, 0)]
        if run.silence and at + 1 < len(self._runs):
            return self._runs[at + 1].captured_start / self.sample_rate_hz
        return self._within(run, moment)

    def end_s(self, stream_s: float) -> float:
        """The captured moment at which something ends that ends at ``stream_s``.

        What ends in silence that was put in, or on the edge of a gap, ends before it.
        """
        moment = stream_s * self.sample_rate_hz
        at = bisect_left(self._runs, moment, key=lambda run: run.stream_start) - 1
        return self._within(self._runs[max(at, 0)], moment)

    def _within(self, run: _Run, moment: float) -> float:
        into = 0.0 if run.silence else moment - run.stream_start
        return (run.captured_start + into) / self.sample_rate_hz
