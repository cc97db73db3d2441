"""Every error that sayd raises on purpose, with its exit status and its remedy.

Edges translate the errors of their libraries into these (``raise X(...) from exc``); the command
line prints ``message`` and ``remedy`` and leaves with ``exit_status``. Nothing else decides an
exit status.
"""

from __future__ import annotations

from typing import ClassVar


class SaydError(Exception):
    """Root of the tree.

    Args:
        message: What happened, one line, no trailing full stop needed.
        remedy: What the user can do about it, one line; empty when there is nothing to say.
    """

    exit_status: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(SaydError):
    """An option or argument is wrong; nothing was opened."""

    exit_status = 2


class NotFoundError(UsageError):
    """A session that was named does not exist."""


class StorageError(SaydError):
    """The history on disk cannot be read or written."""


class KeyMissingError(SaydError):
    """The service needs a key and none was found."""

    exit_status = 3


class KeyRefusedError(SaydError):
    """The service refused the key (401) or its subscription (403)."""

    exit_status = 3


class EngineMissingError(SaydError):
    """The local engine is not installed, or its weights are not what they should be."""

    exit_status = 3


class UnreachableError(SaydError):
    """The service cannot be reached, or the connection to it was lost."""

    exit_status = 4
    retryable = True


class InputError(SaydError):
    """The audio file or stream cannot be used."""

    exit_status = 5


class DeviceError(InputError):
    """The audio device, or the audio system, cannot be used."""


class RefusedError(SaydError):
    """The service understood and said no."""

    exit_status = 6


class BusyError(RefusedError):
    """The service said: later (429, 503, close code 1013).

    Args:
        retry_after_s: Seconds to wait, when the service said how long.
    """

    retryable = True

    def __init__(
        self, message: str, remedy: str = "", *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, remedy)
        self.retry_after_s = retry_after_s


class ServiceFailedError(RefusedError):
    """The service broke down (5xx, close code 1011), or ended a session by itself."""

    retryable = True


class ProtocolError(SaydError):
    """The other side broke the protocol."""

    exit_status = 6


class UnconfirmedError(SaydError):
    """The run ended with text that the service never confirmed."""

    exit_status = 7


class AbandonedError(SaydError):
    """A second Ctrl-C: the user would not wait for the last words."""

    exit_status = 130
