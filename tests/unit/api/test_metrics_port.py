"""The port that has the metrics and nothing else."""

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from neonhub.api.metrics_port import MetricsPort

METRICS, WEB = "http://127.0.0.1:9464", "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("base", "path", "status"),
    [
        (METRICS, "/metrics", 200),
        (METRICS, "/api/agents", 404),
        (METRICS, "/metrics/", 404),
        (WEB, "/metrics", 200),
        (WEB, "/api/agents", 200),
    ],
)
def test_only_metrics_are_on_the_metrics_port(base: str, path: str, status: int) -> None:
    client = Client(MetricsPort(Response("application"), port=9464))
    assert client.get(path, base_url=base).status_code == status
