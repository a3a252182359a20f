"""A pool in a process of its own, as it runs in production."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from neonhub.agents import AgentManager
from neonhub.database import Database
from neonhub.execution.agent_traces import Recycling
from neonhub.redis.connect import connect
from workers.pool import Pool

SIZE = 3


@contextmanager
def running_pool(
    database: Database,
    redis_url: str,
    *,
    size: int = SIZE,
    prepare: Callable[[], object] = lambda: None,
) -> Iterator[int]:
    """Run a pool until the block ends; what it runs by then is seen off.

    Args:
        prepare: Called in its process, before it begins.

    Yields:
        Its process's id; it may be gone by the end.
    """
    database.close()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            database.forget_connections()
            prepare()
            agents = AgentManager(["tests.agents_for_tests"])
            redis = connect(redis_url)
            Pool(database, redis, agents, size, recycling=Recycling(100)).run()
            status = 0
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        ended = os.waitpid(pid, 0)[1]
    assert ended in (0, signal.SIGKILL), ended
