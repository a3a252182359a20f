"""Sessions: an agent's history, one session, its log, stop and retry."""

from typing import Any

from flask import url_for
from flask.views import MethodView

from neonhub.api.blueprint import BODY_ERRORS, LOCATION_HEADER, Blueprint
from neonhub.api.schemas.base import NoFields
from neonhub.api.schemas.paging import PageQuery, page_of
from neonhub.api.schemas.sessions import SessionEventSchema, SessionQuery, SessionSchema
from neonhub.api.services import services
from neonhub.api.session_views import row_view, session_view
from neonhub.models import SessionEvent
from neonhub.models.page import Page

blueprint = Blueprint("sessions", __name__, url_prefix="/api", description="What ran and runs")
SessionPage = page_of(
    SessionSchema,
    "SessionPage",
    total="Items on all pages together, counted up to 10,000, or up to 1,000 beyond this page "
    "where that is more: so whoever pages on until it is reached sees every item",
)
SessionEventPage = page_of(SessionEventSchema, "SessionEventPage")


@blueprint.route("/agents/<agent_id>/sessions")
class AgentSessions(MethodView):
    """The sessions of one agent."""

    @blueprint.arguments(SessionQuery, location="query")
    @blueprint.response(200, SessionPage, description="A page of sessions")
    @blueprint.doc(operationId="listSessions")
    @blueprint.fails(404, 422)
    def get(self, query: dict[str, Any], agent_id: str) -> Page[dict[str, Any]]:
        """List an agent's sessions

        Newest first. A deep page takes longer than an early one; `to` gets there at once.
        """
        found = services().sessions.list_for_agent(agent_id, **query)
        views = [row_view(row) for row in found.items]
        return Page(views, found.page, found.page_size, found.total)


@blueprint.route("/sessions/<session_id>")
class OneSession(MethodView):
    """One session."""

    @blueprint.response(200, SessionSchema, description="The session")
    @blueprint.doc(operationId="getSession")
    @blueprint.fails(404)
    def get(self, session_id: str) -> dict[str, Any]:
        """Read a session

        By its id; one that has ended is kept, its agent removed or not.
        """
        return session_view(services().sessions.get(session_id))


@blueprint.route("/sessions/<session_id>/events")
class SessionEvents(MethodView):
    """A session's log."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, SessionEventPage, description="A page of its log")
    @blueprint.doc(operationId="listSessionEvents")
    @blueprint.fails(404, 422)
    def get(self, query: dict[str, Any], session_id: str) -> Page[SessionEvent]:
        """Read a session's log

        Oldest first: its starts and ends, and what the agent logged itself.
        """
        return services().sessions.events(session_id, **query)


@blueprint.route("/sessions/<session_id>/stop")
class StopSession(MethodView):
    """Stopping a session."""

    @blueprint.arguments(NoFields, required=False)
    @blueprint.response(202, SessionSchema, description="The session, asked to stop")
    @blueprint.doc(operationId="stopSession")
    @blueprint.fails(*BODY_ERRORS, 404, 409)
    def post(self, _: dict[str, Any], session_id: str) -> Any:
        """Stop a session

        One that waits ends at once. A running agent is asked to stop, and killed with all it
        started when it doesn't within `SCHEDULER_STOP_GRACE`. Stopping twice is harmless.
        """
        return session_view(services().sessions.stop(session_id))


@blueprint.route("/sessions/<session_id>/retry")
class RetrySession(MethodView):
    """Retrying a session."""

    @blueprint.arguments(NoFields, required=False)
    @blueprint.response(202, SessionSchema, description="The new session", headers=LOCATION_HEADER)
    @blueprint.doc(operationId="retrySession")
    @blueprint.fails(*BODY_ERRORS, 404, 409, 429)
    def post(self, _: dict[str, Any], session_id: str) -> Any:
        """Retry a session

        A new session with the same input; only for one that is `FAILED` or `STOPPED`.
        """
        session = services().sessions.retry(session_id)
        location = url_for("sessions.OneSession", session_id=session.id)
        return session_view(session), 202, {"Location": location}
