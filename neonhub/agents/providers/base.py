"""What every provider of language models takes, gives and raises."""

from dataclasses import dataclass
from typing import Any, Protocol

from neonhub.agents.errors import NonRetryableError
from neonhub.errors import NeonHubError

_TRANSIENT = frozenset({408, 409, 429})


class ProviderAway(NeonHubError):
    """The provider failed, and may answer later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked."""

    prompt: str
    system: str | None = None
    model: str | None = None  # None: the provider's default
    max_tokens: int = 1024
    temperature: float | None = None  # None: the model's default
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model answered."""

    provider: str
    model: str
    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: str | None = None  # in the provider's own words
    note: str | None = None  # set where no model was asked

    def as_result(self) -> dict[str, Any]:
        """As a session's result."""
        noted = {} if self.note is None else {"note": self.note}
        return {
            "provider": self.provider,
            **noted,
            "model": self.model,
            "text": self.text,
            "finishReason": self.finish_reason,
            "usage": {"inputTokens": self.input_tokens, "outputTokens": self.output_tokens},
        }


class Provider(Protocol):
    """Someone who answers."""

    @property
    def name(self) -> str:
        """What a config's `provider` calls it."""

    def ask(self, question: Question) -> Completion:
        """Ask once, without retries: those are the session's.

        Raises:
            ProviderAway: It failed in a way that may pass.
            NonRetryableError: The key, the model or the request is wrong.
        """


def failure(provider: str, status: int | None, reason: str) -> NeonHubError:
    """The error for a call that failed.

    Args:
        status: The HTTP status; None if there was no answer.
    """
    if status is None:
        return ProviderAway(f"{provider} could not be reached: {reason}")
    sentence = f"{provider} answered {status}: {reason}"
    is_transient = status in _TRANSIENT or status >= 500
    return ProviderAway(sentence) if is_transient else NonRetryableError(sentence)
