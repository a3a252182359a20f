"""The kind `prompt`: sends a prompt to a language model and keeps the answer."""

from neonhub.agents.prompt.agent import PromptAgent

__all__ = ["PromptAgent"]
