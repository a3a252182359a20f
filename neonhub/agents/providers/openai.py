"""Asks OpenAI, or a server that speaks its chat protocol."""

import openai
from openai.types.chat import ChatCompletionMessageParam

from neonhub.agents.providers.base import Completion, Question, failure

DEFAULT_MODEL = "gpt-5.4-mini"
DEFAULT_BASE_URL = "https://api.openai.com/v1"


class OpenAIProvider:
    """One key's access to the chat completions of OpenAI."""

    name = "openai"

    def __init__(self, client: openai.OpenAI) -> None:
        self._client = client

    def ask(self, question: Question) -> Completion:
        """Ask once.

        Raises:
            ProviderAway: 408, 409, 429, 5xx or no answer.
            NonRetryableError: Any other refusal.
        """
        try:
            answer = self._client.chat.completions.create(
                model=question.model or DEFAULT_MODEL,
                messages=_messages(question),
                max_completion_tokens=question.max_tokens,
                temperature=openai.omit if question.temperature is None else question.temperature,
                timeout=question.timeout_seconds,
            )
        except openai.APIStatusError as error:
            raise failure(self.name, error.status_code, error.message) from error
        except openai.APIError as error:
            raise failure(self.name, None, error.message) from error
        choice, usage = answer.choices[0], answer.usage
        return Completion(
            provider=self.name,
            model=answer.model,
            text=choice.message.content or choice.message.refusal or "",
            input_tokens=usage.prompt_tokens if usage else 0,
            output_tokens=usage.completion_tokens if usage else 0,
            finish_reason=choice.finish_reason,
        )


def connect(key: str, base_url: str | None) -> OpenAIProvider:
    """Make the provider; nothing is sent yet. `base_url` None means OpenAI itself."""
    client = openai.OpenAI(api_key=key, base_url=base_url or DEFAULT_BASE_URL, max_retries=0)
    return OpenAIProvider(client)


def _messages(question: Question) -> list[ChatCompletionMessageParam]:
    asked: ChatCompletionMessageParam = {"role": "user", "content": question.prompt}
    if question.system is None:
        return [asked]
    return [{"role": "system", "content": question.system}, asked]
