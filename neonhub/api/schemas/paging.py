"""Lists come in pages."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from neonhub.api.schemas.base import CamelSchema, Instant

_DIGITS = re.compile(r"-?[0-9]+")
_MAX_DIGITS = 18
"""Of a number that is read; a longer one is out of any range."""


class QueryInteger(fields.Integer):
    """A number in plain digits; Python's own reading takes `1_0` and other scripts' digits too."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> int:
        if not _DIGITS.fullmatch(str(value)):
            raise ValidationError(f"{value!r} is not a whole number.")
        return int(str(value)[: _MAX_DIGITS + 1])


class QueryInstant(Instant):
    """An instant in an address, where a `+` means a blank."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> datetime:
        try:
            return super()._deserialize(value, attr, data, **options)
        except ValidationError as error:
            if re.search(r"\d \d\d:?\d\d\Z", str(value)):
                hint = "In an address, write the + of an offset as %2B."
                raise ValidationError(f"{error.messages[0]} {hint}") from None
            raise


class PageQuery(CamelSchema):
    """Which page of a list."""

    page = QueryInteger(
        load_default=1,
        validate=validate.Range(min=1, max=1_000_000),
        metadata={"description": "Page, from 1", "example": 1},
    )
    page_size = QueryInteger(
        load_default=50,
        validate=validate.Range(min=1, max=100),
        metadata={"description": "Items on a page, 1 to 100", "example": 50},
    )


def page_of(
    item: type[CamelSchema], name: str, *, total: str = "Items on all pages together"
) -> type[CamelSchema]:
    """The schema of a page of items.

    Args:
        name: What the schema is called in the OpenAPI document.
        total: What the document says of it.
    """
    size = {"description": "Items asked for", "example": 50}
    attributes: dict[str, Any] = {
        "__doc__": "One page of a list.",
        "items": fields.List(
            fields.Nested(item), required=True, metadata={"description": "What is on it"}
        ),
        "page": fields.Integer(required=True, metadata={"description": "This page", "example": 1}),
        "page_size": fields.Integer(required=True, metadata=size),
        "total": fields.Integer(required=True, metadata={"description": total, "example": 123}),
    }
    schema = CamelSchema.from_dict(attributes, name=name)
    return schema  # type: ignore[return-value]
