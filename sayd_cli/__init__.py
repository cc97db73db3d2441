"""sayd: live transcription in a terminal.

Importing this package does nothing but name its version; each room imports what it needs.
"""

__version__ = "0.1.0"
