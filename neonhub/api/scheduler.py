"""The scheduler: its status, pause and resume."""

from typing import Any

from flask.views import MethodView

from neonhub.api.blueprint import BODY_ERRORS, Blueprint
from neonhub.api.schemas.base import NoFields
from neonhub.api.schemas.scheduler import PauseBody, StatusSchema
from neonhub.api.services import services
from neonhub.api.status import status
from neonhub.scheduling.pausing import set_scheduler_paused

blueprint = Blueprint(
    "scheduler", __name__, url_prefix="/api/scheduler", description="The whole scheduler"
)


def _status() -> dict[str, Any]:
    return status(services().database, services().redis)


def _set_paused(paused: bool, reason: str | None) -> dict[str, Any]:
    known = services()
    set_scheduler_paused(known.database, known.redis, paused, reason=reason, now=known.clock())
    return _status()


@blueprint.route("/status")
class Status(MethodView):
    """What runs, what waits, who works, how late it is."""

    @blueprint.response(200, StatusSchema, description="The status")
    @blueprint.doc(operationId="getSchedulerStatus")
    @blueprint.fails()
    def get(self) -> dict[str, Any]:
        """Read the scheduler's status

        It answers while the database or Redis is away, with the state `ERROR` and the reason.
        """
        return _status()


@blueprint.route("/pause")
class Pause(MethodView):
    """Pausing everything."""

    @blueprint.arguments(PauseBody, required=False)
    @blueprint.response(200, StatusSchema, description="The status")
    @blueprint.doc(operationId="pauseScheduler")
    @blueprint.fails(*BODY_ERRORS)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Pause the scheduler

        Nothing new starts on schedule; ticks that come due are `SKIPPED` and never caught up.
        What runs finishes, and run-now still works. Repeats are harmless; one with another reason
        tells the new one.
        """
        return _set_paused(True, body["reason"])


@blueprint.route("/resume")
class Resume(MethodView):
    """Resuming."""

    @blueprint.arguments(NoFields, required=False)
    @blueprint.response(200, StatusSchema, description="The status")
    @blueprint.doc(operationId="resumeScheduler")
    @blueprint.fails(*BODY_ERRORS)
    def post(self, _: dict[str, Any]) -> dict[str, Any]:
        """Resume the scheduler

        Repeats are harmless.
        """
        return _set_paused(False, None)
