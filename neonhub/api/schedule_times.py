"""A schedule's ticks: those to come, why one did not run, and those to run again."""

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView

from neonhub.api.blueprint import BODY_ERRORS, Blueprint
from neonhub.api.schemas.base import CamelSchema
from neonhub.api.schemas.schedule_times import (
    BackfillBody,
    BackfillSchema,
    BackfillTicks,
    ExplainQuery,
    ExplanationSchema,
    PreviewBody,
    PreviewSchema,
    StoppedBackfill,
)
from neonhub.api.services import services
from neonhub.api.session_views import session_views
from neonhub.scheduling.backfill import backfill, backfill_ticks, stop_backfill
from neonhub.scheduling.explain import Explanation, explain
from neonhub.scheduling.preview import preview

blueprint = Blueprint(
    "ticks",
    __name__,
    url_prefix="/api/schedules",
    description="The ticks of a schedule: to come, decided, to run again",
)
_EXAMPLE = {"cronExpression": "30 2 * * *", "timezone": "America/New_York", "count": 10}


@blueprint.route("/preview")
class Previewing(MethodView):
    """The ticks of a body."""

    @blueprint.arguments(PreviewBody, example=_EXAMPLE)
    @blueprint.response(200, PreviewSchema, description="The ticks, oldest first")
    @blueprint.doc(operationId="previewSchedule")
    @blueprint.fails(*BODY_ERRORS, 404)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Preview a schedule

        Any schedule body, with its meaning in words, its next ticks with their local times, notes
        on those a change of the clock moves or merges, and warnings. Creates nothing.
        """
        known = services()
        seen = preview(
            known.database,
            {name: value for name, value in body.items() if name not in _NOT_OF_A_SCHEDULE},
            now=known.clock(),
            since=body["since"],
            count=body["count"],
            agent_id=body["agent_id"],
            max_retries=known.settings.max_retries,
        )
        occurrences = [
            {"at": each.at, "local": each.local.isoformat(), "note": each.note}
            for each in seen.occurrences
        ]
        return {
            "description": seen.description,
            "occurrences": occurrences,
            "warnings": seen.warnings,
        }


_NOT_OF_A_SCHEDULE = {"count", "since", "agent_id"}


@blueprint.route("/<schedule_id>/explain")
class Explaining(MethodView):
    """One tick."""

    @blueprint.arguments(ExplainQuery, location="query")
    @blueprint.response(200, ExplanationSchema, description="What was decided, and why")
    @blueprint.doc(operationId="explainTick")
    @blueprint.fails(404, 422)
    def get(self, query: dict[str, Any], schedule_id: str) -> Explanation:
        """Explain a tick

        The newest one at or before an instant: whether it fired, was skipped or missed and why,
        or is still to come. What was in force then counts, not what the schedule is now. A tick
        whose row is pruned is `NOT_A_TICK` with the reason `pruned`: it was decided, and nobody
        knows any more how; `tick` and `expected` hold all the same.
        """
        known = services()
        return explain(known.database, schedule_id, query["at"], now=known.clock())


@blueprint.route("/<schedule_id>/backfill")
class Backfilling(MethodView):
    """The ticks of a past range."""

    @blueprint.arguments(BackfillBody)
    @blueprint.response(202, BackfillSchema, description="The sessions, by tick")
    @blueprint.alt_response(200, schema=BackfillTicks, description="With `dryRun`: what would run")
    @blueprint.doc(operationId="backfillSchedule")
    @blueprint.fails(*BODY_ERRORS, 404)
    def post(self, body: dict[str, Any], schedule_id: str) -> Any:
        """Run the ticks of a past range

        As the schedule is now. A tick that ran is not run again; skipped and missed ones are. The
        sessions wait, held with `backfill`, behind live work of their priority, and start one
        after another, or a few at a time where `overlap` is `ALLOW`. At most 10,000 ticks. A range
        with ticks that may have run, as rows up to there are pruned, is 422.
        """
        known = services()
        wanted = (schedule_id, body["since"], body["until"])
        if body["dry_run"]:
            ticks = backfill_ticks(known.database, *wanted, now=known.clock())
            return _send(BackfillTicks, 200, {"count": len(ticks), "ticks": ticks})
        sessions = backfill(known.database, known.redis, *wanted, now=known.clock())
        return {
            "count": len(sessions),
            "ticks": [session.scheduled_for for session in sessions],
            "sessions": session_views(sessions),
        }

    @blueprint.response(200, StoppedBackfill, description="How many were stopped")
    @blueprint.doc(operationId="stopBackfill")
    @blueprint.fails(404)
    def delete(self, schedule_id: str) -> dict[str, int]:
        """Stop a schedule's backfills

        What waits ends as `STOPPED`; what runs is left to finish.
        """
        known = services()
        count = stop_backfill(known.database, known.redis, schedule_id, now=known.clock())
        return {"stopped": count}


def _send(schema: type[CamelSchema], code: int, answer: dict[str, Any]) -> Response:
    """An answer with another schema than the usual one."""
    sent = jsonify(schema().dump(answer))
    sent.status_code = code
    return sent
