"""Work for the system while a fault is injected, and what it acknowledged."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import requests

PATIENCE_SECONDS = 30
"""How long a client repeats what was not acknowledged; nothing may be away for longer."""


class Served(Protocol):
    """A system that is reached at a URL."""

    url: str


@dataclass
class Load:
    """One cell's agents, schedules and runs."""

    system: Served
    name: str
    truth: Path
    agents: list[str] = field(default_factory=list)
    schedules: dict[str, str] = field(default_factory=dict)  # agent id → schedule id
    acknowledged: set[str] = field(default_factory=set)  # session ids

    def begin(self) -> None:
        """Two schedules that fire every second, and runs that were asked for, one that fails."""
        self.add_agent("often", seconds=0.1)
        self.add_agent("alone", seconds=1.3, alone=True)
        self.add_agent("flaky", seconds=0.1, fail_first=1)
        self.add_agent("manual", seconds=0.4)
        self.schedule("often", interval=1, overlap="ALLOW", catchUp="ALL")
        self.schedule("alone", interval=1, overlap="SKIP")
        self.run("flaky")
        for _ in range(2):
            self.run("manual")

    def run(self, agent: str) -> str:
        """Run an agent now, and repeat it as a careful client does; the session's id."""
        key = f"{self.name}-{agent}-{len(self.acknowledged)}-{time.monotonic_ns()}"
        path = f"/api/agents/{self._id(agent)}/run"
        first = self._post(path, {}, key)
        again = self._post(path, {}, key)
        assert first["id"] == again["id"], "one key made two sessions"
        session_id: str = first["id"]
        self.acknowledged.add(session_id)
        return session_id

    def edit(self, agent: str) -> None:
        """Change a schedule in a way that keeps its ticks."""
        schedule = self.schedules[self._id(agent)]
        self._repeat("PATCH", f"/api/schedules/{schedule}", {"input": {"edited": True}})

    def end(self) -> None:
        """Switch the schedules off."""
        for schedule in self.schedules.values():
            self._repeat("PATCH", f"/api/schedules/{schedule}", {"enabled": False})

    def add_agent(self, name: str, **config: Any) -> None:
        """Make an agent that notes what it does."""
        given = {"truth": str(self.truth), "lane": self._id(name), **config}
        body = {"id": self._id(name), "name": name, "kind": "chronicler", "config": given}
        self._post("/api/agents", body)
        self.agents.append(self._id(name))

    def schedule(self, agent: str, **body: Any) -> None:
        """Make an agent's schedule."""
        made = self._post(f"/api/agents/{self._id(agent)}/schedule", body)
        self.schedules[self._id(agent)] = made["id"]

    def _id(self, name: str) -> str:
        return f"{self.name}-{name}"

    def _post(self, path: str, body: Any, key: str | None = None) -> Any:
        return self._repeat("POST", path, body, key)

    def _repeat(self, method: str, path: str, body: Any, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = requests.request(
                    method, self.system.url + path, json=body, headers=headers, timeout=10
                )
                if answer.status_code < 300:
                    return answer.json()
                if answer.status_code == 409 and path == "/api/agents":
                    return None  # it was made by the first try, whose answer was lost
                problem = f"{answer.status_code} {answer.text}"
                # A crash in the middle of a request is a 500; everything else must be a 503.
                assert answer.status_code in (500, 503), f"{method} {path}: {problem}"
            except requests.RequestException as error:
                problem = str(error)
            assert time.monotonic() < deadline, f"{method} {path} was not served: {problem}"
            time.sleep(0.1)
