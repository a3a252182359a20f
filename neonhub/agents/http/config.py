"""The settings of an agent of kind `http`."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range

from neonhub.agents.configs import Number, load_config

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MEBIBYTE = 1024 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_OURS = frozenset({"connection", "content-length", "host", "te", "trailer", "transfer-encoding"})


def check_url(url: str) -> None:
    """Refuse what cannot be called.

    Raises:
        ValidationError: The reason.
    """
    if _CONTROL.search(url):
        raise ValidationError("Must not contain spaces or control characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise ValidationError(f"Not a URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValidationError("Must be a URL that begins with http:// or https://, with a host.")
    if "@" in parts.netloc:
        raise ValidationError("Must not hold a user name or password; use a header.")


def _check_header_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValidationError("Not a header's name.")
    if name.lower() in _OURS:
        raise ValidationError("NeonHub sets this header itself.")


def _check_header_value(value: str) -> None:
    if any(ord(c) > 255 or (ord(c) < 32 and c != "\t") or ord(c) == 127 for c in value):
        raise ValidationError("Must be Latin-1 text without line breaks or control characters.")


class _ExpectedStatus(fields.Field[tuple[int, ...]]):
    """One HTTP status or a list of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[int, ...]:
        statuses = value if isinstance(value, list) else [value]
        if not statuses or not all(type(s) is int and 200 <= s <= 599 for s in statuses):
            raise ValidationError("Must be a status from 200 to 599, or a list of them.")
        return tuple(statuses)


class HttpConfigSchema(Schema):
    """What is checked when such an agent is created or changed, and again when it runs."""

    url = fields.String(required=True, validate=[Length(max=8000), check_url])
    method = fields.String(load_default="GET", validate=OneOf(METHODS))
    headers = fields.Dict(
        keys=fields.String(validate=_check_header_name),
        values=fields.String(validate=_check_header_value),
        load_default=dict,
        validate=Length(max=100),
    )
    body = fields.Raw(load_default=None, allow_none=True)
    timeout_seconds = Number(
        data_key="timeoutSeconds", load_default=30.0, validate=Range(min=0.1, max=3600)
    )
    max_bytes = fields.Integer(
        strict=True,
        data_key="maxBytes",
        load_default=MEBIBYTE,
        validate=Range(min=1, max=10 * MEBIBYTE),
    )
    expected_status = _ExpectedStatus(data_key="expectedStatus", load_default=None)


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """One call, as configured."""

    url: str
    method: str
    headers: Mapping[str, str]
    body: Any  # text as it is, None for none, anything else as JSON
    timeout_seconds: float
    max_bytes: int
    expected_status: Sequence[int] | None  # None: any from 200 to 299

    @classmethod
    def read(cls, config: dict[str, Any]) -> "HttpConfig":
        """Read and check a config overlaid with an input.

        Raises:
            NonRetryableError: A field is wrong.
        """
        return cls(**load_config(HttpConfigSchema, config))

    def expects(self, status: int) -> bool:
        """Whether an answer of this status is a success."""
        if self.expected_status is None:
            return 200 <= status <= 299
        return status in self.expected_status

    def content(self) -> tuple[bytes | None, str | None]:
        """The body's bytes and its default content type; None for no body."""
        if self.body is None:
            return None, None
        if isinstance(self.body, str):
            return self.body.encode(errors="replace"), "text/plain; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json"
