"""What a person does with a schedule, other than changing it: run, pause, resume, skip."""

from typing import Any

from flask import url_for
from flask.views import MethodView

from neonhub.api.blueprint import BODY_ERRORS, LOCATION_HEADER, Blueprint
from neonhub.api.etag import ETAG_HEADER, etag_of
from neonhub.api.schedule_views import schedule_view
from neonhub.api.schemas.base import NoFields
from neonhub.api.schemas.scheduler import PauseBody
from neonhub.api.schemas.schedules import ChangedSchema, FilterBody, ScheduleSchema
from neonhub.api.schemas.sessions import SessionSchema
from neonhub.api.services import services
from neonhub.api.session_views import session_view
from neonhub.domain.states import Priority
from neonhub.models import Schedule
from neonhub.scheduling.manual_runs import run_schedule
from neonhub.scheduling.pausing import (
    ScheduleFilter,
    set_schedule_paused,
    set_schedules_paused,
    skip_next,
)

blueprint = Blueprint(
    "schedule actions",
    __name__,
    url_prefix="/api/schedules",
    description="Run a schedule now, pause and resume it, skip its next tick",
)


def _answer(schedule: Schedule) -> Any:
    headers = {"ETag": etag_of(schedule.version)}
    return schedule_view(services().database, schedule), 200, headers


def _set_paused(schedule_id: str, paused: bool, reason: str | None) -> Any:
    known = services()
    schedule = set_schedule_paused(
        known.database, known.redis, schedule_id, paused, reason=reason, now=known.clock()
    )
    return _answer(schedule)


def _set_many_paused(body: dict[str, Any], paused: bool) -> dict[str, int]:
    known = services()
    priority = Priority(body["priority"]) if body["priority"] else None
    which = ScheduleFilter(body["agent_ids"], body["names"], priority)
    changed = set_schedules_paused(
        known.database, known.redis, which, paused, reason=body["reason"], now=known.clock()
    )
    return {"changed": changed}


@blueprint.route("/pause")
class PauseMany(MethodView):
    """Pausing by filter."""

    @blueprint.arguments(FilterBody, required=False)
    @blueprint.response(200, ChangedSchema, description="How many were paused")
    @blueprint.doc(operationId="pauseSchedules")
    @blueprint.fails(*BODY_ERRORS)
    def post(self, body: dict[str, Any]) -> dict[str, int]:
        """Pause many schedules

        Those that match every filter given; without one, all. Those paused already are not
        counted and keep their reason.
        """
        return _set_many_paused(body, True)


@blueprint.route("/resume")
class ResumeMany(MethodView):
    """Resuming by filter."""

    @blueprint.arguments(FilterBody, required=False)
    @blueprint.response(200, ChangedSchema, description="How many were resumed")
    @blueprint.doc(operationId="resumeSchedules")
    @blueprint.fails(*BODY_ERRORS)
    def post(self, body: dict[str, Any]) -> dict[str, int]:
        """Resume many schedules

        Those that match every filter given; without one, all.
        """
        return _set_many_paused(body, False)


@blueprint.route("/<schedule_id>/run")
class RunNow(MethodView):
    """Running a schedule now."""

    @blueprint.arguments(NoFields, required=False)
    @blueprint.response(202, SessionSchema, description="The session", headers=LOCATION_HEADER)
    @blueprint.doc(operationId="runSchedule")
    @blueprint.fails(*BODY_ERRORS, 404, 409, 429)
    def post(self, _: dict[str, Any], schedule_id: str) -> Any:
        """Run a schedule now

        With its input, by its `overlap`: where another session of it is not ended, `SKIP` answers
        409, `QUEUE_ONE` lets one wait, `REPLACE` stops the other first, `ALLOW` just starts.
        """
        known = services()
        session = run_schedule(known.database, known.redis, schedule_id, now=known.clock())
        location = url_for("sessions.OneSession", session_id=session.id)
        return session_view(session), 202, {"Location": location}


@blueprint.route("/<schedule_id>/pause")
class PauseOne(MethodView):
    """Pausing a schedule."""

    @blueprint.arguments(PauseBody, required=False)
    @blueprint.response(200, ScheduleSchema, description="The schedule", headers=ETAG_HEADER)
    @blueprint.doc(operationId="pauseSchedule")
    @blueprint.fails(*BODY_ERRORS, 404)
    def post(self, body: dict[str, Any], schedule_id: str) -> Any:
        """Pause a schedule

        Its ticks are `SKIPPED` with `paused`, and never caught up. What runs finishes. Repeats
        are harmless; one with another reason tells the new one.
        """
        return _set_paused(schedule_id, True, body["reason"])


@blueprint.route("/<schedule_id>/resume")
class ResumeOne(MethodView):
    """Resuming a schedule."""

    @blueprint.arguments(PauseBody, required=False)
    @blueprint.response(200, ScheduleSchema, description="The schedule", headers=ETAG_HEADER)
    @blueprint.doc(operationId="resumeSchedule")
    @blueprint.fails(*BODY_ERRORS, 404)
    def post(self, body: dict[str, Any], schedule_id: str) -> Any:
        """Resume a schedule

        Its next tick fires again. Repeats are harmless; the reason is logged.
        """
        return _set_paused(schedule_id, False, body["reason"])


@blueprint.route("/<schedule_id>/skip-next")
class SkipNext(MethodView):
    """Skipping one tick."""

    @blueprint.arguments(NoFields, required=False)
    @blueprint.response(200, ScheduleSchema, description="The schedule", headers=ETAG_HEADER)
    @blueprint.doc(operationId="skipNextTick")
    @blueprint.fails(*BODY_ERRORS, 404, 409)
    def post(self, _: dict[str, Any], schedule_id: str) -> Any:
        """Skip a schedule's next tick

        It ends as `SKIPPED` with `skip_next`; the one after it fires. 409 where there is no next.
        """
        known = services()
        return _answer(skip_next(known.database, known.redis, schedule_id, now=known.clock()))
