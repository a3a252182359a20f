"""A blueprint whose every operation documents the errors any request can get."""

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flask_smorest import Blueprint as SmorestBlueprint

from neonhub.api.body import BodyParser
from neonhub.api.document import example_of, meaning_of
from neonhub.api.schemas.base import CamelSchema
from neonhub.api.schemas.errors import ErrorSchema

View = TypeVar("View")


class Same(Protocol):
    """A decorator that keeps the type of what it decorates."""

    def __call__(self, view: View, /) -> View:
        """Decorate a view."""
        ...


_ANY = (403, 500, 503)
LOCATION_HEADER = {
    "Location": {
        "required": True,
        "schema": {"type": "string"},
        "description": "Its address",
        "example": "/api/sessions/01a209fe2c717d4fb7e329746fcf1024",
    }
}
RETRY_AFTER_HEADER = {
    "Retry-After": {
        "required": True,
        "schema": {"type": "integer"},
        "description": "Seconds",
        "example": 2,
    }
}
_HEADERS = {429: RETRY_AFTER_HEADER, 503: RETRY_AFTER_HEADER}


class Blueprint(SmorestBlueprint):  # type: ignore[misc]
    """flask-smorest's, with our parser and our errors."""

    ARGUMENTS_PARSER = BodyParser()

    def arguments(self, schema: CamelSchema | type[CamelSchema], **options: Any) -> Same:
        """Parse and check what a request carries; a class would be made anew for each of them."""
        one = schema() if isinstance(schema, type) else schema
        decorator: Same = super().arguments(one, **options)
        return decorator

    if TYPE_CHECKING:  # flask-smorest has no types; these are the ones its decorators keep

        def response(self, status_code: int, schema: Any = None, **options: Any) -> Same:
            """Document and write an answer."""

        def alt_response(self, status_code: int, **options: Any) -> Same:
            """Document another answer."""

        def doc(self, **options: Any) -> Same:
            """Document whatever else."""

        def route(self, rule: str, **options: Any) -> Same:
            """Serve a view."""

    def fails(self, *codes: int, always: tuple[int, ...] = _ANY) -> Same:
        """Document the errors of an operation, besides those every one can have."""

        def decorate(view: View) -> View:
            for code in sorted({*codes, *always}, reverse=True):
                view = self.alt_response(
                    code,
                    schema=ErrorSchema,
                    description=meaning_of(code),
                    example=example_of(code),
                    headers=_HEADERS.get(code),
                    success=False,
                )(view)
            return view

        return decorate


BODY_ERRORS = (400, 413, 415, 422)
"""What a body can be answered with."""
