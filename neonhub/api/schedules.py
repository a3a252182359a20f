"""Schedules: an agent's default one, its named ones, each by its id."""

from typing import Any

from flask import url_for
from flask.views import MethodView

from neonhub.api.blueprint import BODY_ERRORS, LOCATION_HEADER, Blueprint
from neonhub.api.etag import ETAG_HEADER, IF_MATCH_PARAMETER, etag_of, if_match
from neonhub.api.schedule_views import row_view, schedule_view, schedule_views
from neonhub.api.schemas.paging import PageQuery, page_of
from neonhub.api.schemas.schedules import (
    NamedScheduleBody,
    ScheduleChanges,
    ScheduleFieldsSchema,
    ScheduleSchema,
)
from neonhub.api.services import services
from neonhub.models import Schedule
from neonhub.models.page import Page
from neonhub.scheduling.schedule_rows import ScheduleRow, read_agent_schedule, read_schedule

blueprint = Blueprint("schedules", __name__, url_prefix="/api", description="When agents run")
SchedulePage = page_of(ScheduleSchema, "SchedulePage")

_CREATED = {**ETAG_HEADER, **LOCATION_HEADER}
_EXAMPLE = {
    "cronExpression": "0 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "input": {"topic": "solar"},
    "maxRetries": 3,
}


def _answer(schedule: Schedule, created: bool = False) -> Any:
    headers = {"ETag": etag_of(schedule.version)}
    if created:
        headers["Location"] = url_for("schedules.OneSchedule", schedule_id=schedule.id)
    view = schedule_view(services().database, schedule)
    return view, 201 if created else 200, headers


def _answer_row(row: ScheduleRow) -> Any:
    return row_view(row), 200, {"ETag": etag_of(row.version)}


def _put(agent_id: str, body: dict[str, Any]) -> Any:
    return _answer(*services().schedules.put_schedule(agent_id, body, if_match=if_match()))


@blueprint.route("/agents/<agent_id>/schedule")
class DefaultSchedule(MethodView):
    """The schedule named `default`."""

    @blueprint.response(200, ScheduleSchema, description="The schedule", headers=ETAG_HEADER)
    @blueprint.doc(operationId="getAgentSchedule")
    @blueprint.fails(404)
    def get(self, agent_id: str) -> Any:
        """Read an agent's schedule

        The one named `default`.
        """
        return _answer_row(read_agent_schedule(services().database, agent_id))

    @blueprint.arguments(ScheduleFieldsSchema, example=_EXAMPLE)
    @blueprint.response(201, ScheduleSchema, description="Created", headers=_CREATED)
    @blueprint.alt_response(200, schema=ScheduleSchema, description="Updated", headers=ETAG_HEADER)
    @blueprint.doc(operationId="putAgentSchedule", parameters=[IF_MATCH_PARAMETER])
    @blueprint.fails(*BODY_ERRORS, 404, 412)
    def post(self, body: dict[str, Any], agent_id: str) -> Any:
        """Create or update an agent's schedule

        The body is the whole schedule: what it omits gets its default. A body equal to what is
        stored changes nothing. Times are decided in the schedule's own zone; daylight saving
        follows the rule of Debian's cron.
        """
        return _put(agent_id, body)

    @blueprint.response(204, description="It is gone")
    @blueprint.doc(operationId="deleteAgentSchedule", parameters=[IF_MATCH_PARAMETER])
    @blueprint.fails(404, 412)
    def delete(self, agent_id: str) -> None:
        """Remove an agent's schedule

        What already runs is left to finish.
        """
        schedule = read_agent_schedule(services().database, agent_id)
        services().schedules.delete_schedule(schedule.id, if_match=if_match())


@blueprint.route("/agents/<agent_id>/schedules")
class NamedSchedules(MethodView):
    """All schedules of one agent."""

    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, SchedulePage, description="A page of schedules")
    @blueprint.doc(operationId="listAgentSchedules")
    @blueprint.fails(404, 422)
    def get(self, query: dict[str, Any], agent_id: str) -> Page[dict[str, Any]]:
        """List an agent's schedules

        By name.
        """
        found = services().schedules.list_schedules(agent_id, **query)
        views = schedule_views(services().database, found.items)
        return Page(views, found.page, found.page_size, found.total)

    @blueprint.arguments(NamedScheduleBody, example={"name": "nightly", **_EXAMPLE})
    @blueprint.response(201, ScheduleSchema, description="Created", headers=_CREATED)
    @blueprint.alt_response(200, schema=ScheduleSchema, description="Updated", headers=ETAG_HEADER)
    @blueprint.doc(operationId="putNamedSchedule", parameters=[IF_MATCH_PARAMETER])
    @blueprint.fails(*BODY_ERRORS, 404, 412)
    def post(self, body: dict[str, Any], agent_id: str) -> Any:
        """Create or update one of an agent's schedules

        By its `name`; otherwise as for the agent's default schedule.
        """
        return _put(agent_id, body)


@blueprint.route("/schedules/<schedule_id:schedule_id>")
class OneSchedule(MethodView):
    """One schedule by its id."""

    @blueprint.response(200, ScheduleSchema, description="The schedule", headers=ETAG_HEADER)
    @blueprint.doc(operationId="getSchedule")
    @blueprint.fails(404)
    def get(self, schedule_id: str) -> Any:
        """Read a schedule

        By its id, with where it stands: the next tick, the last run, a pause.
        """
        return _answer_row(read_schedule(services().database, schedule_id))

    @blueprint.arguments(
        ScheduleChanges(partial=True), required=False, example={"priority": "HIGH"}
    )
    @blueprint.response(200, ScheduleSchema, description="The schedule now", headers=ETAG_HEADER)
    @blueprint.doc(operationId="updateSchedule", parameters=[IF_MATCH_PARAMETER])
    @blueprint.fails(*BODY_ERRORS, 404, 409, 412)
    def patch(self, changes: dict[str, Any], schedule_id: str) -> Any:
        """Change single fields of a schedule

        Fields that are left out stay, `null` sets the default. Another recurrence or zone counts
        from now; any other change keeps the next tick.
        """
        manager = services().schedules
        return _answer(manager.update_schedule(schedule_id, changes, if_match=if_match()))

    @blueprint.response(204, description="It is gone")
    @blueprint.doc(operationId="deleteSchedule", parameters=[IF_MATCH_PARAMETER])
    @blueprint.fails(404, 412)
    def delete(self, schedule_id: str) -> None:
        """Remove a schedule

        What already runs is left to finish.
        """
        services().schedules.delete_schedule(schedule_id, if_match=if_match())
