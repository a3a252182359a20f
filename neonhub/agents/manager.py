"""AgentManager: knows every agent class, checks configs against them and builds agents."""

from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError

from neonhub.agents.base import BaseAgent
from neonhub.agents.configs import flat
from neonhub.agents.errors import UnknownKind
from neonhub.agents.registry import BUILT_IN, discover, load_built_in
from neonhub.errors import InvalidInput


class AgentManager:
    """The agent classes of this process, by kind."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """
        Args:
            modules: Importable modules with more agent classes, besides the entry points.

        Raises:
            ConfigError: A class cannot be imported or registered.
        """
        self._classes = discover(modules)

    def kinds(self) -> dict[str, type[BaseAgent]]:
        """Every kind with its class, those that come with NeonHub first."""
        return {kind: self.agent_class(kind) for kind in (*BUILT_IN, *sorted(self._classes))}

    def agent_class(self, kind: str) -> type[BaseAgent]:
        """The class of one kind.

        Raises:
            UnknownKind: There is none.
        """
        if kind in self._classes:
            return self._classes[kind]
        if kind in BUILT_IN:
            return load_built_in(kind)
        raise UnknownKind(kind, {*BUILT_IN, *self._classes})

    def build(self, kind: str) -> BaseAgent:
        """Make an agent, ready for `bind` and `execute`.

        Raises:
            UnknownKind: No class has this kind.
        """
        return self.agent_class(kind)()

    def validate_config(self, kind: str, config: dict[str, Any]) -> dict[str, Any]:
        """Check an agent's config against its class.

        Returns:
            The config as it was given: what to store.

        Raises:
            UnknownKind: No class has this kind.
            InvalidInput: The class refuses the config; the fields are named `config.…`.
        """
        schema = self.agent_class(kind).config_schema
        if schema is None:
            return config
        try:
            schema().load(config)
        except ValidationError as error:
            raise InvalidInput(flat(error)) from error
        return config
