"""Reads jobs without running what a stranger could have pickled into them."""

import io
import pickle
from typing import Any, NoReturn


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse every class and function: plain data needs none."""
        raise pickle.UnpicklingError(f"A job may hold plain data only, not {module}.{name}.")


class PlainSerializer:
    """RQ's serializer for workers of the pool: strings, numbers, lists and dictionaries only."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        """Write as RQ's default serializer does, so that stock workers can read it."""
        return pickle.dumps(value)

    @staticmethod
    def loads(data: bytes) -> Any:
        """Read plain data.

        Raises:
            pickle.UnpicklingError: The data names a class or a function.
        """
        return _PlainUnpickler(io.BytesIO(data)).load()
