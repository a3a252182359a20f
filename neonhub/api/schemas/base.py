"""What all schemas share: camelCase names, strict types, instants with a zone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from marshmallow import RAISE, Schema, ValidationError, fields

from neonhub.domain.instant import text_of


def camel_case(name: str) -> str:
    """`next_run_at` → `nextRunAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def about(description: str, example: Any = None) -> dict[str, Any]:
    """What the document says of a field; an instant brings an example of its own."""
    return {"description": description} | ({} if example is None else {"example": example})


_PLAIN = (fields.String, fields.Integer, fields.Float, fields.Boolean, fields.Dict, fields.Raw)
"""Fields whose values are JSON as views give them."""


class CamelSchema(Schema):
    """snake_case in Python, camelCase outside; unknown fields of a body are refused."""

    class Meta:
        """Unknown fields are errors."""

        unknown = RAISE

    error_messages = {"type": "The body must be a JSON object."}  # noqa: RUF012 (as marshmallow has it)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name the field as clients write it."""
        field_obj.data_key = camel_case(field_obj.data_key or field_name)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Write what a view gives; no schema of ours has hooks, or defaults of an answer.

        marshmallow's own way asks for those at each field of each row.
        """
        if self.many if many is None else many:
            return [self._written(each) for each in obj]
        return self._written(obj)

    def _written(self, obj: Any) -> dict[str, Any]:
        found = obj if isinstance(obj, dict) else _Attributes(obj)
        written = {key: found[name] for name, key in self._names if name in found}
        for key, write in self._writers:
            if written.get(key) is not None:
                written[key] = write(written[key], key, obj)
        return written

    @cached_property
    def _names(self) -> list[tuple[str, str]]:
        """Of each field: where its value is found, and what clients call it."""
        return [
            (field.attribute or name, field.data_key or name)
            for name, field in self.dump_fields.items()
        ]

    @cached_property
    def _writers(self) -> list[tuple[str, Callable[..., Any]]]:
        """Of each field that is not sent as it is: what clients call it, and how it is written."""
        return [
            (field.data_key or name, field._serialize)
            for name, field in self.dump_fields.items()
            if not isinstance(field, _PLAIN)
        ]

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Itself: it never changes, and flask-smorest copies what a view says at each decorator.

        The copies took 6 MB and half a second of each start.
        """
        return self


class _Attributes:
    """What an object has, as a mapping of its names."""

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def __contains__(self, name: str) -> bool:
        return hasattr(self._obj, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self._obj, name)


class NoFields(CamelSchema):
    """Nothing: the call needs no body, and takes no other than `{}`."""


class Instant(fields.Field[datetime]):
    """An RFC 3339 instant with a zone; written in UTC with `Z`."""

    def __init__(self, **options: Any) -> None:
        metadata = {"type": "string", "format": "date-time", **options.pop("metadata", {})}
        metadata.setdefault("example", "2026-03-08T07:00:00Z")
        super().__init__(metadata=metadata, **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else to_text(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> datetime:
        try:
            instant = datetime.fromisoformat(str.upper(value))  # RFC 3339 allows `t` and `z`
        except (TypeError, ValueError):
            raise ValidationError(
                f"{value!r} is not an instant such as 2026-03-08T07:00:00Z."
            ) from None
        if instant.tzinfo is None:
            raise ValidationError(f"{value!r} has no zone; add Z or an offset.")
        try:
            return instant.astimezone(UTC)
        except OverflowError:
            raise ValidationError(f"{value!r} is outside the years 1 to 9999.") from None


class StrictInteger(fields.Integer):
    """A JSON number without fraction; neither text nor true."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> int:
        if isinstance(value, float) and value.is_integer():
            return int(value)  # to JSON, 3.0 is the same number as 3
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError(f"{value!r} is not a whole number.")
        return value


class StrictBoolean(fields.Boolean):
    """`true` or `false`, nothing that looks like it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(f"{value!r} is neither true nor false.")
        return value


def json_object(**options: Any) -> fields.Dict:
    """A field for any JSON object."""
    metadata = {"additionalProperties": True, **options.pop("metadata", {})}
    return fields.Dict(keys=fields.String(), metadata=metadata, **options)


def to_text(instant: datetime) -> str:
    """RFC 3339 in UTC with `Z`; a fraction only where there is one."""
    return text_of(instant.astimezone(UTC))
