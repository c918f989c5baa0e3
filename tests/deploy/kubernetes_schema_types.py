"""Parts of JSON schemas of custom resources."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

ANYTHING: Schema = {}
STRING: Schema = {"type": "string"}
DURATION: Schema = {"type": "string", "pattern": r"^(\d+(ms|s|m|h|d))+$"}
SIZE: Schema = {"type": "string", "pattern": r"^\d+(B|KB|MB|GB|KiB|MiB|GiB)$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NAME: Schema = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}


def of(required: str = "", **fields: Schema) -> Schema:
    """Returns the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": fields,
        "required": required.split(),
    }


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


STRINGS: Schema = {"type": "object", "additionalProperties": STRING}
METADATA = of("name namespace", name=NAME, namespace=NAME, labels=STRINGS, annotations=STRINGS)


def resource(kind: str, api: str, spec: Schema) -> Schema:
    return of(
        "apiVersion kind metadata spec",
        apiVersion={"const": api},
        kind={"const": kind},
        metadata=METADATA,
        spec=spec,
    )
