"""Versions as ETags: `If-Match` is optional, and refuses the one who lost."""

from collections.abc import Collection

from flask import request

from neonhub.errors import VersionMismatch

ANY_VERSION = range(1, 2**63)


def etag_of(version: int) -> str:
    """A version as the `ETag` header has it."""
    return f'"{version}"'


def if_match() -> Collection[int] | None:
    """The versions a request takes as the present one; None where it does not say.

    Raises:
        VersionMismatch: The header names no version of ours, so none can be the present one.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return None
    if header.strip() == "*":
        return ANY_VERSION
    found = frozenset(int(number) for number in map(_number, header.split(",")) if number)
    if not found:
        raise VersionMismatch(f"If-Match is {header!r}: it must be the ETag you read, or *.")
    return found


def _number(tag: str) -> str | None:
    number = tag.strip().removeprefix("W/").strip('"')
    return number if number.isascii() and number.isdigit() and len(number) <= 18 else None


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
    "description": "The `ETag` that was read, or several: 412 if the schedule has another now. `*` "
    "takes any, but there must be one. An empty one is 412.",
}
