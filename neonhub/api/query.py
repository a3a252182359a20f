"""Reads the parameters of a query: each once; others than ours are let be."""

from flask import Request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser


class QueryParser(FlaskParser):
    """Refuses a parameter that is given twice: one of its values would be ignored."""

    def load_querystring(self, req: Request, schema: Schema) -> dict[str, str]:
        """The parameters a schema knows, by name.

        Raises:
            ValidationError: One of them is given more than once.
        """
        known = {field.data_key or name for name, field in schema.load_fields.items()}
        given = {name: values for name, values in req.args.lists() if name in known}
        errors = {
            name: [f"It is given {len(values)} times; give it once."]
            for name, values in given.items()
            if len(values) > 1
        }
        if errors:
            raise ValidationError(errors)
        return {name: values[0] for name, values in given.items()}
