"""Answers without any model, so that everything else can be tried without a key."""

from neonhub.agents.providers.base import Completion, Question

MAX_QUOTED_CHARACTERS = 200


class OfflineProvider:
    """Gives the same prompt the same answer, and says that no model made it."""

    name = "offline"

    def __init__(self, note: str) -> None:
        """
        Args:
            note: Why no model was asked.
        """
        self._note = note

    def ask(self, question: Question) -> Completion:
        """Answer with the prompt's length and its beginning."""
        words = question.prompt.split()
        length = f"{len(words)} word{'' if len(words) == 1 else 's'}"
        quoted = " ".join(words)[:MAX_QUOTED_CHARACTERS]
        return Completion(
            provider=self.name,
            model="offline",
            text=f"[offline answer to a prompt of {length}] {quoted}",
            input_tokens=0,
            output_tokens=0,
            finish_reason="stop",
            note=self._note,
        )
