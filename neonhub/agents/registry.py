"""Finds agent classes: those that come with NeonHub, entry points, and modules by name."""

import importlib
import inspect
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType

from neonhub.agents.base import BaseAgent
from neonhub.errors import ConfigError

ENTRY_POINT_GROUP = "neonhub.agents"

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "http": "neonhub.agents.http.agent:HttpAgent",
        "prompt": "neonhub.agents.prompt.agent:PromptAgent",
    }
)
"""Kind → class; imported when first used, because a worker that runs no HTTP needs no client."""

_KIND = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

AgentClass = type[BaseAgent]


def discover(modules: Sequence[str]) -> dict[str, AgentClass]:
    """Import every agent class that does not come with NeonHub.

    Args:
        modules: Importable modules whose agent classes are wanted (NEONHUB_AGENT_MODULES).

    Returns:
        Kind → class.

    Raises:
        ConfigError: A module or entry point fails to import or holds no agent class, a class has
            no kind or a bad one, or two classes have the same.
    """
    found: dict[str, AgentClass] = {}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        _add(found, _from_entry_point(entry_point))
    for name in modules:
        for agent_class in _from_module(name):
            _add(found, agent_class)
    return found


def load_built_in(kind: str) -> AgentClass:
    """Import the class of a kind in `BUILT_IN`."""
    module, _, name = BUILT_IN[kind].partition(":")
    agent_class: AgentClass = getattr(importlib.import_module(module), name)
    return agent_class


def _add(found: dict[str, AgentClass], agent_class: AgentClass) -> None:
    kind = _checked_kind(agent_class)
    mine, other = _path(agent_class), BUILT_IN.get(kind)
    if mine == other:
        return
    if other is None and found.setdefault(kind, agent_class) is not agent_class:
        other = _path(found[kind])
    if other is not None:
        raise ConfigError(
            f"Two agent classes have the kind '{kind}': {_shown(other)} and {_shown(mine)}; "
            "give one of them another `kind`."
        )


def _checked_kind(agent_class: AgentClass) -> str:
    kind: object = agent_class.kind
    name = _shown(_path(agent_class))
    if not kind:
        raise ConfigError(f"The agent class {name} has no `kind`.")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise ConfigError(
            f"The agent class {name} has the kind {kind!r}: it must be at most 63 of "
            "a-z, 0-9, - and _, and begin with a letter or digit."
        )
    return kind


def _from_entry_point(entry_point: EntryPoint) -> AgentClass:
    source = f"The entry point '{entry_point.name}' of group {ENTRY_POINT_GROUP}"
    try:
        loaded = entry_point.load()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{source} names '{entry_point.value}', which failed to import: {_cause(error)}."
        ) from error
    if not _is_agent_class(loaded):
        raise ConfigError(f"{source} names '{entry_point.value}', which is not an agent class.")
    agent_class: AgentClass = loaded
    return agent_class


def _from_module(name: str) -> Iterator[AgentClass]:
    source = f"NEONHUB_AGENT_MODULES names '{name}', which"
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{source} failed to import: {_cause(error)}.") from error
    classes = list(_agent_classes(module))
    if not classes:
        raise ConfigError(f"{source} holds no agent class (a public subclass of BaseAgent).")
    yield from classes


def _agent_classes(module: ModuleType) -> Iterator[AgentClass]:
    """The module's public agent classes; abstract ones are other agents' bases."""
    for name, value in vars(module).items():
        if not name.startswith("_") and _is_agent_class(value):
            yield value


def _is_agent_class(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseAgent) and not inspect.isabstract(value)


def _cause(error: BaseException) -> str:
    """What an import failed with, and where, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    words = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {words}{place}"


def _path(agent_class: AgentClass) -> str:
    return f"{agent_class.__module__}:{agent_class.__qualname__}"


def _shown(path: str) -> str:
    return path.replace(":", ".")
