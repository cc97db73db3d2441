"""Captured audio on disk."""
