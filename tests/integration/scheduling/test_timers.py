"""Timers are claimed once, come back if nobody settles them, and wake who waits."""

import threading
from datetime import UTC, datetime, timedelta

from redis import Redis

from neonhub.redis import keys
from neonhub.redis.connect import connect
from neonhub.scheduling.timers import VISIBILITY_SECONDS, Timers

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def members(timers: Timers, now: datetime, limit: int = 100) -> list[str]:
    return [claim.member for claim in timers.claim(now, limit).claims]


def test_only_what_is_due_is_claimed_the_longest_due_first(timers: Timers) -> None:
    timers.add("tick:late", NOW - SECOND)
    timers.add("tick:now", NOW)
    timers.add("tick:later", NOW + SECOND)
    claimed = timers.claim(NOW)
    assert [claim.member for claim in claimed.claims] == ["tick:late", "tick:now"]
    assert claimed.claims[0].due_score == (NOW - SECOND).timestamp()
    assert claimed.next_score == (NOW + SECOND).timestamp()


def test_a_claim_is_seen_by_one_scheduler(timers: Timers, redis_connection: Redis) -> None:
    timers.add("tick:a", NOW)
    assert members(timers, NOW) == ["tick:a"]
    assert members(Timers(redis_connection), NOW + SECOND) == []


def test_an_unsettled_claim_comes_due_again(timers: Timers) -> None:
    timers.add("tick:a", NOW)
    timers.claim(NOW)
    assert members(timers, NOW + timedelta(seconds=VISIBILITY_SECONDS)) == ["tick:a"]


def test_a_claim_takes_no_more_than_its_limit(timers: Timers) -> None:
    timers.add_missing({f"tick:{n}": NOW.timestamp() for n in range(30)})
    assert [len(members(timers, NOW, 20)) for _ in range(3)] == [20, 10, 0]


def test_microseconds_of_an_instant_survive(timers: Timers) -> None:
    at = NOW + timedelta(microseconds=123457)
    timers.add("tick:a", at)
    assert timers.next_score() == at.timestamp()
    assert members(timers, at - timedelta(microseconds=1)) == []
    assert members(timers, at) == ["tick:a"]


def test_an_emptied_server_is_noticed(timers: Timers, redis_connection: Redis) -> None:
    assert timers.claim(NOW).is_emptied
    timers.mark_alive()
    assert not timers.claim(NOW).is_emptied


def test_missing_timers_are_added_and_none_is_put_off(timers: Timers) -> None:
    timers.add("tick:early", NOW)
    timers.add("tick:late", NOW + 9 * SECOND)
    scores = dict.fromkeys(["tick:early", "tick:late", "tick:new"], (NOW + SECOND).timestamp())
    assert timers.add_missing(scores) == 2
    assert members(timers, NOW) == ["tick:early"]
    assert members(timers, NOW + SECOND) == ["tick:late", "tick:new"]


def test_a_removed_timer_is_not_due(timers: Timers) -> None:
    timers.add("tick:a", NOW)
    timers.remove("tick:a", "tick:unknown")
    timers.remove()
    assert timers.count() == 0


def test_a_member_that_is_no_text_can_be_claimed_and_removed(
    timers: Timers, redis_connection: Redis
) -> None:
    redis_connection.zadd(keys.TIMERS, {b"\xff\xfe": 1.0})
    timers.remove(*members(timers, NOW))
    assert timers.count() == 0


def test_a_nearer_timer_wakes_who_waits(timers: Timers, redis_url: str) -> None:
    timers.add("tick:far", NOW + 60 * SECOND)
    timers.listen()
    with connect(redis_url) as other:
        setter = threading.Thread(target=Timers(other).add, args=("tick:near", NOW))
        setter.start()
        assert timers.wait(30)
        setter.join()


def test_a_timer_set_before_the_wait_is_not_missed(timers: Timers) -> None:
    timers.forget_wakes()
    timers.add("tick:a", NOW)
    assert timers.wait(30)


def test_wakes_can_be_forgotten(timers: Timers) -> None:
    timers.listen()
    timers.wake()
    timers.wake()
    timers.forget_wakes()
    assert not timers.wait(0)


def test_a_wait_without_a_wake_ends_at_its_time(timers: Timers) -> None:
    timers.listen()
    assert not timers.wait(0.05)
