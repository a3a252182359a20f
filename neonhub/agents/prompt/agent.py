"""The agent of kind `prompt`."""

from typing import Any, ClassVar

from marshmallow import Schema

from neonhub.agents.base import BaseAgent
from neonhub.agents.prompt.config import PromptConfig, PromptConfigSchema
from neonhub.agents.prompt.template import fill
from neonhub.agents.providers import Question, choose
from neonhub.agents.providers.base import Completion, ProviderAway
from neonhub.agents.waiting import Stopped, call_unless_stopped
from neonhub.config import environment

MAX_MARGIN_SECONDS = 5.0
"""A provider's call ends this long before the session's own timeout, or a tenth of it."""


class PromptAgent(BaseAgent):
    """Fills a prompt, sends it to a language model and keeps the answer."""

    kind = "prompt"
    config_schema: ClassVar[type[Schema] | None] = PromptConfigSchema

    def execute_impl(self, config: dict[str, Any]) -> dict[str, Any]:
        """Ask the model.

        Returns:
            `{provider, model, text, finishReason, usage: {inputTokens, outputTokens}}`, with a
            `note` if no model was asked; `{stopped: true}` if the agent was asked to stop before.

        Raises:
            ProviderAway: The provider failed in a way that may pass.
            NonRetryableError: The config, the key or the request is wrong.
        """
        asked = PromptConfig.read(config)
        question = self._question(asked)
        provider = choose(asked.provider, asked.model, environment())
        self.report_progress(0, f"asking {provider.name}")
        timeout_seconds = question.timeout_seconds
        try:
            completion = call_unless_stopped(
                self, lambda: provider.ask(question), timeout_seconds=timeout_seconds
            )
        except Stopped:
            return {"stopped": True}
        except TimeoutError as error:
            raise ProviderAway(
                f"{provider.name} gave no answer within {timeout_seconds:g} seconds."
            ) from error
        self._log(completion)
        return completion.as_result()

    def _question(self, asked: PromptConfig) -> Question:
        allowed = self.options.timeout_seconds
        system = None if asked.system is None else fill(asked.system, asked.variables)
        return Question(
            prompt=fill(asked.prompt, asked.variables),
            system=system,
            model=asked.model,
            max_tokens=asked.max_tokens,
            temperature=asked.temperature,
            timeout_seconds=allowed - min(MAX_MARGIN_SECONDS, allowed / 10),
        )

    def _log(self, completion: Completion) -> None:
        level = "warning" if completion.note else "info"
        message = completion.note or f"{completion.provider} answered."
        facts = {key: value for key, value in completion.as_result().items() if key != "text"}
        self.log_event("completion", message, facts, level)
