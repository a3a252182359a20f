"""The kind `http` against a real server."""

import gzip
from typing import Any

import pytest
from urllib3.exceptions import HTTPError

from neonhub.agents import BaseAgent, NonRetryableError
from neonhub.agents.http.agent import CallFailed
from neonhub.agents.http.exchange import Exchange, Request
from tests.integration.agents.conftest import Call
from tests.integration.agents.web import Reply, Web
from tests.unit.agents.test_base import Recorded


def test_an_answer_is_kept_with_status_headers_and_size(web: Web, call: Call) -> None:
    web.replies["/"] = Reply(b"hello", 200, {"Content-Type": "text/plain", "X-Odd": "1"})
    result = call(web.url("/"))
    assert (result["status"], result["body"], result["bytes"]) == (200, "hello", 5)
    assert result["headers"]["x-odd"] == "1"
    assert "truncated" not in result


def test_cookies_are_not_kept(web: Web, call: Call) -> None:
    web.replies["/"] = Reply(b"", 200, {"Set-Cookie": "session=secret"})
    assert "set-cookie" not in call(web.url("/"))["headers"]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/hal+json"])
def test_json_is_kept_as_json(web: Web, call: Call, media_type: str) -> None:
    web.replies["/"] = Reply(b'{"a": [1]}', 200, {"Content-Type": media_type})
    result = call(web.url("/"))
    assert result["bodyJson"] == {"a": [1]}
    assert "body" not in result


@pytest.mark.parametrize("body", [b"{broken", b"NaN", b"[" * 100_000, b"\xff"])
def test_json_that_is_none_is_kept_as_text(web: Web, call: Call, body: bytes) -> None:
    web.replies["/"] = Reply(body, 200, {"Content-Type": "application/json"})
    assert call(web.url("/"))["body"] == body.decode(errors="replace")


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("ü".encode("latin-1"), "latin-1", "ü"),
        ("ü".encode(), "no-such", "ü"),
        (b"\xff", "", "\ufffd"),
    ],
)
def test_text_is_read_in_its_own_charset(
    web: Web, call: Call, body: bytes, charset: str, text: str
) -> None:
    web.replies["/"] = Reply(body, 200, {"Content-Type": f"text/plain; charset={charset}"})
    assert call(web.url("/"))["body"] == text


def test_method_headers_and_body_are_sent(web: Web, call: Call) -> None:
    web.replies["/in"] = Reply(status=201)
    call(web.url("/in?q=1"), method="PUT", headers={"X-Key": "k"}, body={"a": 1})
    (seen,) = web.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", "/in?q=1", b'{"a": 1}')
    assert seen.headers["x-key"] == "k"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["host"] == f"127.0.0.1:{web.port}"
    assert seen.headers["user-agent"].startswith("NeonHub/")


def test_configured_headers_win_over_the_defaults(web: Web, call: Call) -> None:
    web.replies["/"] = Reply()
    call(web.url("/"), method="POST", headers={"content-type": "text/csv"}, body="a,b")
    assert web.seen[0].headers["content-type"] == "text/csv"


def test_a_post_carries_the_sessions_idempotency_key(web: Web, agent: BaseAgent) -> None:
    web.replies["/"] = Reply()
    agent.bind(session_id="s1", attempt=2, idempotency_key="k1")
    agent.execute({"url": web.url("/"), "method": "POST"})
    assert web.seen[0].headers["idempotency-key"] == "k1"


def test_a_path_beyond_ascii_is_encoded(web: Web, call: Call) -> None:
    web.replies["/caf%C3%A9%20"] = Reply()
    call(web.url("/café%20?q=ü"))
    assert web.seen[0].path == "/caf%C3%A9%20?q=%C3%BC"


def test_a_head_request_has_no_body(web: Web, call: Call) -> None:
    web.replies["/"] = Reply(b"hello")
    assert call(web.url("/"), method="HEAD")["bytes"] == 0


@pytest.mark.parametrize(("size", "is_truncated"), [(9, False), (10, False), (11, True)])
def test_a_long_body_is_cut_off(web: Web, call: Call, size: int, is_truncated: bool) -> None:
    web.replies["/"] = Reply(b"x" * size)
    result = call(web.url("/"), maxBytes=10)
    assert result["bytes"] == len(result["body"]) == min(size, 10)
    assert result.get("truncated", False) is is_truncated


def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_off(web: Web, call: Call) -> None:
    packed = gzip.compress(b"x" * 50_000_000)
    web.replies["/"] = Reply(packed, 200, {"Content-Encoding": "gzip"})
    result = call(web.url("/"), maxBytes=1000)
    assert (result["bytes"], result["truncated"]) == (1000, True)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_status_that_may_pass_is_tried_again(web: Web, call: Call, status: int) -> None:
    web.replies["/"] = Reply(b"come\n later", status)
    with pytest.raises(CallFailed, match=f"answered {status}, expected 200 to 299: come later"):
        call(web.url("/"))


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 410])
def test_another_unexpected_status_is_not(web: Web, call: Call, status: int) -> None:
    web.replies["/"] = Reply(status=status)
    with pytest.raises(NonRetryableError, match=f"answered {status}, expected 200 to 299"):
        call(web.url("/"))


@pytest.mark.parametrize("expected", [404, [200, 404]])
def test_an_expected_status_is_a_success(web: Web, call: Call, expected: Any) -> None:
    assert call(web.url("/"), expectedStatus=expected)["status"] == 404


def test_a_status_outside_the_list_is_no_success(web: Web, call: Call) -> None:
    web.replies["/"] = Reply()
    with pytest.raises(NonRetryableError, match="answered 200, expected 201, 409"):
        call(web.url("/"), expectedStatus=[201, 409])


def test_a_port_where_nobody_listens_is_tried_again(call: Call) -> None:
    with pytest.raises(CallFailed, match=r"/ failed: Connection refused\.$"):
        call("http://127.0.0.1:1/?key=secret")


def test_an_answer_cut_short_is_tried_again(web: Web, call: Call) -> None:
    web.replies["/"] = Reply(b"short", 200, {"Content-Length": "500", "Connection": "close"})
    with pytest.raises(CallFailed, match="failed: "):
        call(web.url("/"))


def test_an_answer_that_takes_too_long_is_tried_again(web: Web, call: Call) -> None:
    web.replies["/"] = Reply(b"never ends", is_stuck=True)
    with pytest.raises(CallFailed, match=r"failed: (not done within 0\.2 seconds|.*timed out)"):
        call(web.url("/"), timeoutSeconds=0.2)


def test_a_stop_ends_a_call_that_is_stuck(web: Web, agent: BaseAgent) -> None:
    web.replies["/"] = Reply(b"never ends", is_stuck=True)
    stopper = web.once_reached(agent.stop)
    assert agent.execute({"url": web.url("/"), "timeoutSeconds": 600}) == {"stopped": True}
    stopper.join()


def test_a_cancelled_exchange_does_not_wait_for_the_server(web: Web) -> None:
    web.replies["/"] = Reply(b"never ends", is_stuck=True)
    exchange = Exchange(
        Request("GET", web.url("/"), {}, None),
        timeout_seconds=600,
        max_bytes=100,
        allow_private=True,
        is_wanted=lambda status: True,
    )
    canceller = web.once_reached(exchange.cancel)
    with pytest.raises((HTTPError, OSError)):
        exchange.run()
    canceller.join()


def test_loopback_is_refused_unless_allowed(
    web: Web, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEONHUB_HTTP_ALLOW_PRIVATE")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        with pytest.raises(NonRetryableError, match="loopback, private or reserved"):
            call(web.url("/", host=host))
    assert web.seen == []


def test_the_call_is_logged_without_its_query(web: Web, agent: BaseAgent) -> None:
    recorded = Recorded()
    agent.bind(reporter=recorded)
    web.replies["/in"] = Reply(b"hello")
    agent.execute({"url": web.url("/in?key=secret")})
    ((kind, message, data, level),) = recorded.lines
    assert (kind, message, level) == ("response", f"GET {web.url('/in')} answered 200.", "info")
    assert (data["status"], data["bytes"]) == (200, 5)


def test_progress_follows_the_body(web: Web, agent: BaseAgent) -> None:
    recorded = Recorded()
    agent.bind(reporter=recorded)
    web.replies["/"] = Reply(b"x" * 200_000)
    agent.execute({"url": web.url("/")})
    assert recorded.percents == sorted(recorded.percents)
    assert recorded.percents[-1] == 100
    assert len(recorded.percents) > 1
