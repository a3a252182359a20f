"""Commands and scripts that go to Redis together, and what is answered."""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

from neonhub.redis.scripts import script_hash, script_text

Argument = str | bytes | int | float


class RoundTrip:
    """Collects commands, then sends them in one round trip and in this order.

    They are not one transaction: others may come between, and each succeeds or fails by itself.
    """

    def __init__(self) -> None:
        self._commands: list[tuple[Argument, ...]] = []
        self._scripts: dict[int, str] = {}

    def command(self, *command: Argument) -> None:
        """Add a command."""
        self._commands.append(command)

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> None:
        """Add a run of a script.

        Args:
            name: The file's name without `.lua`.
        """
        self._scripts[len(self._commands)] = name
        self.command("EVALSHA", script_hash(name), len(keys), *keys, *args)

    def send(self, redis: Redis) -> list[Any]:
        """Send what was added; a script the server does not know yet is sent again in full.

        Returns:
            The answers, one for each command.

        Raises:
            redis.exceptions.RedisError: Redis is away, or refused one of the commands.
        """
        if not self._commands:
            return []
        pipeline = redis.pipeline(transaction=False)
        for command in self._commands:
            pipeline.execute_command(*command)
        answers = pipeline.execute(raise_on_error=False)
        for index, name in self._scripts.items():
            if isinstance(answers[index], NoScriptError):
                _, _, *rest = self._commands[index]
                answers[index] = redis.execute_command("EVAL", script_text(name), *rest)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers
