"""Audio in which every sample tells its position."""

from __future__ import annotations

from sayd_cli.model.audio import Frame

RATE_HZ = 16000


def counting(samples: int, first: int = 0) -> bytes:
    return b"".join(((first + n) * 7919 % 65536).to_bytes(2, "little") for n in range(samples))


def frame(start_sample: int, samples: int) -> Frame:
    return Frame(counting(samples, start_sample), start_sample, RATE_HZ)
