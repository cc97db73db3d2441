"""Whether a sound has a pitch of the human voice, as every vowel has and a click has not.

Owns the arithmetic on samples; knows no model and no stream, and judges nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sayd_cli.engine.level import Pcm

_STEP = 2
"""Samples averaged into one: 8 kHz is enough for a pitch, and halves the work."""

_SHORTEST_PERIOD = 20
"""At 8 kHz: 400 Hz. A higher voice repeats at twice its period as well."""

_LONGEST_PERIOD = 115
"""At 8 kHz: 70 Hz."""


def voicing(before: Pcm, hop: Pcm) -> float:
    """How much of a sound repeats with one period of 70 to 400 Hz, 0 to 1.

    The highest peak of the normalized autocorrelation of both hops together. A peak, and not the
    highest value: rumble below the voice is alike at every short lag, but peaks at none.

    Args:
        before: The hop before, 16 kHz; a low voice has only two periods in one hop.
        hop: The hop, as long, an even number of samples.
    """
    import numpy as np

    samples = np.concatenate((before, hop)).astype(np.float64)
    samples = samples.reshape(-1, _STEP).mean(axis=1)
    samples -= samples.mean()
    length = len(samples)
    # Twice as long, so that nothing wraps around.
    spectrum = np.fft.rfft(samples, 2 * length)
    lags = np.arange(_SHORTEST_PERIOD - 1, _LONGEST_PERIOD + 2)
    alike = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, 2 * length)[lags]
    energy = np.concatenate(((0.0,), np.cumsum(samples**2)))
    # The two stretches that a lag compares; one square unit keeps digital silence at 0.
    alike /= np.sqrt(energy[length - lags] * (energy[length] - energy[lags])) + 1.0
    inner = alike[1:-1]
    peaks = inner[(inner >= alike[:-2]) & (inner >= alike[2:])]
    return min(1.0, float(peaks.max(initial=0.0)))
