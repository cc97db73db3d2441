"""Values that must never be shown: a key, and a URL with a key in it.

They are redacted by type, not by remembering to: ``repr`` and ``str`` are masked, and only
``reveal()`` gives the value, so that every place that does is found by searching for that word.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

MASK = "***"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A secret string, such as an API key."""

    _value: str

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK})"


@dataclass(frozen=True, slots=True, repr=False)
class SecretUrl:
    """A URL whose query string, or user part, is a secret.

    The Listen API's ``websocket_url`` is pre-authenticated: the key stands in its query string.
    """

    _value: str

    def reveal(self) -> str:
        """The whole URL."""
        return self._value

    def __str__(self) -> str:
        """The URL with every query value and any user part masked; its host and path stay. Of
        what is no URL nothing is shown: nobody knows where a secret stands in it.
        """
        try:
            parts = urlsplit(self._value)
        except ValueError:
            return MASK
        host = parts.netloc.rpartition("@")[2]
        if "@" in parts.netloc:
            host = f"{MASK}@{host}"
        names = (pair.partition("=")[0] for pair in parts.query.split("&") if pair)
        query = "&".join(f"{name}={MASK}" for name in names)
        return urlunsplit((parts.scheme, host, parts.path, query, ""))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"
