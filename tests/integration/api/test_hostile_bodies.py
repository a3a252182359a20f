"""What is made to break the API is refused in one sentence, and leaves nothing behind."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from neonhub.api.app import create_app
from neonhub.api.errors import MAX_FIELDS
from neonhub.config import load_settings
from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.models.base import Base
from neonhub.redis.connect import connect
from tests.factories import NOW, add_agent, add_fleet, add_schedule, add_session
from tests.integration.api.conftest import Client

LONGEST_MESSAGE = 600
INTERNALS = (
    "Traceback",
    'File "',
    ".py",
    "sqlalchemy",
    "sqlite",
    "marshmallow",
    "werkzeug",
    " at 0x",
)

SCHEDULE = "01a209fe2c717d4fb7e329746fcf1024"
SESSION = "01a209fe2c717d4fb7e329746fcf1025"
ENDED = "01a209fe2c717d4fb7e329746fcf1026"

RECURRENCE = {"cronExpression": "0 9 * * 1-5"}
RANGE = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T01:00:00Z"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/agents": {"id": "fresh", "name": "Fresh", "kind": "echo"},
    "PATCH /api/agents/reporter": {"name": "Other"},
    "POST /api/agents/reporter/run": {"priority": "LOW"},
    "POST /api/agents/reporter/schedule": RECURRENCE,
    "POST /api/agents/reporter/schedules": {"name": "nightly", **RECURRENCE},
    f"PATCH /api/schedules/{SCHEDULE}": {"priority": "LOW"},
    "POST /api/schedules/preview": RECURRENCE,
    f"POST /api/schedules/{SCHEDULE}/backfill": RANGE,
    f"POST /api/schedules/{SCHEDULE}/pause": {"reason": "holidays"},
    f"POST /api/schedules/{SCHEDULE}/resume": {"reason": "back"},
    "POST /api/schedules/pause": {"names": ["default"]},
    "POST /api/schedules/resume": {"names": ["default"]},
    "POST /api/scheduler/pause": {"reason": "holidays"},
}
"""Every call that takes a body, with one that is fine."""

BODILESS = [
    f"POST /api/schedules/{SCHEDULE}/run",
    f"POST /api/schedules/{SCHEDULE}/skip-next",
    f"POST /api/sessions/{SESSION}/stop",
    f"POST /api/sessions/{ENDED}/retry",
    "POST /api/scheduler/resume",
]
READING = [
    "GET /api/agents/reporter",
    "GET /api/agents/reporter/schedule",
    "GET /api/agents/reporter/schedules",
    "GET /api/agents/reporter/sessions",
    f"GET /api/schedules/{SCHEDULE}",
    f"GET /api/schedules/{SCHEDULE}/explain?at=2026-03-02T12:00:00Z",
    f"GET /api/sessions/{SESSION}",
    f"GET /api/sessions/{SESSION}/events",
]
REMOVING = [
    "DELETE /api/agents/reporter",
    "DELETE /api/agents/reporter/schedule",
    f"DELETE /api/schedules/{SCHEDULE}",
    f"DELETE /api/schedules/{SCHEDULE}/backfill",
]


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, redis_url: str
) -> Iterator[Client]:
    """One for all: nothing here may change anything."""
    path = tmp_path_factory.mktemp("hostile") / "neonhub.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    env = {"REDIS_URL": redis_url, "NEONHUB_AGENT_MODULES": "tests.agents_for_tests"}
    with connect(redis_url) as redis:
        redis.flushall()
        app = create_app(load_settings(env), database, redis, clock=lambda: NOW)
        _fill(database)
        yield Client(app, database, redis)
    database.close()


def _fill(database: Database) -> None:
    add_fleet(database)
    agent = add_agent(database, "reporter", kind="echo")
    yesterday = NOW - timedelta(days=1)
    schedule = add_schedule(database, agent, id=SCHEDULE, created_at=yesterday)
    add_session(database, agent, id=SESSION, schedule_id=schedule.id)
    add_session(database, agent, id=ENDED, status=SessionStatus.FAILED, finished_at=NOW)


def kept(client: Client) -> tuple[Any, ...]:
    """All that is stored."""
    with client.database.read() as db:
        rows = [db.execute(table.select()).all() for table in Base.metadata.sorted_tables]
    return (*rows, sorted(client.redis.keys()))


def send(client: Client, call: str, **options: Any) -> Any:
    method, path = call.split(" ", 1)
    return client.app.test_client().open(path, method=method, **options)


def check_refused(client: Client, call: str, codes: set[int], **options: Any) -> None:
    before = kept(client)
    answer = send(client, call, **options)
    assert answer.status_code in codes, answer.text[:500]
    assert kept(client) == before
    found = answer.json
    assert set(found) - {"errors"} == {"code", "status", "message", "requestId"}
    assert found["code"] == answer.status_code and found["requestId"]
    message = found["message"]
    assert 0 < len(message) <= LONGEST_MESSAGE and message.isprintable(), message
    assert not [word for word in INTERNALS if word in answer.text], answer.text
    assert len(answer.data) < 10 * LONGEST_MESSAGE


def check_json_refused(client: Client, call: str, data: bytes, codes: set[int]) -> None:
    check_refused(client, call, codes, data=data, content_type="application/json")


# Bodies made of a good one, as bytes.

GOOD = '{"reason": "holidays"}'
RAW: dict[str, tuple[int, bytes]] = {
    "half": (400, b'{"reason": "holi'),
    "without its last brace": (400, b'{"reason": "holidays"'),
    "an empty line": (400, b"\n"),
    "with more behind it": (400, b'{"reason": null} {}'),
    "two lines of JSON": (400, b'{"reason": null}\n{"reason": null}'),
    "trailing comma": (400, b'{"reason": null,}'),
    "comment": (400, b'{"reason": null /* why */}'),
    "single quotes": (400, b"{'reason': null}"),
    "bare name": (400, b"{reason: null}"),
    "Python's None": (400, b'{"reason": None}'),
    "NaN": (400, b'{"reason": NaN}'),
    "Infinity": (400, b'{"reason": Infinity}'),
    "-Infinity": (400, b'{"reason": -Infinity}'),
    "1e999": (400, b'{"reason": 1e999}'),
    "-1e999 deep inside": (400, b'{"input": {"a": [{"b": -1e999}]}}'),
    "hexadecimal": (400, b'{"reason": 0x10}'),
    "leading zero": (400, b'{"reason": 010}'),
    "5,000 digits": (400, b'{"reason": ' + b"9" * 5_000 + b"}"),
    "10,000 arrays": (400, b"[" * 10_000 + b"]" * 10_000),
    "10,000 objects": (400, b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "arrays without an end": (400, b"[" * 200_000),
    "the same name twice": (400, b'{"reason": null, "reason": "holidays"}'),
    "the same name twice, inside": (400, b'{"input": {"a": 1, "a": 2}}'),
    "no UTF-8": (400, b'{"reason": "\xff\xfe"}'),
    "overlong UTF-8": (400, b'{"reason": "\xc0\xaf"}'),
    "a surrogate in UTF-8": (400, b'{"reason": "\xed\xa0\x80"}'),
    "cut UTF-8": (400, b'{"reason": "\xf0\x9f"}'),
    "BOM": (400, b"\xef\xbb\xbf" + GOOD.encode()),
    "UTF-16": (400, GOOD.encode("utf-16")),
    "UTF-32": (400, GOOD.encode("utf-32")),
    "Latin-1": (400, '{"reason": "Müßiggang"}'.encode("latin-1")),
    "lone surrogate": (400, b'{"reason": "\\ud800"}'),
    "surrogates turned around": (400, b'{"reason": "\\udc00\\ud800"}'),
    "surrogate in a name": (400, b'{"\\udfff": 1}'),
    "NUL escaped": (400, b'{"reason": "\\u0000"}'),
    "NUL escaped in a name": (400, b'{"\\u0000": 1}'),
    "NUL itself": (400, b'{"reason": "\x00"}'),
    "NUL behind": (400, b'{"reason": null}\x00'),
    "newline in a text": (400, b'{"reason": "a\nb"}'),
    "XML": (400, b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>"),
    "a form": (400, b"reason=holidays"),
    "pickle": (400, b"\x80\x04K\x01."),
    "array": (422, b"[]"),
    "array of objects": (422, b'[{"reason": null}]'),
    "text": (422, b'"holidays"'),
    "number": (422, b"5"),
    "true": (422, b"true"),
    "null": (422, b"null"),
    "false": (422, b"false"),
    "__proto__": (422, b'{"__proto__": {"admin": true}}'),
    "constructor": (422, b'{"constructor": {"prototype": {"admin": true}}}'),
    "__class__": (422, b'{"__class__": "os.system"}'),
    "$ref": (422, b'{"$ref": "file:///etc/passwd"}'),
    "an empty name": (422, b'{"": 1}'),
    "snake_case": (422, b'{"created_at": null}'),
    "10,000 names": (422, json.dumps({f"f{number}": 1 for number in range(10_000)}).encode()),
    "a name of 100 kB": (422, json.dumps({"x" * 100_000: 1}).encode()),
    "a name with a line break": (422, b'{"a\\nb": 1}'),
    "over a mebibyte": (413, json.dumps({"reason": "x" * 1_048_576}).encode()),
}
"""What is wrong → the answer, and the body."""


@pytest.mark.parametrize("what", RAW)
@pytest.mark.parametrize("call", [*BODIES, *BODILESS])
def test_a_broken_body_is_refused(client: Client, call: str, what: str) -> None:
    code, data = RAW[what]
    check_json_refused(client, call, data, {code})


TYPES = [
    *("text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded"),
    *("multipart/form-data; boundary=x", "application/octet-stream", "application/jsonp", "json"),
    *("application/", "/", "application/json5", "*/*", ""),
]


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("call", [*BODIES, *BODILESS])
def test_a_body_of_another_type_is_refused(client: Client, call: str, type: str) -> None:
    body = json.dumps(BODIES.get(call, {}))
    check_refused(client, call, {415}, data=body, content_type=type)


# Single fields of the wrong kind.

LONG = "x" * 100_000
NO_TEXT: list[Any] = [5, 1.5, True, [], ["a"], {}, {"a": "b"}]
NO_INTEGER: list[Any] = ["5", "", True, False, 1.5, -1, -(2**63), 2**63, 10**30, 1e308, [], [5], {}]
NO_BOOLEAN: list[Any] = ["true", "", 0, 1, 1.0, [], [True], {}]
NO_OBJECT: list[Any] = ["{}", "", 5, True, [], [{}]]
NO_WORD: list[Any] = [*NO_TEXT, "", "low", "LOW ", "URGENT", "LOW\n", LONG]
YEAR_ONE = "0001-01-01T00:00:00Z"
NO_INSTANT: list[Any] = [
    *(0, 1772400000, 1.5, True, [], {}, "", "now", "tomorrow", "2026-03-02", "12:00:00Z", LONG),
    *("2026-03-02T12:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "1e999"),
    *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2026-01-01T00:00:00Z"),
    *("2026-03-02T24:30:00Z", "2026-03-02T12:00:60Z", "2026-03-02T12:00:00+99:00"),
    *(YEAR_ONE, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("\uff12026-03-02T12:00:00Z", "2026-03-02T12:00:00Z\n", "2026-03-02T12:00:00 Europe/Berlin"),
]
NO_NAME: list[Any] = [*NO_TEXT, "", "a\nb", "a\tb", "\x7f", LONG]
NO_CRON: list[Any] = [
    *(*NO_TEXT, "", " ", "*", "* * * *", "* * * * * *", "* * * * * * *", "@reboot", "@never"),
    *("60 * * * *", "-1 * * * *", "*/0 * * * *", "*/-1 * * * *", "*/99999999999 * * * *"),
    *("1,,2 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *"),
    *("0 0 * * 8", "0 0 31 2 *", "0 0 * * MOO", "R R R R R", "H H * * *", "0 0 L * *", "0 0 ? * *"),
    *("\uff10 0 * * *", "0 0 * * 1#6", "0 0 * * *; rm -rf /", "$(reboot) * * * *", LONG),
    *(",".join(["0"] * 500) + " * * * *", "* " * 5_000, "1e3 * * * *", "0x1 * * * *"),
]
NO_INTERVAL: list[Any] = [
    *(True, False, [], {}, "", " ", 0, -1, 0.5, 1e308, 10**30, -0.0, "0s", "-5s", "1e999s", "inf"),
    *("nan", "every", "every 0 minutes", "every -1 days", "every fortnight", "5 parsecs", LONG),
    *("9" * 400 + "s", "every " + "9" * 400 + " days", "1h" * 1_000, "\u0661h", "1 second; drop"),
]
NO_ZONE: list[Any] = [
    *(*NO_TEXT, "", " ", "../../etc/passwd", "/etc/passwd", "Europe/../UTC", "europe", "UTC\n"),
    *("UTC+1", "+01:00", "Factory", "localtime", "posixrules", "zone.tab", "Mars/Olympus", LONG),
    *("Europe\\Berlin", "Europe/Berlin\u200b", "C:\\Windows", "file:///etc/localtime", "tzdata"),
]
NO_REASON: list[Any] = [*NO_TEXT, "x" * 501, LONG]
NO_LIST: list[Any] = ["a", "", 5, True, {}, [5], [None], [["a"]], [{}], ["a"] * 1_001]
NO_SLUG: list[Any] = [
    *(*NO_TEXT, None, "", "A", "-a", "a_b", "a b", "a/b", "..", "a" * 64, "ä", "a\n", "%2e%2e"),
    *("\u0430", "a\u0301", "\u2460", "a'; DROP TABLE agents;--", "${jndi:ldap://a}", LONG),
]

SCHEDULE_FIELDS: dict[str, list[Any]] = {
    "cronExpression": NO_CRON,
    "interval": NO_INTERVAL,
    "runAt": [*NO_INSTANT, "2020-01-01T00:00:00Z"],
    "timezone": NO_ZONE,
    "priority": NO_WORD,
    "enabled": NO_BOOLEAN,
    "input": NO_OBJECT,
    "maxRetries": [*NO_INTEGER, 101],
    "timeoutSeconds": [*NO_INTEGER, 0],
    "startAt": NO_INSTANT,
    "endAt": [*NO_INSTANT, "2020-01-01T00:00:00Z"],
    "maxRuns": [*NO_INTEGER, 0, 2**31],
    "jitterSeconds": [*NO_INTEGER, 10**9],
    "overlap": NO_WORD,
    "catchUp": NO_WORD,
    "catchUpWindowSeconds": [*NO_INTEGER, 10**9],
}
NAMED_FIELDS = {"name": NO_NAME, **SCHEDULE_FIELDS}
FILTER = {
    "reason": NO_REASON,
    "agentIds": [*NO_LIST, None],
    "names": [*NO_LIST, None],
    "priority": [*NO_WORD, None],
}
PAUSE = {"reason": NO_REASON}
FIELDS: dict[str, dict[str, list[Any]]] = {
    "POST /api/agents": {
        "id": NO_SLUG,
        "name": [*NO_NAME, None],
        "kind": [*NO_NAME, None, "nothing", "os.system", "../echo", "Echo"],
        "config": [*NO_OBJECT, None],
    },
    "PATCH /api/agents/reporter": {
        "id": ["other", None],
        "name": [*NO_NAME, None],
        "kind": [*NO_NAME, None, "nothing"],
        "config": [*NO_OBJECT, None],
    },
    "POST /api/agents/reporter/run": {"input": NO_OBJECT, "priority": NO_WORD},
    "POST /api/agents/reporter/schedule": {"name": ["other"], **SCHEDULE_FIELDS},
    "POST /api/agents/reporter/schedules": NAMED_FIELDS,
    f"PATCH /api/schedules/{SCHEDULE}": NAMED_FIELDS,
    "POST /api/schedules/preview": {
        **NAMED_FIELDS,
        "count": [*NO_INTEGER, 0, 101],
        "from": [*NO_INSTANT, "9001-01-01T00:00:00Z"],
        "agentId": [*NO_TEXT, "nobody", LONG],
    },
    f"POST /api/schedules/{SCHEDULE}/backfill": {
        "from": [*NO_INSTANT, None, "2026-03-01T02:00:00Z"],
        "to": [*NO_INSTANT, None],
        "dryRun": NO_BOOLEAN,
    },
    f"POST /api/schedules/{SCHEDULE}/pause": PAUSE,
    f"POST /api/schedules/{SCHEDULE}/resume": PAUSE,
    "POST /api/schedules/pause": FILTER,
    "POST /api/schedules/resume": FILTER,
    "POST /api/scheduler/pause": PAUSE,
}
"""Every field of every body, with what it can't be."""


@pytest.mark.parametrize(
    ("call", "field"), [(call, field) for call, fields in FIELDS.items() for field in fields]
)
def test_a_field_of_the_wrong_kind_is_refused(client: Client, call: str, field: str) -> None:
    for value in FIELDS[call][field]:
        body = {**_without_recurrence(call, field), field: value}
        check_json_refused(client, call, json.dumps(body).encode(), {404, 422})


def _without_recurrence(call: str, field: str) -> dict[str, Any]:
    """A good body, but for the recurrence where the field is another one."""
    taken = ("cronExpression",) if field in ("interval", "runAt") else ()
    return {name: value for name, value in BODIES[call].items() if name not in taken}


# Ids, queries and headers.

IDS = [
    *(
        "nothing",
        "a%2Fb",
        "..%2F..%2Fetc%2Fpasswd",
        "%00",
        "%0A",
        "%0D%0AX-Evil:%201",
        "%20",
        "%FF",
    ),
    *(
        "%C3%BC",
        "%F0%9F%92%A9",
        "%ED%A0%80",
        "%E2%80%AE",
        "'%20OR%201=1--",
        "%25",
        "%7B%7D",
        "None",
    ),
    *("-1", "0", "*", "REPORTER", "reporter%20", "reporter%00", "x" * 10_000),
]


def _with_id(call: str, id: str) -> str:
    for known in ("reporter", SCHEDULE, SESSION, ENDED):
        call = call.replace(f"/{known}", f"/{id}")
    return call


CALLS_WITH_ID = [
    call for call in [*BODIES, *BODILESS, *READING, *REMOVING] if _with_id(call, "") != call
]


@pytest.mark.parametrize("call", CALLS_WITH_ID)
def test_an_id_that_is_none_is_refused(client: Client, call: str) -> None:
    for id in IDS:
        check_refused(client, _with_id(call, id), {404}, json=BODIES.get(call))


NO_PAGE = ["0", "-1", "1.5", "1e3", "", "a", "1_0", "\uff11", "9" * 30, "9" * 5_000, "true", "null"]
NO_QUERY: dict[str, list[Any]] = {
    "page": [*NO_PAGE, "1000001"],
    "pageSize": [*NO_PAGE, "101"],
    "status": ["", "queued", "NONE", LONG[:5_000], "\x00"],
    "trigger": ["", "manual", "\u2028"],
    "from": [text for text in NO_INSTANT if isinstance(text, str) and text != YEAR_ONE],
    "to": ["", "now", "\x00", "2026-03-02T12:00:00"],
    "at": ["", "now", "\x00", "2026-03-02T12:00:00", "2026-02-30T00:00:00Z"],
}
PAGED = [
    "/api/agents",
    "/api/agents/reporter/schedules",
    "/api/agents/reporter/sessions",
    f"/api/sessions/{SESSION}/events",
]
QUERIES = [
    *((path, name) for path in PAGED for name in ("page", "pageSize")),
    *(("/api/agents/reporter/sessions", name) for name in ("status", "trigger", "from", "to")),
    (f"/api/schedules/{SCHEDULE}/explain", "at"),
]


@pytest.mark.parametrize(("path", "name"), QUERIES)
def test_a_query_of_the_wrong_kind_is_refused(client: Client, path: str, name: str) -> None:
    for value in NO_QUERY[name]:
        check_refused(client, f"GET {path}", {422}, query_string={name: value})


@pytest.mark.parametrize("path", PAGED)
def test_a_parameter_that_is_none_of_ours_is_let_be(client: Client, path: str) -> None:
    answer = client.get(f"{path}?_=1772452800&_=2&page=1")
    assert answer.json == client.get(path).json


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("page=1&page=2", "page: It is given 2 times; give it once."),
        ("from=2026-03-02T12:00:00Z&to=2026-03-02T11:00:00Z", "is after `to`"),
        ("from=2026-03-02T12:00:00+01:00", "write the + of an offset as %2B"),
        ("page=99999999999999999999", "less than or equal to 1000000"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(client: Client, query: str, sentence: str) -> None:
    answer = send(client, f"GET /api/agents/reporter/sessions?{query}")
    assert (answer.status_code, sentence in answer.json["message"]) == (422, True), answer.json


@pytest.mark.parametrize(
    "version", ["", "3", '"3"', '"x"', "W/", '"-1"', '"1e3"', '"²"', "9" * 5_000]
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_version_that_is_none_is_refused(client: Client, method: str, version: str) -> None:
    call = f"{method} /api/schedules/{SCHEDULE}"
    body = {"priority": "LOW"} if method == "PATCH" else None
    check_refused(client, call, {412}, json=body, headers={"If-Match": version})


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\x7f", "x" * 60_000])
def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    call = "POST /api/agents/reporter/run"
    check_refused(client, call, {422}, json={}, headers={"Idempotency-Key": key})


ENDS = {
    "POST /api/agents/reporter/schedule": {"interval": 60, "startAt": "1899-12-31T23:59:59Z"},
    "POST /api/agents/reporter/schedules": {
        "runAt": "9999-12-31T23:59:59.999999Z",
        "jitterSeconds": 30,
    },
    "POST /api/schedules/preview": {**RECURRENCE, "from": YEAR_ONE},
    f"POST /api/schedules/{SCHEDULE}/backfill": {"from": YEAR_ONE, "to": "2026-03-01T00:00:00Z"},
}


@pytest.mark.parametrize("call", ENDS)
def test_an_end_of_the_calendar_is_refused_and_named(client: Client, call: str) -> None:
    check_refused(client, call, {422}, json=ENDS[call])
    assert "year" in send(client, call, json=ENDS[call]).json["message"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"reason": 1e999}', "too large"),
        (b'{"reason": null, "reason": "a"}', "same name twice"),
    ],
)
def test_what_readers_of_json_differ_in_is_named(client: Client, data: bytes, words: str) -> None:
    call = "POST /api/scheduler/pause"
    answer = send(client, call, data=data, content_type="application/json")
    assert words in answer.json["message"]


def test_a_sentence_stays_one_line_and_short(client: Client) -> None:
    answer = send(client, "POST /api/scheduler/pause", json={"a\nb" + LONG: 1})
    message = answer.json["message"]
    assert message.startswith("a\\nbx") and message.endswith("x: Unknown field.")


def test_not_every_wrong_field_is_listed(client: Client) -> None:
    body = dict.fromkeys(map(str, range(1_000)))
    answer = send(client, "POST /api/scheduler/pause", json=body)
    assert len(answer.json["errors"]["json"]) == MAX_FIELDS


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(client: Client) -> None:
    body = {**RECURRENCE, "count": 3.0, "maxRetries": 1e1}
    assert len(send(client, "POST /api/schedules/preview", json=body).json["occurrences"]) == 3


@pytest.mark.parametrize("call", [call for call in BODIES if call.startswith("POST")])
def test_the_good_bodies_are_taken(client: Client, call: str) -> None:
    """So that the others are refused for what is wrong with them; the last, as they change all."""
    answer = send(client, call, json=BODIES[call])
    assert answer.status_code < 300, answer.json


@pytest.mark.parametrize("data", [b"", b"{}"])
def test_a_body_that_is_not_needed_may_be_empty(client: Client, data: bytes) -> None:
    call = "POST /api/scheduler/resume"
    answer = send(client, call, data=data, content_type="application/json")
    assert answer.status_code == 200, answer.json
