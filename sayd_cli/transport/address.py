"""Reading the address of a service: which host, and is it this machine."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from sayd_cli.model.secret import MASK

_SCHEME = re.compile(r"\A[a-z]{1,10}://", re.IGNORECASE)
_SHOWN_CHARS = 100


def is_service_address(url: str) -> bool:
    """True when the URL can be the address of a service: ``http`` or ``https``, and a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """True when the URL's host is this machine by name or number."""
    host = _host(url)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown_host(url: str) -> str:
    """The host as messages show it: without the user part, path and query, where keys may be."""
    return _host(url) or "the service"


def shown_address(text: str) -> str:
    """What was given as an address, fit to be shown even where it is none: the user part masked,
    and nothing from the query on.

    Works on the text alone, and masks rather too much: where the parts of something that is no
    URL begin and end, nobody knows.
    """
    start = "".join(_SCHEME.findall(text))
    _, at, place = text[len(start) :].rpartition("@")
    shown = re.split("[?#]", place, maxsplit=1)[0][:_SHOWN_CHARS]
    return f"{start}{MASK}@{shown}" if at else f"{start}{shown}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
