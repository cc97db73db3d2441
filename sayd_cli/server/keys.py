"""Who may use the server: the keys it takes, and the name under which a key's sessions are kept."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path

from sayd_cli.errors import KeyRefusedError, UsageError
from sayd_cli.model.secret import Secret

_OWNER_CONTEXT = b"sayd session owner\0"


class KeyRing:
    """The accepted keys.

    Args:
        keys: The keys; none at all means that any key is taken, which is for loopback only.
    """

    def __init__(self, keys: Iterable[Secret] = ()) -> None:
        self._keys = tuple(key.reveal().encode() for key in keys)

    @property
    def takes_any(self) -> bool:
        """No keys are configured."""
        return not self._keys

    def owner(self, key: str) -> str:
        """The name under which this key's sessions are kept: a hash, never the key itself.

        Raises:
            KeyRefusedError: The key is missing, or not one of ours.
        """
        if not key:
            raise KeyRefusedError("the key is missing", "send it in the Authorization header")
        given = key.encode("utf-8", "surrogateescape")
        # Every key is compared, each in constant time: how long it takes tells nothing.
        known = [hmac.compare_digest(given, accepted) for accepted in self._keys]
        if self._keys and not any(known):
            raise KeyRefusedError("the key is not accepted")
        return hashlib.sha256(_OWNER_CONTEXT + given).hexdigest()


def bearer(headers: Mapping[str, str]) -> str:
    """The key in the ``Authorization`` header: the raw key, as the API has it, or with the
    ``Bearer`` that most others have; empty without one.
    """
    value = headers.get("authorization", "").strip()
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value


def load_keys(path: Path) -> KeyRing:
    """The keys in a file: one a line; empty lines and lines that begin with ``#`` say nothing.

    Raises:
        UsageError: The file cannot be read, has no key, or a line that cannot be a key.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise UsageError(
            f"the keys file {path} cannot be read: {reason}", "it has one key a line"
        ) from exc
    keys = []
    for number, line in enumerate(lines, 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        # It has to travel in a header.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise UsageError(
                f"line {number} of the keys file {path} cannot be a key",
                "a key has letters, digits and signs, and no spaces",
            )
        keys.append(Secret(key))
    if not keys:
        raise UsageError(f"the keys file {path} has no key", "write one key a line")
    return KeyRing(keys)
