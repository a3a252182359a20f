"""Which addresses agents of kind `http` may call."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from neonhub.agents import NonRetryableError
from neonhub.agents.http.addresses import is_public, resolve


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "2a00::1"])
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
def test_an_address_that_wraps_a_private_one_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


def test_an_address_that_wraps_a_public_one_is() -> None:
    assert is_public(ip_address("64:ff9b::101:101"))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Host names and their addresses; no look-up leaves this process."""
    known: dict[str, list[str]] = {}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_a_name_is_resolved_once_for_each_address(names: dict[str, list[str]]) -> None:
    names["example.com"] = ["1.1.1.1", "2606:4700::1111", "1.1.1.1"]
    found = resolve("example.com", 80, allow_private=False)
    assert found == ["1.1.1.1", "2606:4700::1111"]


def test_a_name_with_one_private_address_is_refused(names: dict[str, list[str]]) -> None:
    names["inside.example"] = ["1.1.1.1", "10.0.0.7"]
    with pytest.raises(NonRetryableError, match=r"inside\.example is at 10\.0\.0\.7, which is a"):
        resolve("inside.example", 80, allow_private=False)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "::1", "fe80::1%lo"])
def test_no_spelling_of_a_private_address_gets_through(host: str) -> None:
    with pytest.raises(NonRetryableError, match="NEONHUB_HTTP_ALLOW_PRIVATE=true"):
        resolve(host, 80, allow_private=False)


def test_private_addresses_will_do_when_allowed() -> None:
    assert resolve("127.0.0.1", 80, allow_private=True) == ["127.0.0.1"]
