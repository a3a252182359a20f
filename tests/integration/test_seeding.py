"""A fresh start has the five agents of the field; a later one changes nothing."""

import threading

from sqlalchemy import select, update

from neonhub.database import Database
from neonhub.models import Agent
from neonhub.scheduling.schedule_manager import ScheduleManager
from neonhub.seeding import seed
from tests.factories import NOW, add_agent

CADENCES = {
    "content-creator": "0 9 * * *",
    "trend-analyzer": "0 */6 * * *",
    "customer-support": "*/30 9-17 * * 1-5",
    "performance-optimizer": "0 2 * * 0",
    "email-marketer": "0 8 * * 1-5",
}


def slugs(database: Database) -> list[str]:
    with database.read() as db:
        return sorted(db.scalars(select(Agent.slug)))


def test_an_empty_database_gets_five_agents_with_their_cadence(database: Database) -> None:
    assert seed(database, max_retries=2, now=NOW)
    schedules = ScheduleManager(database).get_due_schedules()
    assert {s.agent.slug: s.cron_expression for s in schedules} == CADENCES
    assert {(s.name, s.enabled, s.max_retries) for s in schedules} == {("default", True, 2)}


def test_seeding_again_changes_nothing(database: Database) -> None:
    seed(database, max_retries=3, now=NOW)
    assert not seed(database, max_retries=3, now=NOW)
    assert slugs(database) == sorted(CADENCES)


def test_agents_that_were_deleted_do_not_come_back(database: Database) -> None:
    add_agent(database, "mine")
    with database.begin() as db:
        db.execute(update(Agent).values(deleted_at=NOW))
    assert not seed(database, max_retries=3, now=NOW)
    assert slugs(database) == ["mine"]


def test_processes_that_start_together_seed_once(database: Database) -> None:
    together = threading.Barrier(2)
    done: list[bool] = []

    def start() -> None:
        together.wait()
        done.append(seed(database, max_retries=3, now=NOW))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, True]
    assert slugs(database) == sorted(CADENCES)
