"""An address to listen on: as the user writes it, as a socket, and as a URL."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass

from sayd_cli.errors import UsageError

PORT_MAX = 65_535
_LOOPBACK = "127.0.0.1"
_FORM = re.compile(
    r"(?:(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:/\[\]@]+)?:)?(?P<port>[0-9]{1,5})"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: A name or an address of this machine; an IPv6 address without brackets.
        port: 0 for any free one.
    """

    host: str
    port: int


def parse_address(text: str) -> Address:
    """``HOST:PORT``, ``[ADDRESS]:PORT``, or a port alone, which means this machine only.

    Raises:
        UsageError: It is none of these.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or int(found["port"]) > PORT_MAX:
        raise UsageError(
            f"{text!r} is no address to listen on",
            f"give HOST:PORT, [IPV6]:PORT or a port up to {PORT_MAX}; 0 is any free one",
        )
    return Address((found["host"] or _LOOPBACK).strip("[]"), int(found["port"]))


@dataclass(frozen=True, slots=True)
class Binding:
    """A socket that listens, and what it is to others.

    Attributes:
        socket: Bound and listening.
        url: ``http://HOST:PORT``, with the host as it was asked for; where that is every address
            of this machine, one that a browser on it can open.
        loopback: Only this machine reaches it.
    """

    socket: socket.socket
    url: str
    loopback: bool


def bind(address: Address) -> Binding:
    """Listen; whoever calls closes the socket. Blocks for as long as a name takes to be resolved.

    Raises:
        UsageError: It cannot be listened on.
    """
    shown = url_of(address.host, address.port).removeprefix("http://")
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as exc:
        raise UsageError(
            f"there is no address {shown} to listen on", "choose another host"
        ) from exc
    # "localhost" is two addresses; the one that every client tries is taken.
    family, kind, protocol, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            # Elsewhere it would let two servers have the same port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        # Here and not later: on some systems only this finds that the port is taken.
        bound.listen()
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRINUSE:
            raise UsageError(f"port {address.port} is in use", "choose another port") from exc
        raise UsageError(
            f"cannot listen on {shown}: {exc.strerror}", "choose another host or port"
        ) from exc
    ip = ipaddress.ip_address(str(where[0]).partition("%")[0])
    host = address.host
    if ip.is_unspecified:
        host = "::1" if ip.version == 6 else _LOOPBACK
    return Binding(bound, url_of(host, bound.getsockname()[1]), ip.is_loopback)


def url_of(host: str, port: int) -> str:
    """``http://HOST:PORT``, with an IPv6 address in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
