"""Reads jobs without running what a stranger could have pickled into them."""

import io
import logging
import pickle
from typing import Any, NoReturn

from rq.exceptions import NoSuchJobError
from rq.job import Job

logger = logging.getLogger(__name__)


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


class PlainJob(Job):
    """A job with nothing to it but its call: no callbacks, webhooks, retries or dependents."""

    def restore(self, raw_data: dict[Any, Any]) -> None:
        """Read a job's hash.

        Raises:
            NoSuchJobError: It can't be read; RQ goes on with the next one.
        """
        try:
            super().restore(raw_data)
        except Exception as error:
            logger.error("Job %s is set aside: it cannot be read: %r", self.id, error)
            raise NoSuchJobError(f"Job {self.id} cannot be read.") from error
        self._success_callback_name = None
        self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []
        self.retries_left = self.repeats_left = None
        self._dependency_ids = []
