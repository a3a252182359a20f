"""Every operation keeps what the OpenAPI document says of it, whatever is sent."""

import json
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case, CheckContext, Response
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ensure_resource_availability, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema
from sqlalchemy import select

from neonhub.api.app import create_app
from neonhub.config import load_settings
from neonhub.database import Database
from neonhub.domain.states import SessionStatus
from neonhub.models import Agent, Schedule
from neonhub.models.base import Base
from neonhub.redis.connect import connect
from tests.factories import NOW, add_agent, add_schedule, add_session
from tests.integration.api.conftest import Client

# Nothing here depends on which of the two databases answers.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

DEEP = bool(os.environ.get("NEONHUB_TEST_DEEP"))
EXAMPLES = 2_000 if DEEP else 50
EFFORT = settings(
    max_examples=EXAMPLES,
    derandomize=not DEEP,
    # A disk's pause, or an operation with few different requests, is no fault.
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,  # the requests of an operation share a database
    ],
)

_RECURRENCE = "exactly one recurrence, in words a schema can't check, and instants to come"
MORE_THAN_ITS_SCHEMA = {
    "POST /api/agents": "`kind` must be registered, and takes its own `config`",
    "PATCH /api/agents/{agentId}": "`kind` must be registered, and takes its own `config`",
    "POST /api/agents/{agentId}/run": "an `Idempotency-Key` takes the same body again only",
    "POST /api/agents/{agentId}/schedule": _RECURRENCE,
    "POST /api/agents/{agentId}/schedules": _RECURRENCE,
    "PATCH /api/schedules/{scheduleId}": _RECURRENCE,
    "POST /api/schedules/preview": _RECURRENCE,
    "POST /api/schedules/{scheduleId}/backfill": "`to` must be after `from`, and not far",
    "GET /api/schedules/{scheduleId}/explain": "an offset can lead out of the calendar",
    "GET /api/agents/{agentId}/sessions": "an offset can lead out of the calendar",
}
"""Operations that may answer what their schema allows with 422, and why."""

STANDS: list[dict[str, Any]] = [
    {"status": SessionStatus.QUEUED},
    {"status": SessionStatus.RUNNING, "started_at": NOW},
    {"status": SessionStatus.RETRYING, "next_attempt_at": NOW},
    {"status": SessionStatus.COMPLETED, "finished_at": NOW, "result": {"a": 1}},
    {"status": SessionStatus.FAILED, "finished_at": NOW, "reason": "error"},
    {"status": SessionStatus.SKIPPED, "finished_at": NOW, "reason": "overlap"},
]
"""How sessions stand that requests are sent to."""


def load_schema() -> OpenApiSchema:
    """The document of an application that is connected to nothing."""
    env = {"REDIS_URL": "redis://127.0.0.1:1/0", "NEONHUB_AGENT_MODULES": "tests.agents_for_tests"}
    app = create_app(load_settings(env), Database("sqlite://"), connect(env["REDIS_URL"]))
    config = SchemathesisConfig()
    # No schema says that a text holds no NUL; test_hostile_bodies.py sends it everywhere.
    config.projects.default.generation.allow_x00 = False
    checks = config.projects.default.checks
    # 412 refuses as well as the others do: the version is looked at before the rest.
    checks.positive_data_acceptance.expected_statuses.append("412")
    checks.negative_data_rejection.expected_statuses.append("412")
    document: dict[str, Any] = json.loads(app.test_client().get("/openapi.json").text)
    return schemathesis.openapi.from_dict(document, config=config)


schema = load_schema()


@schema.parametrize()
@EFFORT
def test_it_answers_as_documented(case: Case[Any], client: Client) -> None:
    aim(case, client.database)
    case.call_and_validate(
        app=client.app,
        additional_checks=[no_undocumented_header],
        excluded_checks=excluded(case.operation.label),
    )


def no_undocumented_header(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A header a client may want to read is in the document."""
    documented = case.operation.responses.find_by_status_code(response.status_code)
    known = {name.lower() for name, _ in documented.headers.items()} if documented else set()
    sent = {"etag", "location", "retry-after"} & set(response.headers)
    assert sent <= known, f"{sent - known} is not documented for {response.status_code}"


def excluded(operation: str) -> list[Any]:
    if operation in MORE_THAN_ITS_SCHEMA:
        return [positive_data_acceptance]
    if operation.endswith(" /api/agents/{agentId}/schedule"):
        return [ensure_resource_availability]  # an agent may have none yet
    if operation == "GET /readyz":
        return [not_a_server_error]  # no scheduler is alive here, which is its documented 503
    return []


def aim(case: Case[Any], database: Database) -> None:
    """Send three of four requests to what exists, so that they get past 404."""
    turn = len(str(case.path_parameters))
    if case.path_parameters and turn % 4:
        there = existing(database, turn)
        case.path_parameters = {name: there[name] for name in case.path_parameters}


def existing(database: Database, turn: int) -> dict[str, str]:
    """An id of each thing; what the requests before have removed is made again."""
    with database.read() as db:
        agent = db.scalar(select(Agent).limit(1))
        schedule = db.scalar(select(Schedule).where(Schedule.deleted_at.is_(None)).limit(1))
    agent = agent or add_agent(database)
    schedule = schedule or add_schedule(database, agent)
    session = add_session(database, agent, **STANDS[turn % len(STANDS)])
    return {"agentId": agent.slug, "scheduleId": schedule.id, "sessionId": session.id}


WORKING: dict[str, dict[str, Any]] = {
    "POST /api/agents": {"kind": "echo", "config": {}},
    "POST /api/agents/{agentId}/schedules": {"cronExpression": "0 9 * * *", "timezone": "UTC"},
}
"""What makes something that further calls can use."""


def test_sequences_of_calls_answer_as_documented(client: Client) -> None:
    """What one call made the next ones find, and what one removed is gone for them."""

    class Calls(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            super().setup()
            empty(client.database)

        def before_call(self, case: Case[Any]) -> None:
            if case.operation.label in WORKING and isinstance(case.body, dict):
                name = {"id", "name"} & set(case.body)
                case.body = {key: case.body[key] for key in name} | WORKING[case.operation.label]

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {"app": client.app}

        def validate_response(self, response: Response, case: Case[Any], **_: Any) -> None:
            case.validate_response(
                response,
                additional_checks=[no_undocumented_header],
                excluded_checks=excluded(case.operation.label),
                transport_kwargs=self.get_call_kwargs(case),
                recorder=self.recorder,
            )

    run_state_machine_as_test(Calls, settings=settings(EFFORT, stateful_step_count=10))


def empty(database: Database) -> None:
    with database.begin() as db:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in ("fleet", "slots"):
                db.execute(table.delete())
