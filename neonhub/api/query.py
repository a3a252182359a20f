"""Reads the parameters of a query: known ones, each once."""

from flask import Request, g, request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser, abort

_CHECKED = "query_is_checked"


class QueryParser(FlaskParser):
    """Refuses parameters that would be ignored: they were meant to do something."""

    def load_querystring(self, req: Request, schema: Schema) -> dict[str, str]:
        """The parameters of a request by name."""
        setattr(g, _CHECKED, True)
        known = [field.data_key or name for name, field in schema.load_fields.items()]
        errors = _errors(req, known)
        if errors:
            raise ValidationError(errors)
        return req.args.to_dict()


def refuse_unread_query() -> None:
    """Refuse parameters of a call of the API that has none."""
    if request.args and not g.get(_CHECKED) and request.path.startswith("/api/"):
        abort(422, messages={"query": _errors(request, [])})


def _errors(req: Request, known: list[str]) -> dict[str, list[str]]:
    allowed = f"allowed are {', '.join(known)}" if known else "none is allowed here"
    errors = {}
    for name, values in req.args.lists():
        if name not in known:
            errors[name] = [f"Unknown parameter; {allowed}."]
        elif len(values) > 1:
            errors[name] = [f"It is given {len(values)} times; give it once."]
    return errors
