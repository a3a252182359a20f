"""How one log line looks: readable on a terminal, JSON elsewhere, never with a secret in it."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "****"
MIN_SECRET_LENGTH = 4
"""A shorter value would mask half of every line."""

_SECRET_FIELDS = ("password", "secret", "token", "api_key", "apikey", "authorization", "dsn")


def line_formatter(
    process: str, *, readable: bool, secrets: Collection[str] = ()
) -> logging.Formatter:
    """Write a record, its `extra` fields and its exception as one line.

    Args:
        process: Named in each line: web, scheduler, pool, …
        readable: For a person at a terminal; JSON otherwise.
        secrets: Values that are replaced wherever they would appear.
    """
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _name_process(process),
            *_exceptions(readable),
            _mask(secrets),
            _renderer(readable),
        ],
    )


def _exceptions(readable: bool) -> list[Processor]:
    # Local variables stay out of tracebacks: they hold keys and whole configurations.
    if readable:
        return [structlog.processors.format_exc_info]
    return [ExceptionRenderer(ExceptionDictTransformer(show_locals=False))]


def _renderer(readable: bool) -> Processor:
    if readable:
        plain = structlog.dev.plain_traceback
        return structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=plain)
    return structlog.processors.JSONRenderer(default=str)


def _name_process(process: str) -> Processor:
    def add(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        line["process"] = process
        return line

    return add


def _mask(secrets: Collection[str]) -> Processor:
    hidden = sorted((s for s in secrets if len(s) >= MIN_SECRET_LENGTH), key=len, reverse=True)

    def masked(value: Any, field: str = "") -> Any:
        if field and any(word in field.lower() for word in _SECRET_FIELDS):
            return MASK
        if isinstance(value, Mapping):
            return {key: masked(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [masked(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        for secret in hidden:
            text = text.replace(secret, MASK)
        return text

    def mask(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {key: masked(value, key) for key, value in line.items()}

    return mask
