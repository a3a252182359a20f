"""How one log line looks: readable on a terminal, JSON elsewhere, never with a secret in it."""

import logging
from collections.abc import Collection

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from neonhub.observability.masking import Masker


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
    masker = Masker(secrets)

    def mask(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {key: masker.data(value, key) for key, value in line.items()}

    return mask
