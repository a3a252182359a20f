"""BaseAgent, as an author of agents meets it."""

import math
import threading
from typing import Any

import pytest

from neonhub.agents import BaseAgent, ExecutionOptions, ResultNotSerialisable
from tests.agents_for_tests import Chatty, Echo, Noop, Raiser, Slow, Unserialisable


class Recorded:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.percents: list[float] = []
        self.messages: list[str] = []
        self.lines: list[tuple[str, str, dict[str, Any], str]] = []

    def progress(self, percent: float, message: str) -> None:
        self.percents.append(percent)
        self.messages.append(message)

    def log(self, type: str, message: str, data: dict[str, Any], level: str) -> None:
        self.lines.append((type, message, data, level))


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def agent(recorded: Recorded) -> BaseAgent:
    """An agent that is bound to an attempt."""
    agent = Noop()
    agent.bind(
        session_id="s1",
        attempt=2,
        idempotency_key="k1",
        options=ExecutionOptions(timeout_seconds=7, max_retries=1),
        reporter=recorded,
    )
    return agent


def test_an_agent_returns_what_its_author_returns() -> None:
    assert Echo().execute({"pages": [1, 2]}) == {"pages": [1, 2]}


def test_an_agent_works_unbound_and_drops_what_it_reports() -> None:
    agent = Chatty()
    assert agent.execute({"messages": 3, "lines": 1}) == {"messages": 3, "lines": 1}
    assert (agent.session_id, agent.attempt, agent.idempotency_key) == ("unbound", 1, "unbound")


def test_a_bound_agent_knows_its_attempt(agent: BaseAgent) -> None:
    assert (agent.session_id, agent.attempt, agent.idempotency_key) == ("s1", 2, "k1")
    assert agent.options == ExecutionOptions(timeout_seconds=7, max_retries=1)


def test_the_idempotency_key_is_the_session_unless_given() -> None:
    agent = Noop()
    agent.bind(session_id="s1", attempt=3)
    assert agent.idempotency_key == "s1"


def test_the_defaults_of_the_options_are_those_of_a_schedule() -> None:
    assert ExecutionOptions() == ExecutionOptions(timeout_seconds=600, max_retries=3)


def test_a_subclass_need_not_call_the_constructor_of_its_base() -> None:
    class Careless(Noop):
        def __init__(self) -> None:
            self.mine = 1

    assert Careless().execute({}) == {"ok": True}


def test_an_agent_without_execute_impl_cannot_be_made() -> None:
    class Empty(BaseAgent):
        kind = "empty"

    with pytest.raises(TypeError, match="execute_impl"):
        Empty()  # type: ignore[abstract]


def test_a_stop_is_seen_by_the_agent() -> None:
    agent = Slow()
    agent.stop()
    assert agent.should_stop
    assert agent.execute({"seconds": 60, "steps": 2}) == {"steps": 0, "stopped": True}


def test_a_stop_may_come_twice_and_from_another_thread() -> None:
    agent = Slow()
    threads = [threading.Thread(target=agent.stop) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert agent.execute({"seconds": 60, "steps": 1})["stopped"]
    for thread in threads:
        thread.join()


def test_an_agent_is_running_while_it_executes() -> None:
    seen: list[bool] = []

    class Looks(Noop):
        def execute_impl(self, config: dict[str, Any]) -> dict[str, bool]:
            seen.append(self.is_running)
            return {}

    agent = Looks()
    agent.execute({})
    assert seen == [True]
    assert not agent.is_running


def test_an_agent_that_raised_is_not_running() -> None:
    agent = Raiser()
    with pytest.raises(RuntimeError, match="always fails"):
        agent.execute({})
    assert not agent.is_running


def test_an_agent_refuses_to_run_twice_at_once() -> None:
    class Nested(Noop):
        def execute_impl(self, config: dict[str, Any]) -> dict[str, bool]:
            return dict(self.execute(config))

    with pytest.raises(RuntimeError, match="Nested is running already"):
        Nested().execute({})


def test_a_result_json_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(ResultNotSerialisable, match=r"result\.lock is of type object"):
        Unserialisable().execute({})


@pytest.mark.parametrize(
    ("given", "told"), [(0, 0.0), (33.3, 33.3), (100, 100.0), (-5, 0.0), (250, 100.0)]
)
def test_progress_is_held_to_its_range(
    agent: BaseAgent, recorded: Recorded, given: float, told: float
) -> None:
    agent.report_progress(given, "page 1")
    assert (recorded.percents, recorded.messages) == ([told], ["page 1"])


@pytest.mark.parametrize(("given", "told"), [(math.inf, 100.0), (-math.inf, 0.0)])
def test_endless_progress_is_held_to_its_range(
    agent: BaseAgent, recorded: Recorded, given: float, told: float
) -> None:
    agent.report_progress(given)
    assert recorded.percents == [told]


def test_progress_that_is_not_a_number_is_refused(agent: BaseAgent, recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="not NaN"):
        agent.report_progress(math.nan)
    with pytest.raises(TypeError):
        agent.report_progress("half")  # type: ignore[arg-type]
    assert recorded.percents == []


def test_a_log_line_has_type_message_data_and_level(agent: BaseAgent, recorded: Recorded) -> None:
    agent.log_event("page", "read", {"page": 3})
    agent.log_event("page", "odd", level="warning")
    assert recorded.lines == [
        ("page", "read", {"page": 3}, "info"),
        ("page", "odd", {}, "warning"),
    ]


def test_a_log_line_of_an_unknown_level_is_refused(agent: BaseAgent) -> None:
    with pytest.raises(ValueError, match="info, warning, error, not 'debug'"):
        agent.log_event("page", "read", level="debug")


def test_what_a_log_line_cannot_hold_is_kept_as_text(agent: BaseAgent, recorded: Recorded) -> None:
    facts: dict[Any, Any] = {"ratio": math.nan, "seen": {1}, 7: "x"}
    agent.log_event("page", "a\0b", facts)
    kept = {"ratio": "nan", "seen": "{1}", "7": "x"}
    assert recorded.lines == [("page", "a\ufffdb", kept, "info")]
