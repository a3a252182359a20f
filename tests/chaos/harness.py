"""A started system that faults are injected into, with what they need at hand."""

import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import psutil
import psycopg
from redis import Redis
from sqlalchemy.engine import make_url

from neonhub.database import Database
from neonhub.models import AgentSession, Attempt
from neonhub.redis.connect import connect
from neonhub.redis.embedded import EmbeddedServer
from tests.chaos.proxy import Proxy
from tests.e2e.running import ROOT, RunningSystem
from tests.services import create_postgres_database, start_postgres
from tests.waiting import wait_until

DEFAULTS = {
    "NEONHUB_AGENT_MODULES": "tests.chaos.agents",
    "PYTHONPATH": str(ROOT),
    "LOG_LEVEL": "info",
}
"""What it takes to be watched; everything else as NeonHub comes."""

QUICK = {
    **DEFAULTS,
    "SCHEDULER_LEASE": "2000",
    "SCHEDULER_STOP_GRACE": "500",
    "SCHEDULER_CHECK_INTERVAL": "2000",
    "SCHEDULER_BACKOFF_BASE": "300",
}
"""With waits of seconds, so that a cell takes seconds."""


class Harness:
    """The whole system: alone with SQLite and its own server, or behind proxies on PostgreSQL."""

    def __init__(self, *, is_proxied: bool, settings: Mapping[str, str] = QUICK) -> None:
        """
        Args:
            is_proxied: Whether it is the one behind proxies.
            settings: `QUICK` or `DEFAULTS`.
        """
        self.is_proxied = is_proxied
        self._settings = settings
        self._stack = ExitStack()
        self.redis_proxy: Proxy | None = None
        self.database_proxy: Proxy | None = None
        self._server: EmbeddedServer | None = None

    def __enter__(self) -> Self:
        # Not in pytest's folder: the path of a socket must be short, and others must get there.
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="chaos-")))
        self.faults = self.folder / "faults"
        self.faults.mkdir()
        env = {**self._settings, "NEONHUB_FAULTS": str(self.faults)}
        if self.is_proxied:
            env |= self._prepare_proxies()
        else:
            self._database_url = f"sqlite:///{self.folder}/.neonhub/neonhub.db"
        self.system = RunningSystem(self.folder, env=env)
        self._stack.enter_context(self.system)
        self.database = Database(self._database_url)
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()
        self._stack.close()
        if self._server is not None:
            self._server.stop()

    def _prepare_proxies(self) -> dict[str, str]:
        self._server = EmbeddedServer(self.folder / "redis")
        self._server.start()
        self.redis_proxy = self._stack.enter_context(Proxy(self.folder / "redis" / "redis.sock"))
        server = self._stack.enter_context(start_postgres(self.folder / "postgres"))
        self._database_url = create_postgres_database(server)
        self._postgres = make_url(server)
        host = self._postgres.query["host"]
        assert isinstance(host, str)
        proxy = Proxy(Path(host) / ".s.PGSQL.5432")
        self.database_proxy = self._stack.enter_context(proxy)
        name = make_url(self._database_url).database
        user = self._postgres.username
        return {
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_proxy.port}/0",
            "DATABASE_URL": f"postgresql://{user}@127.0.0.1:{self.database_proxy.port}/{name}",
        }

    # What is there

    @contextmanager
    def redis(self) -> Iterator[Redis]:
        """A connection to the server itself, past the proxy."""
        path = self.folder / ("redis" if self.is_proxied else ".neonhub/redis") / "redis.sock"
        with connect(f"unix://{path}") as connection:
            yield connection

    def find(self, component: str) -> psutil.Process | None:
        """A process of the system by what it is; None where there is none now."""
        if component == "app":
            return self.system.process
        if component == "server" and self.is_proxied:
            assert self._server is not None
            server = self._server.process
            return psutil.Process(server.pid) if server else None
        return next(iter(self.find_all(component)), None)

    def find_all(self, component: str) -> list[psutil.Process]:
        """All processes of one kind; an agent may be at rest."""
        found = []
        for process in self.system.processes():
            with suppress(psutil.NoSuchProcess):
                if _is(component, process):
                    found.append(process)
        return found

    def wait_for(self, component: str, seconds: float = 10) -> psutil.Process:
        """A process of the system, as soon as there is one."""
        found: list[psutil.Process] = []

        def look() -> bool:
            process = self.find(component)
            if process is not None:
                found.append(process)
            return bool(found)

        wait_until(look, seconds=seconds)
        return found[-1]

    # Faults

    def arm(self, point: str, action: str) -> None:
        """Let the next process that reaches a point die, fail or stall."""
        waiting = self.faults / f"{point}.new"
        waiting.write_text(action)
        waiting.rename(self.faults / point)

    def disarm(self) -> None:
        """Forget the points that nobody reached."""
        for path in self.faults.iterdir():
            path.unlink()

    def kill(self, component: str) -> None:
        """End a process as a power cut would."""
        self.wait_for(component).kill()
        if component == "app":
            self._start_again()
        elif component == "server" and self.is_proxied:
            self._restart_server()

    def kill_busy_pool(self) -> None:
        """Kill a pool whose agents will be missed: one that has work to do still."""
        wait_until(lambda: self._kill_if_busy("alone"), seconds=10)

    def _kill_if_busy(self, lane: str) -> bool:
        with self.database.read() as db:
            running = db.query(Attempt).filter(Attempt.finished_at.is_(None))
            workers = [
                each.worker
                for each in running
                if lane in db.get_one(AgentSession, each.session_id).agent_id
            ]
        for worker in workers:
            pid = int(worker.split("-")[-2])
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
                return True
        return False

    def terminate(self, component: str) -> None:
        """Ask a process to end."""
        self.wait_for(component).terminate()

    def freeze(self, component: str, seconds: float = 3.0) -> None:
        """Stop a process for a while: it comes back and doesn't know."""
        process = self.wait_for(component)
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)

    def restart_postgres_connections(self) -> None:
        """End every connection that PostgreSQL has, as its restart does."""
        url = self._postgres.set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    @contextmanager
    def locked_sqlite(self) -> Iterator[None]:
        """Hold SQLite's one write lock."""
        with self.database.engine.connect() as connection:
            connection = connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no process of the system write to a file, the server's excepted.

        A server of Redis does not outlive what a limit on files does to it.
        """
        limited: list[psutil.Process] = []
        for process in self.system.processes():
            with suppress(psutil.NoSuchProcess):
                if not _is("server", process):
                    process.rlimit(psutil.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
                    limited.append(process)
        try:
            yield
        finally:
            for process in limited:
                with suppress(psutil.NoSuchProcess):
                    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                    process.rlimit(psutil.RLIMIT_FSIZE, unlimited)

    def _restart_server(self) -> None:
        assert self._server is not None
        with suppress(Exception):
            self._server.stop()
        self._server.start()

    def _start_again(self) -> None:
        assert self.system.process is not None
        self.system.process.wait(10)
        self.system.start()


def _is(component: str, process: psutil.Process) -> bool:
    line = " ".join(process.cmdline())
    parent = process.parent()
    above = " ".join(parent.cmdline()) if parent else ""
    tests: dict[str, Callable[[], bool]] = {
        "web": lambda: "gunicorn" in line and "gunicorn" not in above,
        "web-worker": lambda: "gunicorn" in line and "gunicorn" in above,
        "scheduler": lambda: "workers.scheduler" in line,
        "pool": lambda: "workers.pool" in line and "workers.pool" not in above,
        "guard": lambda: parent is not None and _is("pool", parent),
        "agent": lambda: parent is not None and _is("guard", parent),
        "server": lambda: "valkey-server" in line or "redis-server" in line,
    }
    return tests[component]()
