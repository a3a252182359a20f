"""What reaches Sentry, and what does not."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from neonhub.config import load_settings
from neonhub.observability.error_reports import (
    flush_error_reports,
    report_error,
    start_error_reports,
)


class Mailbox(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        if event is not None:
            self.events.append(dict(event))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Reports are on, and end here."""
    mailbox = Mailbox()
    settings = load_settings(
        {"SENTRY_DSN": "https://key@sentry.invalid/1", "OPENAI_API_KEY": "sk-hunter2"}
    )
    options = {"default_integrations": False, "auto_enabling_integrations": False}
    assert start_error_reports(settings, process="pool", transport=mailbox, **options)
    yield mailbox
    sentry_sdk.init()


def test_without_an_address_nothing_is_reported() -> None:
    assert not start_error_reports(load_settings({}), process="web")
    report_error(ValueError("nobody hears"))


def test_a_report_has_the_stack_and_what_to_find_it_by(mailbox: Mailbox) -> None:
    _report("secret-in-a-local")
    (event,) = mailbox.events
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "broken")
    assert exception["stacktrace"]["frames"][-1]["function"] == "_report"
    assert event["tags"] == {"process": "pool", "session_id": "s1"}
    assert event["release"].startswith("neonhub@")


def test_a_report_has_no_local_variables(mailbox: Mailbox) -> None:
    _report("secret-in-a-local")
    assert "secret-in-a-local" not in json.dumps(mailbox.events, default=str)


def test_a_report_masks_secrets(mailbox: Mailbox) -> None:
    sentry_sdk.add_breadcrumb(message="called with sk-hunter2")
    report_error(ValueError("no such key: sk-hunter2"))
    assert "hunter2" not in json.dumps(mailbox.events, default=str)
    assert mailbox.events[0]["exception"]["values"][0]["value"] == "no such key: ****"


def test_tags_of_one_report_are_not_on_the_next(mailbox: Mailbox) -> None:
    report_error(ValueError("first"), session_id="s1")
    report_error(KeyError("second"))
    flush_error_reports()
    assert mailbox.events[1]["tags"] == {"process": "pool"}


def test_logging_works_as_before(mailbox: Mailbox) -> None:
    logging.getLogger("neonhub.test").info("Fine.")
    assert mailbox.events == []


def _report(local: str) -> None:
    try:
        raise ValueError("broken" if local else "")
    except ValueError as error:
        report_error(error, session_id="s1")
