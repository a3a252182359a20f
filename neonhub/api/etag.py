"""Versions as ETags: `If-Match` is optional, and refuses the one who lost."""

from flask import request

from neonhub.errors import VersionMismatch


def etag_of(version: int) -> str:
    """A version as the `ETag` header has it."""
    return f'"{version}"'


def if_match() -> int | None:
    """The version a request insists on; None for any.

    Raises:
        VersionMismatch: The header is no version of ours, so it can't be the current one.
    """
    wanted = request.headers.get("If-Match", "").strip()
    if wanted in ("", "*"):
        return None
    number = wanted.removeprefix("W/").strip('"')
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise VersionMismatch(f"If-Match is {wanted!r}: it must be the ETag you read.")
    return int(number)


ETAG_HEADER = {
    "ETag": {
        "required": True,
        "schema": {"type": "string"},
        "description": "The version, for `If-Match`",
        "example": '"3"',
    }
}
IF_MATCH_PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "schema": {"type": "string"},
    "example": '"3"',
    "description": "The `ETag` that was read: 412 if the schedule has changed since.",
}
