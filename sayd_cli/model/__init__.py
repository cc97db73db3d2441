"""Frozen values that cross between rooms. Knows no library and does no I/O."""
