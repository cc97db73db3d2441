"""Arithmetic on samples: framing, level, resampling. No I/O."""
