"""The loop from audio to transcript; knows ports, not libraries."""
