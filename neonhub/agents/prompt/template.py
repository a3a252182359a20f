"""Prompts with `{placeholders}`."""

import json
import re
from collections.abc import Mapping
from typing import Any

from neonhub.agents.errors import NonRetryableError

# Only names in braces count, so that JSON and code in a prompt need no escapes.
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}|\{([A-Za-z_]\w*)\}")


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """Put values in the place of `{name}`; `{{name}}` stands for `{name}` itself.

    Args:
        variables: Text is put in as it is, anything else as JSON.

    Raises:
        NonRetryableError: Placeholders without a value, by name.
    """
    names = {match[2] for match in _PLACEHOLDER.finditer(template) if match[2]}
    missing = sorted(names - variables.keys())
    if missing:
        listed = ", ".join(f"{{{name}}}" for name in missing)
        raise NonRetryableError(
            f"The prompt has no value for {listed}: give it in `variables` or the session's input."
        )
    return _PLACEHOLDER.sub(
        lambda match: f"{{{match[1]}}}" if match[1] else _text(variables[match[2]]), template
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
