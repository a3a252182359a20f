"""The kind `http`: calls a URL and keeps the answer."""

from neonhub.agents.http.agent import HttpAgent

__all__ = ["HttpAgent"]
