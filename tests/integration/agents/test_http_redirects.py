"""The kind `http` where it is sent on: every hop is checked again."""

import socket
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from neonhub.agents import NonRetryableError
from neonhub.agents.http import addresses
from tests.integration.agents.conftest import Call
from tests.integration.agents.web import Handler, Reply, Web


@pytest.fixture
def other() -> Iterator[Web]:
    """A second server: another origin."""
    server = Web()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def inside() -> Iterator[Web]:
    """A server on an address that counts as private where 127.0.0.1 counts as public."""
    server = Web(ThreadingHTTPServer(("127.0.0.2", 0), Handler))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def first_is_public(monkeypatch: pytest.MonkeyPatch, private_allowed: None) -> None:
    """Only 127.0.0.1 counts as public."""

    def is_public(address: IPv4Address | IPv6Address) -> bool:
        return str(address) == "127.0.0.1"

    monkeypatch.setenv("NEONHUB_HTTP_ALLOW_PRIVATE", "false")
    monkeypatch.setattr(addresses, "is_public", is_public)


def to(location: str, status: int = 302) -> Reply:
    """A redirect."""
    return Reply(b"moved", status, {"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(web: Web, call: Call, status: int) -> None:
    web.replies |= {"/a/b": to("../c?d=1", status), "/c": Reply(b"here")}
    assert call(web.url("/a/b"))["body"] == "here"
    assert web.seen[-1].path == "/c?d=1"


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (301, "GET", b""),
        (302, "GET", b""),
        (303, "GET", b""),
        (307, "POST", b"x"),
        (308, "POST", b"x"),
    ],
)
def test_a_redirected_post_keeps_its_method_or_not(
    web: Web, call: Call, status: int, method: str, body: bytes
) -> None:
    web.replies |= {"/": to("/c", status), "/c": Reply()}
    call(web.url("/"), method="POST", body="x")
    assert (web.seen[-1].method, web.seen[-1].body) == (method, body)
    assert ("content-type" in web.seen[-1].headers) is (method == "POST")


def test_a_redirected_head_stays_a_head(web: Web, call: Call) -> None:
    web.replies |= {"/": to("/c", 303), "/c": Reply(b"here")}
    call(web.url("/"), method="HEAD")
    assert web.seen[-1].method == "HEAD"


def test_secrets_stay_with_their_origin(web: Web, other: Web, call: Call) -> None:
    web.replies |= {"/": to("/same"), "/same": to(other.url("/"))}
    other.replies["/"] = Reply()
    call(web.url("/"), headers={"Authorization": "secret", "Cookie": "a=b", "X-Kept": "1"})
    assert web.seen[1].headers["authorization"] == "secret"
    assert {"authorization", "cookie", "x-kept"} & other.seen[0].headers.keys() == {"x-kept"}


def test_an_expected_redirect_is_the_answer(web: Web, call: Call) -> None:
    web.replies["/"] = to("/c")
    result = call(web.url("/"), expectedStatus=302)
    assert (result["status"], result["headers"]["location"]) == (302, "/c")
    assert len(web.seen) == 1


def test_redirects_in_a_ring_end(web: Web, call: Call) -> None:
    web.replies["/"] = to("/")
    with pytest.raises(NonRetryableError, match="6th redirect in a row"):
        call(web.url("/"))
    assert len(web.seen) == 6


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://example.com/", "http://[::1/", "http://u:p@example.com/"],
)
def test_a_redirect_that_leads_nowhere_is_not_tried_again(
    web: Web, call: Call, location: str
) -> None:
    web.replies["/"] = to(location)
    with pytest.raises(NonRetryableError, match="It redirects to"):
        call(web.url("/"))


def test_a_redirect_without_a_place_is_an_answer(web: Web, call: Call) -> None:
    web.replies["/"] = Reply(status=302)
    with pytest.raises(NonRetryableError, match="answered 302, expected 200 to 299"):
        call(web.url("/"))


def test_a_redirect_to_a_private_address_is_refused(
    web: Web, inside: Web, call: Call, first_is_public: None
) -> None:
    web.replies["/"] = to(inside.url("/", host="127.0.0.2"))
    with pytest.raises(NonRetryableError, match=r"127\.0\.0\.2 is a loopback"):
        call(web.url("/"))
    assert (len(web.seen), len(inside.seen)) == (1, 0)


def test_a_name_that_changes_its_address_after_the_check_is_not_asked_again(
    web: Web, call: Call, first_is_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, answers = socket.getaddrinfo, iter(["127.0.0.1", "127.0.0.2"])

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        return real(next(answers) if host == "rebinding.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    web.replies["/"] = Reply(b"outside")
    assert call(web.url("/", host="rebinding.example"))["body"] == "outside"
    assert web.seen[0].headers["host"] == f"rebinding.example:{web.port}"
    assert next(answers) == "127.0.0.2"


def test_the_next_address_is_tried_when_one_does_not_answer(
    web: Web, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        names = ["127.0.0.3", "127.0.0.1"] if host == "two.example" else [host]
        return [entry for name in names for entry in real(name, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    web.replies["/"] = Reply(b"second")
    assert call(web.url("/", host="two.example"))["body"] == "second"
