"""Health, readiness and metrics."""

from typing import Any

from flask import Response
from flask.views import MethodView
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from neonhub.api.blueprint import RETRY_AFTER_HEADER, Blueprint
from neonhub.api.metrics import registry
from neonhub.api.readiness import readiness
from neonhub.api.schemas.system import HealthSchema, ReadinessSchema
from neonhub.api.services import services

blueprint = Blueprint("system", __name__, description="For probes and monitoring")


@blueprint.route("/healthz")
class Health(MethodView):
    """Liveness."""

    @blueprint.response(200, HealthSchema, description="It is up")
    @blueprint.doc(operationId="getHealth")
    @blueprint.fails(always=(403, 500))
    def get(self) -> dict[str, str]:
        """Say that the process is up

        It looks at nothing else, and answers whatever `Host` names it, as a load balancer asks by
        address.
        """
        return {"status": "ok"}


@blueprint.route("/readyz")
class Readiness(MethodView):
    """Readiness."""

    @blueprint.response(200, ReadinessSchema, description="Everything holds")
    @blueprint.alt_response(
        503,
        schema=ReadinessSchema,
        description="Something does not hold",
        headers=RETRY_AFTER_HEADER,
    )
    @blueprint.doc(operationId="getReadiness")
    @blueprint.fails(always=(403, 500))
    def get(self) -> Any:
        """Say whether work can be done

        Database, migrations, Redis and a live scheduler, each named. It answers whatever `Host`
        names it, as a load balancer asks by address.
        """
        found = readiness(services().database, services().redis)
        if found["status"] == "ready":
            return found
        return found, 503, {"Retry-After": "2"}


@blueprint.route("/metrics")
class Metrics(MethodView):
    """Prometheus."""

    @blueprint.response(
        200, {"type": "string"}, content_type="text/plain", description="Prometheus text format"
    )
    @blueprint.doc(operationId="getMetrics")
    @blueprint.fails()
    def get(self) -> Response:
        """Read the metrics

        In Prometheus' text format; counted in the database and Redis, so any web process has them
        all. A scraper that asks by another address than loopback needs it in `ALLOWED_HOSTS`, or
        `PROMETHEUS_PORT`, which answers whatever `Host` names it.
        """
        return Response(generate_latest(registry()), content_type=CONTENT_TYPE_LATEST)
