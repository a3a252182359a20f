"""The five agents a fresh NeonHub begins with, and when each runs."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SeedAgent:
    """One agent with its enabled default schedule."""

    id: str
    name: str
    kind: str
    config: dict[str, Any]
    cron_expression: str  # in UTC


def _prompt(id: str, name: str, cron: str, system: str, prompt: str, **variables: str) -> SeedAgent:
    config = {"system": system, "prompt": prompt, "variables": variables, "maxTokens": 1024}
    return SeedAgent(id, name, "prompt", config, cron)


SEED_AGENTS = (
    _prompt(
        "content-creator",
        "Content creator",
        "0 9 * * *",
        "You write for the blog of {brand}: clear, concrete, no clichés.",
        "Draft today's post about {topic} for {audience}: a title, a lead and three sections.",
        brand="NeonHub",
        topic="automating routine work",
        audience="small teams",
    ),
    _prompt(
        "trend-analyzer",
        "Trend analyzer",
        "0 */6 * * *",
        "You analyse market trends. Say what is known, what is guessed and how sure you are.",
        "Name the five trends in {field} that matter most now, one line of reason for each.",
        field="marketing automation",
    ),
    _prompt(
        "customer-support",
        "Customer support",
        "*/30 9-17 * * 1-5",
        "You answer customers of {brand}: friendly, brief, and never promising what is not sure.",
        "Write replies to these open questions, the most urgent first:\n{questions}",
        brand="NeonHub",
        questions="(none were handed over)",
    ),
    _prompt(
        "performance-optimizer",
        "Performance optimizer",
        "0 2 * * 0",
        "You review how campaigns performed. Every advice names the figure it rests on.",
        "From these figures of the week, advise three changes in order of effect:\n{figures}",
        figures="(none were handed over)",
    ),
    _prompt(
        "email-marketer",
        "Email marketer",
        "0 8 * * 1-5",
        "You write e-mails for {brand} that people are glad to get: short, honest, one request.",
        "Write today's e-mail to {segment} about {offer}: a subject line and at most 120 words.",
        brand="NeonHub",
        segment="new subscribers",
        offer="getting started",
    ),
)
