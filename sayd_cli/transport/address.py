"""Reading the address of a service: which host, and is it this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
