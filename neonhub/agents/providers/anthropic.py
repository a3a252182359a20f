"""Asks Anthropic, or a server that speaks its messages protocol."""

import anthropic

from neonhub.agents.providers.base import Completion, Question, failure

DEFAULT_MODEL = "claude-haiku-4-5"
DEFAULT_BASE_URL = "https://api.anthropic.com"


class AnthropicProvider:
    """One key's access to the messages of Anthropic."""

    name = "anthropic"

    def __init__(self, client: anthropic.Anthropic) -> None:
        self._client = client

    def ask(self, question: Question) -> Completion:
        """Ask once.

        Raises:
            ProviderAway: 408, 409, 429, 5xx or no answer.
            NonRetryableError: Any other refusal.
        """
        # The SDK no longer names temperature, but models that have it still take it.
        extra = None if question.temperature is None else {"temperature": question.temperature}
        try:
            answer = self._client.messages.create(
                model=question.model or DEFAULT_MODEL,
                system=anthropic.omit if question.system is None else question.system,
                messages=[{"role": "user", "content": question.prompt}],
                max_tokens=question.max_tokens,
                extra_body=extra,
                timeout=question.timeout_seconds,
            )
        except anthropic.APIStatusError as error:
            raise failure(self.name, error.status_code, error.message) from error
        except anthropic.APIError as error:
            raise failure(self.name, None, error.message) from error
        return Completion(
            provider=self.name,
            model=answer.model,
            text="".join(block.text for block in answer.content if block.type == "text"),
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
            finish_reason=answer.stop_reason,
        )


def connect(key: str, base_url: str | None) -> AnthropicProvider:
    """Make the provider; nothing is sent yet. `base_url` None means Anthropic itself."""
    url = base_url or DEFAULT_BASE_URL
    return AnthropicProvider(anthropic.Anthropic(api_key=key, base_url=url, max_retries=0))
