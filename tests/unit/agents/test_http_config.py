"""What the kind `http` takes and refuses."""

from typing import Any

import pytest

from neonhub.agents import AgentManager, NonRetryableError
from neonhub.agents.http.config import HttpConfig
from neonhub.errors import InvalidInput

URL = "https://example.com/"


def refusal(**config: Any) -> dict[str, list[str]]:
    """The errors a config is refused with."""
    with pytest.raises(InvalidInput) as raised:
        AgentManager().validate_config("http", {"url": URL, **config})
    return raised.value.errors


def test_only_the_url_is_needed() -> None:
    assert HttpConfig.read({"url": URL}) == HttpConfig(
        url=URL,
        method="GET",
        headers={},
        body=None,
        timeout_seconds=30.0,
        max_bytes=1_048_576,
        expected_status=None,
    )


def test_everything_can_be_set() -> None:
    config = {
        "url": URL,
        "method": "POST",
        "headers": {"Accept": "text/html"},
        "body": {"a": 1},
        "timeoutSeconds": 2.5,
        "maxBytes": 10,
        "expectedStatus": [201, 409],
    }
    assert AgentManager().validate_config("http", config) == config
    assert HttpConfig.read(config).expected_status == (201, 409)


def test_an_input_may_hold_more_than_the_config() -> None:
    assert HttpConfig.read({"url": URL, "reason": "try"}).url == URL


def test_an_input_that_spoils_the_config_is_not_tried_again() -> None:
    with pytest.raises(NonRetryableError, match=r"config\.method: Must be one of: GET, HEAD"):
        HttpConfig.read({"url": URL, "method": "BREW"})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "begins with http"),
        ("example.com", "begins with http"),
        ("https://", "begins with http"),
        ("http://example.com:0/", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("http://example.com:99999/", "Not a URL"),
        ("http://[::1/", "Not a URL"),
        ("http://a..b/", "Not a URL"),
        ("http://user:word@example.com/", "use a header"),
        ("http://exa mple.com/", "spaces"),
        ("http://example.com/\r\nX: y", "control"),
        (URL + "x" * 8000, "Longer than"),
    ],
)
def test_what_is_no_url_to_call_is_refused(url: str, reason: str) -> None:
    assert reason in refusal(url=url)["config.url"][0]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"url": None}, "config.url"),
        ({"url": 7}, "config.url"),
        ({"method": "get"}, "config.method"),
        ({"headers": {"a b": "c"}}, "config.headers.a b.key"),
        ({"headers": {"Host": "c"}}, "config.headers.Host.key"),
        ({"headers": {"Content-Length": "3"}}, "config.headers.Content-Length.key"),
        ({"headers": {"a": "b\r\nc: d"}}, "config.headers.a.value"),
        ({"headers": {"a": 1}}, "config.headers.a.value"),
        ({"headers": []}, "config.headers"),
        ({"timeoutSeconds": 0}, "config.timeoutSeconds"),
        ({"timeoutSeconds": "30"}, "config.timeoutSeconds"),
        ({"timeoutSeconds": float("nan")}, "config.timeoutSeconds"),
        ({"timeoutSeconds": True}, "config.timeoutSeconds"),
        ({"maxBytes": 0}, "config.maxBytes"),
        ({"maxBytes": 10**9}, "config.maxBytes"),
        ({"maxBytes": 1.5}, "config.maxBytes"),
        ({"expectedStatus": "200"}, "config.expectedStatus"),
        ({"expectedStatus": []}, "config.expectedStatus"),
        ({"expectedStatus": [True]}, "config.expectedStatus"),
        ({"expectedStatus": 99}, "config.expectedStatus"),
        ({"retries": 3}, "config.retries"),
    ],
)
def test_a_wrong_field_is_named(config: dict[str, Any], field: str) -> None:
    assert list(refusal(**config)) == [field]


@pytest.mark.parametrize(
    ("expected", "status", "is_expected"),
    [(None, 200, True), (None, 204, True), (None, 301, False), (404, 404, True), (404, 200, False)],
)
def test_a_status_is_a_success_or_not(expected: int | None, status: int, is_expected: bool) -> None:
    given = {} if expected is None else {"expectedStatus": expected}
    assert HttpConfig.read({"url": URL, **given}).expects(status) is is_expected


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        (None, None, None),
        ("text ü", "text ü".encode(), "text/plain; charset=utf-8"),
        ({"a": [1]}, b'{"a": [1]}', "application/json"),
        ([], b"[]", "application/json"),
        (False, b"false", "application/json"),
    ],
)
def test_a_body_is_text_or_json(body: Any, content: bytes | None, content_type: str | None) -> None:
    assert HttpConfig.read({"url": URL, "body": body}).content() == (content, content_type)
