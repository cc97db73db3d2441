from __future__ import annotations

import socket

import pytest

from sayd_cli.errors import UsageError
from sayd_cli.server.binding import Address, bind, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8080", "127.0.0.1", 8080),
        (":8080", "127.0.0.1", 8080),
        (" :0 ", "127.0.0.1", 0),
        ("localhost:8080", "localhost", 8080),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("lectern.example.org:80", "lectern.example.org", 80),
        ("[::1]:8080", "::1", 8080),
        ("[::]:8080", "::", 8080),
        ("[fe80::1%eth0]:8080", "fe80::1%eth0", 8080),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "localhost:-1",
        "localhost:8080/",
        "http://localhost:8080",
        "::1:8080",
        "[::1]",
        "[localhost]:8080",
        "a b:80",
        "user@host:80",
        "٨٠٨٠",
        "8080\n8081",
    ],
)
def test_what_is_no_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="no address to listen on") as caught:
        parse_address(text)
    assert "HOST:PORT" in caught.value.remedy


@pytest.mark.parametrize(
    ("host", "shown", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "localhost", True),
        ("0.0.0.0", "127.0.0.1", False),
        ("::1", "[::1]", True),
        ("::", "[::1]", False),
    ],
)
def test_what_listens_says_where(host: str, shown: str, loopback: bool) -> None:
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    binding = bind(Address(host, 0))
    with binding.socket as bound:
        port = bound.getsockname()[1]
        assert binding.url == f"http://{shown}:{port}"
        assert binding.loopback is loopback
        with socket.create_connection((shown.strip("[]"), port), timeout=5):
            pass


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    with bind(Address("127.0.0.1", 0)).socket as bound:
        port = bound.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is in use"):
            bind(Address("127.0.0.1", port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 300, "192.0.2.1"])
def test_an_address_that_is_not_ours_is_a_usage_error(host: str) -> None:
    with pytest.raises(UsageError, match="listen on"):
        bind(Address(host, 0))
