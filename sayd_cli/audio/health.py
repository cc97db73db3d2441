"""What is wrong with a microphone's signal: pure silence, clipping.

Owns the two signs and when to speak of them. Without numpy: 100 ms at 16 kHz cost 0.15 ms, and
0.3 ms where they come near full scale. Refuses to know what a microphone is.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sayd_cli.audio.level import peak_dbfs
from sayd_cli.model.audio import SAMPLE_BYTES

_TENTHS = 10
"""Judged is a second, by its tenths."""

# Not full scale alone: where a device's own rate is converted, the tops of what it cut off come
# out ragged, just below.
_FULL_SCALE_DBFS = -0.3
_FULL_SCALE = round(32768 * 10 ** (_FULL_SCALE_DBFS / 20))
# A plosive clips for 10 to 50 ms, in one tenth of a second or in two. Speech with the gain too
# high does in every syllable: there are about five in a second.
_CLIPPED_TENTH_SHARE = 0.005
_CLIPPED_TENTHS = 4

# A gain that is too high clips again after every pause: that is one occurrence still.
_CLIPPING_OVER_TENTHS = 100

# A device that gates noise gives zeros whenever nobody speaks. Each time that sound came back by
# itself, the next silence must last twice as long to be spoken of, up to a minute.
_SILENCE_S = 1
_SILENCE_S_MAX = 64


class Condition(StrEnum):
    """What has been noticed of a signal."""

    SILENT = "silent"
    SOUND_AGAIN = "sound again"
    CLIPPING = "clipping"


_TEXTS = {
    Condition.SILENT: (
        "the microphone gives pure silence: is it muted, or is permission to use it missing?"
    ),
    Condition.SOUND_AGAIN: "the microphone gives sound again",
    Condition.CLIPPING: "the microphone clips: lower its gain",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to tell the user, once.

    Attributes:
        condition: What it is.
    """

    condition: Condition

    @property
    def text(self) -> str:
        """One line for the user."""
        return _TEXTS[self.condition]


class SignalHealth:
    """Watches the signal of a live source.

    Calling order: ``push`` with all that comes; ``reset`` where it was interrupted.

    Args:
        sample_rate_hz: Of what is pushed.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._tenth_bytes = sample_rate_hz // _TENTHS * SAMPLE_BYTES
        self.reset()

    def reset(self) -> None:
        """What follows does not follow on what came before."""
        self._rest = b""
        self._silent_samples = 0
        self._silence_told = False
        self._silence_s = _SILENCE_S
        self._clipped: deque[bool] = deque(maxlen=_TENTHS)
        self._clipping_told = False
        self._unclipped_tenths = 0

    @property
    def warning(self) -> str | None:
        """What is wrong right now, in a word for a status line; None when all is well."""
        if self._silent_samples >= _SILENCE_S * self._sample_rate_hz:
            return "muted?"
        return "clipping" if sum(self._clipped) >= _CLIPPED_TENTHS else None

    def push(self, pcm: bytes) -> list[Finding]:
        """Take the next samples; give what there is to tell, most often nothing.

        How the signal is cut makes no difference: it is judged by tenths of a second.

        Args:
            pcm: PCM16 little-endian mono, of any length.
        """
        findings: list[Finding] = []
        data = self._rest + pcm
        whole_bytes = len(data) - len(data) % self._tenth_bytes
        for start in range(0, whole_bytes, self._tenth_bytes):
            tenth = data[start : start + self._tenth_bytes]
            findings += map(Finding, (*self._judge_silence(tenth), *self._judge_clipping(tenth)))
        self._rest = data[whole_bytes:]
        return findings

    def _judge_silence(self, tenth: bytes) -> Iterator[Condition]:
        zeros_at_end = len(tenth) - len(tenth.rstrip(b"\0"))
        if zeros_at_end == len(tenth):
            self._silent_samples += len(tenth) // SAMPLE_BYTES
            due = self._silent_samples >= self._silence_s * self._sample_rate_hz
            if due and not self._silence_told:
                self._silence_told = True
                yield Condition.SILENT
            return
        self._silent_samples = zeros_at_end // SAMPLE_BYTES
        if self._silence_told:
            self._silence_told = False
            self._silence_s = min(self._silence_s * 2, _SILENCE_S_MAX)
            yield Condition.SOUND_AGAIN

    def _judge_clipping(self, tenth: bytes) -> Iterator[Condition]:
        clips = _clipped_share(tenth) >= _CLIPPED_TENTH_SHARE
        self._clipped.append(clips)
        self._unclipped_tenths = 0 if clips else self._unclipped_tenths + 1
        if self._unclipped_tenths >= _CLIPPING_OVER_TENTHS:
            self._clipping_told = False
        if sum(self._clipped) >= _CLIPPED_TENTHS and not self._clipping_told:
            self._clipping_told = True
            yield Condition.CLIPPING


def _clipped_share(pcm: bytes) -> float:
    if peak_dbfs(pcm) < _FULL_SCALE_DBFS:
        return 0.0
    samples: tuple[int, ...] = struct.unpack(f"<{len(pcm) // SAMPLE_BYTES}h", pcm)
    # A list, not a generator: half the time.
    return sum([abs(sample) >= _FULL_SCALE for sample in samples]) / len(samples)
