"""Chooses who answers, by config, model and the keys that are set."""

import importlib
from collections.abc import Mapping
from types import ModuleType

from neonhub.agents.errors import NonRetryableError
from neonhub.agents.providers.base import Provider
from neonhub.agents.providers.offline import OfflineProvider

PROVIDERS = ("openai", "anthropic", "offline")

_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_MODEL_PREFIXES = {"claude": "anthropic", "gpt-": "openai", "chatgpt": "openai"}


def choose(wanted: str, model: str | None, env: Mapping[str, str]) -> Provider:
    """Find the provider for a prompt.

    Args:
        wanted: `auto` or one of `PROVIDERS`. `auto` goes by the model's name, then by which key
            is set, OpenAI's first.
        model: The model asked for, if any.
        env: Holds the keys, and OPENAI_BASE_URL and ANTHROPIC_BASE_URL where they differ.

    Returns:
        The provider; the offline one if no key is set.

    Raises:
        NonRetryableError: The model's provider has no key while another has, or its package is
            not installed.
    """
    keys = {name: env.get(variable, "").strip() for name, variable in _KEYS.items()}
    name = _named(model, keys) if wanted == "auto" else wanted
    if name == "offline":
        return OfflineProvider(_note(wanted))
    if keys[name]:
        base_url = env.get(f"{name.upper()}_BASE_URL", "").strip()
        provider: Provider = _module(name).connect(keys[name], base_url or None)
        return provider
    if wanted == "auto" and any(keys.values()):
        raise NonRetryableError(f"The model '{model}' needs {_KEYS[name]}, which is not set.")
    return OfflineProvider(_note(wanted))


def _named(model: str | None, keys: Mapping[str, str]) -> str:
    for prefix, name in _MODEL_PREFIXES.items():
        if model is not None and model.startswith(prefix):
            return name
    return next((name for name, key in keys.items() if key), "offline")


def _note(wanted: str) -> str:
    if wanted == "offline":
        return "The provider is set to offline: no model was asked."
    variables = _KEYS.get(wanted) or " or ".join(_KEYS.values())
    return f"No {variables} is set: no model was asked, this text was made up on the spot."


def _module(name: str) -> ModuleType:
    """A provider's module, imported when used: its SDK is an optional extra and slow to import.

    Raises:
        NonRetryableError: The SDK is not installed.
    """
    try:
        return importlib.import_module(f"neonhub.agents.providers.{name}")
    except ModuleNotFoundError as error:
        raise NonRetryableError(
            f"The package '{error.name}' is missing: "
            f"run `pip install '.[{name}]'` in the folder of NeonHub."
        ) from error
