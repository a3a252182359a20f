"""What a log line holds, and what it never does."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from neonhub.config import Settings, load_settings
from neonhub.observability.logs import configure_logging, hand_to_root

logger = logging.getLogger("neonhub.test")


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def settings() -> Settings:
    return load_settings(
        {"OPENAI_API_KEY": "sk-hunter2", "REDIS_URL": "redis://:p%40ssword@h", "LOG_LEVEL": "info"}
    )


@pytest.fixture
def stream(settings: Settings) -> io.StringIO:
    """Where lines for machines arrive."""
    stream = io.StringIO()
    configure_logging(settings, process="web", stream=stream)
    return stream


def line(stream: io.StringIO) -> dict[str, Any]:
    """The one line that was logged."""
    (text,) = stream.getvalue().splitlines()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_a_line_is_json_with_its_extra_fields(stream: io.StringIO) -> None:
    logger.info("Session %s started.", "s1", extra={"session_id": "s1", "attempt": 2})
    logged = line(stream)
    assert logged["event"] == "Session s1 started."
    assert (logged["session_id"], logged["attempt"]) == ("s1", 2)
    assert (logged["level"], logged["logger"], logged["process"]) == ("info", "neonhub.test", "web")
    assert logged["timestamp"].endswith("Z")


def test_on_a_terminal_a_line_is_readable(settings: Settings) -> None:
    terminal = Terminal()
    configure_logging(settings, process="pool", stream=terminal)
    logger.warning("Slow.", extra={"seconds": 3})
    assert "Slow." in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


@pytest.mark.parametrize("secret", ["sk-hunter2", "p%40ssword", "p@ssword"])
def test_a_secret_is_masked_wherever_it_appears(stream: io.StringIO, secret: str) -> None:
    logger.error("With %s", secret, extra={"url": f"x://{secret}@h", "deep": {"list": [secret]}})
    assert secret not in stream.getvalue()
    assert line(stream)["deep"] == {"list": ["****"]}


def test_a_field_named_like_a_secret_is_masked(stream: io.StringIO) -> None:
    logger.info("Called.", extra={"headers": {"Authorization": "Bearer x"}, "api_key": "y"})
    assert line(stream)["headers"] == {"Authorization": "****"}
    assert line(stream)["api_key"] == "****"


def test_a_traceback_has_no_local_variables(stream: io.StringIO) -> None:
    _fail_with_a_local()
    (exception,) = line(stream)["exception"]
    assert exception["exc_type"] == "ValueError"
    assert exception["frames"][-1]["name"] == "_fail_with_a_local"
    assert "kept-to-itself" not in stream.getvalue()


def test_a_traceback_on_a_terminal_masks_secrets(settings: Settings) -> None:
    terminal = Terminal()
    configure_logging(settings, stream=terminal)
    _fail_with_a_local()
    assert "ValueError: bad key ****" in terminal.getvalue()


def test_the_level_is_the_settings(stream: io.StringIO) -> None:
    logger.debug("Not wanted.")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("name", ["rq.worker", "alembic.runtime", "urllib3"])
def test_talkative_libraries_say_warnings_only(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("Chatter.")
    logging.getLogger(name).warning("Trouble.")
    assert line(stream)["event"] == "Trouble."


def test_a_library_with_handlers_of_its_own_is_handed_over(stream: io.StringIO) -> None:
    library, own = logging.getLogger("some.library"), io.StringIO()
    library.addHandler(logging.StreamHandler(own))
    library.propagate = False
    hand_to_root("some.library")
    library.warning("Hello.")
    assert (own.getvalue(), line(stream)["event"]) == ("", "Hello.")


def test_configuring_again_does_not_double_lines(settings: Settings, stream: io.StringIO) -> None:
    configure_logging(settings, process="web", stream=stream)
    logger.info("Once.")
    assert line(stream)["event"] == "Once."


def _fail_with_a_local() -> None:
    local = "kept-to-itself"
    try:
        raise ValueError("bad key sk-hunter2")
    except ValueError:
        logger.exception("Failed with %d letters.", len(local))
