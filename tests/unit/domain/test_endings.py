"""What a session becomes when an attempt ends."""

from datetime import timedelta

import pytest

from neonhub.domain.endings import AttemptEnd, Standing, after_attempt
from neonhub.domain.states import SessionStatus
from tests.factories import NOW


def standing(**values: object) -> Standing:
    defaults: dict[str, object] = {
        "failures": 0,
        "losses": 0,
        "max_retries": 3,
        "stop_requested": False,
        "stop_reason": None,
        "backoff_base_ms": 1000,
        "backoff_max_ms": 300_000,
    }
    return Standing(**(defaults | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("end", "before", "status", "reason"),
    [
        ("RETURNED", {}, "COMPLETED", None),
        ("RAISED", {}, "RETRYING", "error"),
        ("RAISED", {"failures": 3}, "FAILED", "error"),
        ("RAISED", {"max_retries": 0}, "FAILED", "error"),
        ("REFUSED", {}, "FAILED", "error"),
        ("TIMED_OUT", {}, "RETRYING", "timeout"),
        ("TIMED_OUT", {"failures": 3}, "FAILED", "timeout"),
        ("LOST", {}, "QUEUED", None),
        ("LOST", {"losses": 1, "failures": 3}, "QUEUED", None),
        ("LOST", {"losses": 2}, "FAILED", "worker_lost"),
        ("HANDED_BACK", {"losses": 2, "failures": 3}, "QUEUED", None),
        ("RETURNED", {"stop_requested": True}, "STOPPED", None),
        ("RAISED", {"stop_requested": True}, "STOPPED", None),
        ("LOST", {"stop_requested": True, "stop_reason": "replaced"}, "STOPPED", "replaced"),
    ],
)
def test_every_end_has_one_next_state(
    end: str, before: dict[str, object], status: str, reason: str | None
) -> None:
    state = after_attempt(AttemptEnd(end), standing(**before), NOW)
    assert (state.status, state.reason) == (status, reason)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (1, 2), (2, 4)])
def test_retries_wait_one_two_and_four_seconds(failures: int, seconds: int) -> None:
    state = after_attempt(AttemptEnd.RAISED, standing(failures=failures), NOW)
    assert state.next_attempt_at == NOW + timedelta(seconds=seconds)


def test_only_the_agents_own_failures_use_up_retries() -> None:
    counts = {
        end: after_attempt(end, standing(), NOW).failures
        for end in AttemptEnd
        if end is not AttemptEnd.RETURNED
    }
    assert counts == {"RAISED": 1, "REFUSED": 1, "TIMED_OUT": 1, "LOST": 0, "HANDED_BACK": 0}


def test_a_retrying_session_is_active_and_has_an_instant() -> None:
    state = after_attempt(AttemptEnd.RAISED, standing(), NOW)
    assert state.status is SessionStatus.RETRYING and state.next_attempt_at is not None
