"""Keeps everything but the metrics off PROMETHEUS_PORT, which may be open to more people."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METRICS_PORT = "neonhub.metrics_port"
"""In the environment of a request that came on that port, whose `Host` may be any."""


class MetricsPort:
    """WSGI middleware: on one port only `/metrics` is answered, on the others everything."""

    def __init__(self, application: "WSGIApplication", port: int) -> None:
        """
        Args:
            port: The port that has the metrics only.
        """
        self._application = application
        self._port = str(port)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        if environ["SERVER_PORT"] == self._port:
            if environ["PATH_INFO"] != "/metrics":
                return Response("Only /metrics is here.\n", status=404)(environ, start_response)
            environ[METRICS_PORT] = True
        return self._application(environ, start_response)
