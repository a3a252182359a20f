"""What holds for every request: one error shape, ids, hosts, origins, sizes, outages."""

import io
from typing import Any

import pytest
import werkzeug.test

from neonhub.api.metrics_port import MetricsPort
from neonhub.database import Database
from neonhub.models import Fleet
from neonhub.redis.connect import connect
from tests.integration.api.conftest import Client, MakeClient

# Nothing here depends on which of the two databases answers.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

AGENTS = "/api/agents"


def send(client: Client, data: str | bytes, type: str = "application/json") -> Any:
    return client.app.test_client().post(AGENTS, data=data, content_type=type)


def check_shape(answer: Any, code: int) -> dict[str, Any]:
    found: dict[str, Any] = answer.json
    assert answer.status_code == code, found
    assert {"code", "status", "message", "requestId"} <= set(found)
    assert found["code"] == code and "Traceback" not in answer.text
    assert found["requestId"] == answer.headers["X-Request-Id"]
    return found


@pytest.mark.parametrize(
    "body",
    [
        *("{", "nonsense", '{"id": NaN}', '{"id": Infinity}', '{"id": "\\u0000"}', b"\xff\xfe"),
        *('{"id": "\\ud800"}', "[" * 100_000, '{"a": 1}}'),
    ],
)
def test_what_is_not_json_is_400(client: Client, body: str | bytes) -> None:
    check_shape(send(client, body), 400)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
        (f'{{"id": {"9" * 5000}}}', "too many digits"),
        ('{"id": "\\u0000"}', "NUL"),
        ('{"id": "\\ud800"}', "surrogate"),
    ],
)
def test_json_that_cannot_be_kept_is_400_and_says_why(
    client: Client, body: str, words: str
) -> None:
    assert words in check_shape(send(client, body), 400)["message"]


def test_a_backslash_before_u0000_is_just_text(client: Client) -> None:
    body = '{"id": "a", "name": "a", "kind": "echo", "config": {"say": "\\\\u0000"}}'
    assert send(client, body).json["config"] == {"say": "\\u0000"}


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true"])
def test_json_that_is_no_object_is_422(client: Client, body: str) -> None:
    assert check_shape(send(client, body), 422)["message"] == "The body must be a JSON object."


@pytest.mark.parametrize(
    "type",
    ["text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", ""],
)
def test_another_type_is_415(client: Client, type: str) -> None:
    check_shape(send(client, "{}", type), 415)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip"])
def test_a_body_that_is_encoded_is_415(client: Client, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    answer = client.post("/api/scheduler/pause", {"reason": "a"}, headers=headers)
    assert "Content-Encoding" in check_shape(answer, 415)["message"]


def test_a_body_that_is_not_encoded_may_say_so(client: Client) -> None:
    headers = {"Content-Encoding": "identity"}
    assert client.post("/api/scheduler/pause", {}, headers=headers).status_code == 200


def test_what_may_not_wait_is_429_with_retry_after(client: Client) -> None:
    with client.database.begin() as db:
        db.get_one(Fleet, 1).max_queued = 1
    path = "/api/agents/reporter/run"
    assert client.post(path).status_code == 202
    answer = client.post(path)
    check_shape(answer, 429)
    assert answer.headers["Retry-After"].isdigit()


def test_the_limit_of_a_body_is_a_setting(make_client: MakeClient) -> None:
    client = make_client(NEONHUB_MAX_BODY_BYTES="2000")
    answer = send(client, '{"id": "' + "x" * 2000 + '"}')
    check_shape(answer, 413)
    assert answer.json["message"] == (
        "The body is larger than 2000 bytes (NEONHUB_MAX_BODY_BYTES)."
    )


def test_a_body_over_a_mebibyte_is_413(client: Client) -> None:
    check_shape(send(client, '{"id": "' + "x" * 1_100_000 + '"}'), 413)


@pytest.mark.parametrize(("path", "code"), [(AGENTS, 413), ("/api/nothing", 404)])
def test_a_refused_body_is_read_all_the_same(client: Client, path: str, code: int) -> None:
    """A connection closed with unread data is reset, and the answer lost."""
    sent = io.BytesIO(b"x" * 2_000_000)
    answer = client.app.test_client().post(
        path, input_stream=sent, content_length=2_000_000, content_type="application/json"
    )
    check_shape(answer, code)
    assert sent.read() == b""


def test_the_websocket_without_a_handshake_is_400_and_says_why(client: Client) -> None:
    assert "WebSocket" in check_shape(client.get("/ws"), 400)["message"]


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/agents/a/b/c", "/docs/x"])
def test_an_unknown_address_is_404(client: Client, path: str) -> None:
    check_shape(client.get(path), 404)


def test_a_wrong_method_is_405_and_names_the_right_ones(client: Client) -> None:
    answer = client.delete(AGENTS)
    check_shape(answer, 405)
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_a_request_id_is_echoed_or_made(client: Client) -> None:
    echoed = client.get(AGENTS, headers={"X-Request-Id": "my-id"})
    assert echoed.headers["X-Request-Id"] == "my-id"
    made = client.get(AGENTS, headers={"X-Request-Id": "x" * 500})
    assert len(made.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_foreign_host_is_403(client: Client, host: str) -> None:
    check_shape(client.get(AGENTS, headers={"Host": host}), 403)


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/docs", "/", "/ws"])
def test_a_foreign_host_is_403_for_all_but_probes(client: Client, path: str) -> None:
    check_shape(client.get(path, headers={"Host": "10.0.0.7:5000"}), 403)


@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/readyz", 503)])
def test_a_probe_may_ask_by_any_address(client: Client, path: str, code: int) -> None:
    headers = {"Host": "10.0.0.7:5000"}
    assert client.get(path, headers=headers).status_code == code
    check_shape(client.get(path, headers={**headers, "Origin": "http://evil.example"}), 403)


def test_a_scraper_may_ask_by_any_address_on_the_port_of_its_own(client: Client) -> None:
    scraper = werkzeug.test.Client(MetricsPort(client.app, port=9464))
    assert scraper.get("/metrics", base_url="http://10.0.0.7:9464").status_code == 200
    assert scraper.get("/metrics", base_url="http://10.0.0.7:5000").status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:5000", "[::1]:5000", "hub.example"])
def test_known_hosts_are_answered(make_client: MakeClient, host: str) -> None:
    client = make_client(ALLOWED_HOSTS="hub.example")
    assert client.get(AGENTS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9"])
def test_a_foreign_origin_is_403(client: Client, origin: str) -> None:
    answer = client.post(AGENTS, {}, headers={"Origin": origin})
    check_shape(answer, 403)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_known_origins_get_cors_headers_and_preflight_answers(make_client: MakeClient) -> None:
    origins = {"CLIENT_URL": "https://app.example", "CORS_ORIGIN": "https://b.example,http://c.d"}
    client = make_client(**origins)
    for origin in ("https://app.example", "https://b.example", "http://c.d"):
        answer = client.get(AGENTS, headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    preflight = client.app.test_client().options(
        AGENTS,
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in preflight.headers["Access-Control-Allow-Headers"]


def test_while_redis_is_away_the_database_decides(make_client: MakeClient) -> None:
    client = make_client(redis=connect("redis://127.0.0.1:1/0"))
    client.post(AGENTS, {"id": "reporter", "name": "R", "kind": "echo", "config": {}})
    assert client.post("/api/agents/reporter/run").status_code == 202
    assert client.post("/api/agents/reporter/schedule", {"interval": 60}).status_code == 201
    status = client.get("/api/scheduler/status").json
    assert (status["state"], status["reason"]) == ("ERROR", "Redis does not answer.")


def test_while_the_database_is_away_it_is_503(client: Client, make_client: MakeClient) -> None:
    lost = make_client()
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    for service in ("agents", "sessions", "schedules"):
        getattr(lost.app.extensions["neonhub"], service)._database = away
    answer = lost.get(AGENTS)
    check_shape(answer, 503)
    assert answer.headers["Retry-After"] == "2"
    check_shape(lost.post("/api/agents/reporter/run"), 503)


def test_a_crash_is_500_without_its_traceback(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(**_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(client.app.extensions["neonhub"].agents, "list", crash)
    answer = client.get(AGENTS)
    check_shape(answer, 500)
    assert "secret" not in answer.text
