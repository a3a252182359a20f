"""The five agents a fresh NeonHub begins with."""

import pytest

from neonhub.agents import AgentManager
from neonhub.agents.seeds import SEED_AGENTS, SeedAgent


def test_the_five_have_their_documented_cadences() -> None:
    assert {seed.id: seed.cron_expression for seed in SEED_AGENTS} == {
        "content-creator": "0 9 * * *",
        "trend-analyzer": "0 */6 * * *",
        "customer-support": "*/30 9-17 * * 1-5",
        "performance-optimizer": "0 2 * * 0",
        "email-marketer": "0 8 * * 1-5",
    }


@pytest.mark.parametrize("seed", SEED_AGENTS, ids=lambda seed: seed.id)
def test_each_runs_without_a_key_and_without_an_input(
    seed: SeedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    manager = AgentManager()
    config = manager.validate_config(seed.kind, seed.config)
    assert manager.build(seed.kind).execute(config)["provider"] == "offline"
