"""Agents: create, read, change, remove, run now."""

from typing import Any

from flask import request, url_for
from flask.views import MethodView

from neonhub.api.blueprint import BODY_ERRORS, LOCATION_HEADER, Blueprint
from neonhub.api.schemas.agents import AgentBody, AgentChanges, AgentSchema, RunBody
from neonhub.api.schemas.paging import PageQuery, page_of
from neonhub.api.schemas.sessions import SessionSchema
from neonhub.api.services import services
from neonhub.api.session_views import session_view
from neonhub.domain.states import Priority
from neonhub.errors import InvalidInput
from neonhub.execution.agent_removal import remove_agent
from neonhub.models import Agent
from neonhub.models.page import Page

blueprint = Blueprint("agents", __name__, url_prefix="/api/agents", description="What runs")
AgentPage = page_of(AgentSchema, "AgentPage")
MAX_KEY = 255


@blueprint.route("")
class Agents(MethodView):
    """All agents."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, AgentPage, description="A page of agents")
    @blueprint.doc(operationId="listAgents")
    @blueprint.fails(422)
    def get(self, query: dict[str, Any]) -> Page[Agent]:
        """List agents

        By id, page by page.
        """
        return services().agents.list(**query)

    @blueprint.arguments(AgentBody)
    @blueprint.response(201, AgentSchema, description="The agent", headers=LOCATION_HEADER)
    @blueprint.doc(operationId="createAgent")
    @blueprint.fails(*BODY_ERRORS, 409)
    def post(self, body: dict[str, Any]) -> Any:
        """Create an agent

        `config` is checked by the class that `kind` names.
        """
        agent = services().agents.create(**body)
        return agent, 201, {"Location": url_for("agents.OneAgent", agent_id=agent.slug)}


@blueprint.route("/<agent_id>")
class OneAgent(MethodView):
    """One agent."""

    @blueprint.response(200, AgentSchema, description="The agent")
    @blueprint.doc(operationId="getAgent")
    @blueprint.fails(404)
    def get(self, agent_id: str) -> Agent:
        """Read an agent

        By its slug.
        """
        return services().agents.get(agent_id)

    @blueprint.arguments(AgentChanges, required=False)
    @blueprint.response(200, AgentSchema, description="The agent as it is now")
    @blueprint.doc(operationId="updateAgent")
    @blueprint.fails(*BODY_ERRORS, 404)
    def patch(self, changes: dict[str, Any], agent_id: str) -> Agent:
        """Change an agent

        Fields that are left out stay; a `config` is replaced whole.
        """
        return services().agents.update(agent_id, changes)

    @blueprint.response(204, description="It is gone")
    @blueprint.doc(operationId="deleteAgent")
    @blueprint.fails(404)
    def delete(self, agent_id: str) -> None:
        """Remove an agent

        With its schedules; sessions that wait are stopped, what runs is left to finish, and all
        sessions are kept.
        """
        known = services()
        remove_agent(known.database, known.redis, known.agents, agent_id, clock=known.clock)


@blueprint.route("/<agent_id>/run")
class RunAgent(MethodView):
    """Running an agent now."""

    @blueprint.arguments(RunBody, required=False)
    @blueprint.response(202, SessionSchema, description="The session", headers=LOCATION_HEADER)
    @blueprint.doc(
        operationId="runAgent",
        parameters=[
            {
                "in": "header",
                "name": "Idempotency-Key",
                "required": False,
                "schema": {"type": "string", "maxLength": MAX_KEY},
                "example": "order-4711",
                "description": "A repeat within 24 hours answers the first session.",
            }
        ],
    )
    @blueprint.fails(*BODY_ERRORS, 404, 429)
    def post(self, body: dict[str, Any], agent_id: str) -> Any:
        """Run an agent now

        It works while Redis is away: the session starts once Redis is back. The same
        `Idempotency-Key` with another body is 422.
        """
        session = services().sessions.run_now(
            agent_id,
            input=body["input"] or {},
            priority=Priority(body["priority"] or Priority.NORMAL),
            idempotency_key=_idempotency_key(),
        )
        location = url_for("sessions.OneSession", session_id=session.id)
        return session_view(session), 202, {"Location": location}


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable()):
        sentence = f"It must be 1 to {MAX_KEY} printable characters."
        raise InvalidInput({"Idempotency-Key": [sentence]})
    return key
