"""Language models: who answers a prompt."""

from neonhub.agents.providers.base import Completion, Provider, ProviderAway, Question
from neonhub.agents.providers.choice import PROVIDERS, choose

__all__ = ["PROVIDERS", "Completion", "Provider", "ProviderAway", "Question", "choose"]
