"""Gunicorn's configuration; read by its parent process, which must stay small and unpatched."""

import gc
import importlib
import logging
import os
import resource
import signal
import sys
from typing import Any

from gunicorn.errors import HaltServer
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


OPEN_FILES = 65_536
"""Every WebSocket client is an open file, and the usual soft limit is 1024."""


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


def leave_out_halts(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Say nothing of a worker that refused to start just as gunicorn was asked to end.

    Gunicorn raises that where nobody catches it; the worker has said why it refused.
    """
    if not isinstance(error, HaltServer):
        sys.__excepthook__(kind, error, trace)


def on_starting(server: Any) -> None:
    """Allow as many open files as the machine does."""
    sys.excepthook = leave_out_halts
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def post_fork(server: Any, worker: Any) -> None:
    """Tie the worker to its parent."""
    die_with_parent(worker.ppid, signal.SIGTERM)
    gc.disable()  # what is imported now stays: looking through it takes a fifth of the start


def post_worker_init(worker: Any) -> None:
    """Hand over to the application's own start, importable only now that gevent has patched."""
    gc.freeze()
    gc.enable()
    importlib.import_module("neonhub.api.serving").start(worker)
