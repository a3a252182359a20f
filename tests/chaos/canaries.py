"""Stock RQ and rq-scheduler under the harness' faults and before its judge."""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psutil
from rq import Callback, Queue
from rq.job import Job, JobStatus
from sqlalchemy import select

from neonhub.database import Database
from neonhub.domain.states import ACTIVE, SessionStatus
from neonhub.ids import new_id
from neonhub.migrations import migrate
from neonhub.models import AgentSession, Attempt
from neonhub.redis.connect import connect
from neonhub.redis.embedded import EmbeddedServer
from tests.chaos.capture import Capture
from tests.chaos.judge import unended, violations
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy
from tests.chaos.stock_job import CLEAN_UP, JOB
from tests.e2e.running import ROOT, RunningSystem, all_gone
from tests.factories import add_agent, add_session
from tests.waiting import wait_until

STATUSES = {
    JobStatus.FINISHED: SessionStatus.COMPLETED,
    JobStatus.FAILED: SessionStatus.FAILED,
    JobStatus.STOPPED: SessionStatus.STOPPED,
    JobStatus.STARTED: SessionStatus.RUNNING,
}
"""RQ's words in NeonHub's; every other one means `QUEUED`."""


class Stock:
    """A server, a proxy before it, and programs as their makers ship them.

    What is asked of them is also kept as NeonHub keeps it, a session with one attempt each, for
    the judge: nobody asks for a second one.
    """

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        # Not in pytest's folder: the path of a socket must be short.
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="canary-")))
        server = EmbeddedServer(self.folder / "redis")
        self.url = server.start()
        self._stack.callback(server.stop)
        self.redis = self._stack.enter_context(connect(self.url))
        self.proxy = self._stack.enter_context(Proxy(self.folder / "redis" / "redis.sock"))
        self.proxy_url = f"redis://127.0.0.1:{self.proxy.port}/0"
        self.queue = Queue(connection=self.redis)
        self.database = Database(f"sqlite:///{self.folder}/asked.db")
        self._stack.callback(self.database.close)
        migrate(self.database)
        self.load = Load(RunningSystem(self.folder), "stock", self.folder / "truth")
        self._started: list[psutil.Popen] = []
        self._known: list[psutil.Process] = []
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            self.processes_of(process)
        for each in self._known:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        for process in self._started:
            process.wait(10)
        self._stack.close()

    # What runs

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> psutil.Popen:
        """Start a program of the virtual environment."""
        program = Path(sys.executable).with_name(command[0])
        with (self.folder / "logged.txt").open("ab") as logged:
            process = psutil.Popen(
                [str(program), *command[1:]],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(env or {})},
                stdout=logged,
                stderr=logged,
                start_new_session=True,  # stock RQ may send SIGKILL to its whole group
            )
        self._started.append(process)
        return process

    def processes_of(self, process: psutil.Process) -> list[psutil.Process]:
        """A process and those under it; none of them outlives the test."""
        found = [process]
        with suppress(psutil.NoSuchProcess):
            found += process.children(recursive=True)
        self._known += found
        return found

    def kill(self, process: psutil.Process) -> None:
        """End a process, and then those under it, as a power cut would."""
        found = self.processes_of(process)
        for each in found:
            each.kill()
        wait_until(lambda: all_gone(found))

    def work_off(self) -> None:
        """Let a stock worker run all that is on the queue."""
        worker = self.start("rq", "worker", "--burst", "--url", self.url)
        assert worker.wait(30) == 0, self.logged

    @property
    def logged(self) -> str:
        """What the programs said so far."""
        return (self.folder / "logged.txt").read_text()

    # What is asked, and what became of it

    def ask(self, lane: str, **config: Any) -> tuple[str, dict[str, Any]]:
        """The id and the config of a job that is to start once, as the judge is told."""
        agent = add_agent(self.database, lane, kind="chronicler")
        self.load.agents.append(lane)
        job_id = add_session(self.database, agent).id
        now = datetime.now(UTC)
        attempt = Attempt(session_id=job_id, number=1, token=new_id(), worker="stock")
        attempt.started_at = attempt.lease_until = now
        with self.database.begin() as db:
            db.add(attempt)
        return job_id, {"truth": str(self.load.truth), "lane": lane, **config}

    def enqueue(self, lane: str, **config: Any) -> str:
        """Put a job on the queue and have it acknowledged; its id."""
        job_id, given = self.ask(lane, **config)
        self.queue.enqueue_call(JOB, args=(given,), job_id=job_id, on_stopped=Callback(CLEAN_UP))
        self.load.acknowledged.add(job_id)
        return job_id

    def noted(self, job_id: str, what: str = "start") -> int:
        """How often the agents noted something of a job."""
        truth = self.load.truth
        lines = truth.read_text().splitlines() if truth.exists() else []
        return sum(line.split()[1] == job_id and line.split()[4] == what for line in lines)

    def judged(self, *, seconds: float = 0) -> list[str]:
        """What the judge of the cells says, by the invariant's number.

        Args:
            seconds: How long everything that was asked has to end.
        """
        with suppress(AssertionError):
            wait_until(lambda: not self._unended(), seconds=seconds)
        left = [f"2: {line}" for line in self._unended()]
        return left + violations(self.database, self.load, Capture(self.load.system.url))

    def _unended(self) -> list[str]:
        """What has not ended, after a look at what RQ says of each job."""
        with self.database.begin() as db:
            for session in db.scalars(select(AgentSession)):
                status = Job.fetch(session.id, connection=self.redis).get_status()
                session.status = STATUSES.get(status, SessionStatus.QUEUED)
                has_ended = session.status not in ACTIVE
                session.finished_at = datetime.now(UTC) if has_ended else None
        return unended(self.database, self.load)
