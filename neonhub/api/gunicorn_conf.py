"""Gunicorn's configuration; read by its parent process, which must stay small and unpatched."""

import importlib
import logging
import os
import signal
import sys
from typing import Any

from gunicorn.glogging import Logger

from neonhub.observability.log_lines import line_formatter
from neonhub.process import die_with_parent

workers = 1
worker_class = "neonhub.api.web_worker.WebWorker"
timeout = 60
graceful_timeout = 2
keepalive = 5
backlog = 2048
limit_request_line = 8190
accesslog = None
loglevel = "warning"
proc_name = "neonhub-web"
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a nameless file # nosec B108


class GunicornLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own few lines, in the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Write to stderr only."""
        super().setup(cfg)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(line_formatter("web", readable=sys.stderr.isatty()))
        self.error_log.handlers[:] = [handler]
        self.error_log.propagate = False


logger_class = GunicornLogger


def post_fork(server: Any, worker: Any) -> None:
    """Tie the worker to its parent."""
    die_with_parent(worker.ppid, signal.SIGTERM)


def post_worker_init(worker: Any) -> None:
    """Hand over to the application's own start, importable only now that gevent has patched."""
    importlib.import_module("neonhub.api.serving").start(worker)
