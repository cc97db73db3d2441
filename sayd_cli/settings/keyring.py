"""The system's keyring, asked for one thing only: the key. The only user of the keyring library.

Owns the time limit: a keyring may be asking somebody for its password in a window that nobody
sees, or wait for a service that has died. Refuses to know where else a key may be.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sayd_cli.errors import StorageError
from sayd_cli.model.secret import Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_SERVICE = "sayd"
_USER = "api-key"

_NOT_THE_SYSTEMS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
"""Packages whose keyrings keep nothing, or keep it in a file that is no better than ours."""

_NOTICE_S = 1.0
_LIMIT_S = 30.0
"""Long enough for a password to be typed into the window of a locked keyring."""

_Answer = TypeVar("_Answer")

_logger = logging.getLogger(__name__)


class SystemKeyring:
    """The keyring of the system, whichever it is.

    Args:
        on_wait: Called once when an answer takes longer than a person thinks it does.
        limit_s: Seconds to wait for an answer.

    Every call raises ``StorageError`` when there is no keyring, or it is locked, broken or slow.
    """

    def __init__(
        self, on_wait: Callable[[], None] = lambda: None, *, limit_s: float = _LIMIT_S
    ) -> None:
        self._on_wait = on_wait
        self._limit_s = limit_s

    def read(self) -> Secret | None:
        """The key; None when there is none."""
        return self._ask(_read)

    def write(self, key: Secret) -> None:
        """Keep this key, and no other."""

        def write(rings: list[KeyringBackend]) -> None:
            rings[0].set_password(_SERVICE, _USER, key.reveal())
            if _read(rings) != key:
                raise RuntimeError("the keyring does not give back what it was given")

        self._ask(write)

    def delete(self) -> bool:
        """Forget the key; False when there is none."""

        def delete(rings: list[KeyringBackend]) -> bool:
            having = [ring for ring in rings if ring.get_password(_SERVICE, _USER) is not None]
            for ring in having:
                ring.delete_password(_SERVICE, _USER)
            return bool(having)

        return self._ask(delete)

    def _ask(self, question: Callable[[list[KeyringBackend]], _Answer]) -> _Answer:
        from threading import Thread

        answers: list[_Answer] = []
        failures: list[Exception] = []

        def ask() -> None:
            try:
                answers.append(question(_rings()))
            except Exception as exc:  # noqa: BLE001 - the thread's boundary; told by who waits
                failures.append(exc)

        # A daemon: a keyring that never answers must not keep the program from ending.
        asking = Thread(target=ask, name="keyring", daemon=True)
        asking.start()
        asking.join(min(_NOTICE_S, self._limit_s))
        if asking.is_alive():
            self._on_wait()
            asking.join(max(0.0, self._limit_s - _NOTICE_S))
        if failures:
            # Not chained, and by its name only: nobody knows what a keyring's error quotes.
            reason = type(failures[0]).__name__
            _logger.debug("the keyring failed: %s", reason)
            if isinstance(failures[0], StorageError):
                raise failures[0]
            said = "it is locked" if reason == "KeyringLocked" else reason
            raise _unusable(said)
        if not answers:
            raise _unusable(f"no answer within {self._limit_s:.0f} s")
        return answers[0]


def _unusable(reason: str) -> StorageError:
    return StorageError(f"the system's keyring cannot be used: {reason}", "unlock it")


def _rings() -> list[KeyringBackend]:
    """The keyrings to ask, the first of them to write to."""
    # What a broken keyring has to say would go to stderr as a traceback.
    logging.getLogger("keyring").addHandler(logging.NullHandler())
    import keyring
    from keyring.backends.chainer import ChainerBackend

    chosen = keyring.get_keyring()
    rings = chosen.backends if isinstance(chosen, ChainerBackend) else [chosen]
    ours = [ring for ring in rings if _is_the_systems(ring)]
    if not ours:
        raise StorageError("there is no keyring on this system")
    return ours


def _is_the_systems(ring: KeyringBackend) -> bool:
    return not any(kind.__module__.startswith(_NOT_THE_SYSTEMS) for kind in type(ring).__mro__)


def _read(rings: list[KeyringBackend]) -> Secret | None:
    for ring in rings:
        value = ring.get_password(_SERVICE, _USER)
        if value:
            return Secret(value)
    return None
