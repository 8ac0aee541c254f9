"""Schemas of DTDL as data schemas of the Web of Things, and back (TD 1.1, chapter 6.3.2)."""

from __future__ import annotations

from typing import Any

from gemel.core.document import Json
from gemel.interchange.building import free
from gemel.interchange.losses import Losses
from gemel.twins.dtdl.infer import name_for
from gemel.twins.dtdl.interface import Array, Enum, Map, Object, Schema
from gemel.twins.dtdl.schema import INTEGER_RANGES

DEEPEST = 8
FORMATS = {
    "date": "date",
    "dateTime": "date-time",
    "time": "time",
    "duration": "duration",
    "uuid": "uuid",
}
SCHEMA_OF_FORMAT = {form: kind for kind, form in FORMATS.items()}
LIMITS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern"),
    *("minLength", "maxLength", "minItems", "maxItems", "required", "default", "const"),
)
"""What a data schema may demand that a schema of DTDL cannot."""


def data_schema(schema: Schema, losses: Losses, place: str, depth: int = 0) -> Json:
    """What values of a schema look like in JSON."""
    if depth > DEEPEST:
        losses.approximated(place, f"what lies deeper than {DEEPEST} levels is not described")
        return {}
    if isinstance(schema, Enum):
        kind = "string" if schema.value_kind == "string" else "integer"
        return {
            "type": kind,
            "oneOf": [{"const": value, "title": name} for value, name in schema.values.items()],
        }
    if isinstance(schema, Object):
        fields = {
            name: data_schema(one, losses, f"{place}.{name}", depth + 1)
            for name, one in schema.fields.items()
        }
        return {"type": "object", "properties": fields}
    if isinstance(schema, Array):
        return {"type": "array", "items": data_schema(schema.element, losses, place, depth + 1)}
    if isinstance(schema, Map):
        inner = data_schema(schema.value, losses, place, depth + 1)
        return {"type": "object", "additionalProperties": inner}
    return _primitive(schema.kind, losses, place)


def _primitive(kind: str, losses: Losses, place: str) -> Json:
    if kind in INTEGER_RANGES:
        lowest, highest = INTEGER_RANGES[kind]
        return {"type": "integer", "minimum": lowest, "maximum": highest}
    if kind in ("double", "float"):
        return {"type": "number"}
    if kind == "boolean":
        return {"type": "boolean"}
    if kind in FORMATS:
        return {"type": "string", "format": FORMATS[kind]}
    if kind == "bytes":
        return {"type": "string", "contentEncoding": "base64"}
    if kind not in ("string", "decimal"):
        losses.approximated(place, f"'{kind}' is described as any value")
        return {}
    return {"type": "string"}


def schema_of(found: Json, losses: Losses, place: str, depth: int = 0) -> Any:
    """The schema of DTDL that takes the values of a data schema."""
    for name in LIMITS:
        if name in found and not _is_range(found, name):
            losses.dropped(f"{place}.{name}", "limits are no part of a model: they are settings")
    enum = _enum(found, losses, place)
    if enum is not None:
        return enum
    kind = found.get("type")
    if kind == "object" and depth < DEEPEST - 1:
        return _object(found, losses, place, depth)
    if kind == "array" and depth < DEEPEST - 1:
        items = found.get("items", {})
        inner = items[0] if isinstance(items, list) and items else items
        if isinstance(items, list):
            losses.approximated(place, "an array has elements of one schema: that of the first")
        return {
            "@type": "Array",
            "elementSchema": schema_of(
                inner if isinstance(inner, dict) else {}, losses, place, depth + 1
            ),
        }
    if kind == "string":
        if found.get("contentEncoding") == "base64":
            return "bytes"
        return SCHEMA_OF_FORMAT.get(str(found.get("format", "")), "string")
    plain = {"boolean": "boolean", "number": "double"}.get(str(kind))
    if plain:
        return plain
    if kind == "integer":
        return _integer(found)
    losses.approximated(place, f"values of type '{kind}' are taken as text")
    return "string"


def _is_range(found: Json, name: str) -> bool:
    """Whether a limit only says how large a number of this type can be."""
    if name not in ("minimum", "maximum"):
        return False
    return (found.get("minimum"), found.get("maximum")) in INTEGER_RANGES.values()


def _integer(found: Json) -> str:
    limits = (found.get("minimum"), found.get("maximum"))
    return next((kind for kind, known in INTEGER_RANGES.items() if known == limits), "long")


def _enum(found: Json, losses: Losses, place: str) -> Json | None:
    """Named values, where there is a list of texts or of whole numbers."""
    listed = [
        (one["const"], one.get("title", one["const"]))
        for one in found.get("oneOf", ())
        if isinstance(one, dict) and "const" in one
    ]
    if len(listed) != len(found.get("oneOf", ())):
        losses.approximated(place, "of several schemas any value is taken")
        return None
    listed = listed or [(one, one) for one in found.get("enum", ())]
    if not listed:
        return None
    is_text = all(isinstance(value, str) for value, _ in listed)
    if not is_text and not all(type(value) is int for value, _ in listed):
        losses.approximated(place, "an enum has texts or whole numbers: any value is taken")
        return None
    values: dict[str, Any] = {}
    for value, title in listed:
        values[free(name_for(str(title), "value"), values)] = value
    return {
        "@type": "Enum",
        "valueSchema": "string" if is_text else "integer",
        "enumValues": [{"name": name, "enumValue": value} for name, value in values.items()],
    }


def _object(found: Json, losses: Losses, place: str, depth: int) -> Any:
    held = found.get("properties") or {}
    more = found.get("additionalProperties")
    if not held:
        if not isinstance(more, dict):
            losses.approximated(place, "an object of unknown fields is a map of texts")
        inner = schema_of(more, losses, place, depth + 1) if isinstance(more, dict) else "string"
        return {
            "@type": "Map",
            "mapKey": {"name": "key", "schema": "string"},
            "mapValue": {"name": "value", "schema": inner},
        }
    fields: dict[str, Any] = {}
    for name, one in held.items():
        short = free(name_for(name, "field"), fields)
        if short != name:
            losses.changed(f"{place}.{name}", f"the name is '{short}' here")
        inner = one if isinstance(one, dict) else {}
        fields[short] = schema_of(inner, losses, f"{place}.{name}", depth + 1)
    return {"@type": "Object", "fields": [{"name": n, "schema": s} for n, s in fields.items()]}
