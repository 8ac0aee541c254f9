"""Parameters against the part of JSON Schema from which a form can be made.

Known: `type` (object, array, string, number, integer, boolean), `properties`, `required`, `items`,
`enum`, `minimum`, `maximum`, `exclusiveMinimum`, `minItems`, `maxItems`, `default`, and for people
`title`, `description`, `examples` and `unit`. `nullable` allows null.
"""

from __future__ import annotations

import math
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}
WORDS = {
    "type", "properties", "required", "items", "enum", "minimum", "maximum", "exclusiveMinimum",
    "minItems", "maxItems", "default", "title", "description", "examples", "unit", "nullable",
    "additionalProperties",
}  # fmt: skip


def completed(schema: Json, given: Any, place: str = "parameters") -> Json:
    """The parameters with defaults filled in.

    Raises:
        InvalidInput: names the place, the rule and what would do.
    """
    if given is None:
        given = {}
    found = _checked(schema, given, place)
    assert isinstance(found, dict)
    return found


def problems(schema: Any, place: str = "schema") -> list[str]:
    """What a schema has that is not understood here; for the laws of services."""
    if not isinstance(schema, dict):
        return [f"{place} is no object"]
    found = [f"{place}.{word} is not known" for word in schema if word not in WORDS]
    if schema.get("type") not in TYPES:
        found.append(f"{place}.type is not known")
    for name, inner in schema.get("properties", {}).items():
        found += problems(inner, f"{place}.{name}")
    if "items" in schema:
        found += problems(schema["items"], f"{place}[]")
    return found


def _checked(schema: Json, value: Any, place: str) -> Any:
    if value is None and schema.get("nullable"):
        return None
    kind = schema.get("type", "object")
    is_flag = isinstance(value, bool) and kind != "boolean"
    if is_flag or not isinstance(value, TYPES[kind]):
        if kind == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        else:
            raise InvalidInput(f"{place} must be of type {kind}, not {str(value)[:60]!r}")
    if "enum" in schema and value not in schema["enum"]:
        raise InvalidInput(
            f"{place}: there is no {value!r}", hint="one of: " + ", ".join(map(str, schema["enum"]))
        )
    if kind == "object":
        return _object(schema, value, place)
    if kind == "array":
        return _array(schema, value, place)
    if kind in ("number", "integer"):
        _check_range(schema, value, place)
    return value


def _object(schema: Json, value: Json, place: str) -> Json:
    known: dict[str, Json] = schema.get("properties", {})
    if not known and schema.get("additionalProperties", True):
        return value
    for name in value:
        if name not in known:
            raise InvalidInput(
                f"{place}: there is no '{name}'", hint="known: " + ", ".join(known) or "none"
            )
    found: Json = {}
    for name, inner in known.items():
        if name in value:
            found[name] = _checked(inner, value[name], f"{place}.{name}")
        elif "default" in inner:
            found[name] = inner["default"]
        elif name in schema.get("required", ()):
            raise InvalidInput(f"{place}: needs '{name}'", hint=inner.get("description", ""))
    return found


def _array(schema: Json, value: list[Any], place: str) -> list[Any]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", 100_000)
    if not least <= len(value) <= most:
        raise InvalidInput(f"{place} must have {least} to {most} entries, not {len(value)}")
    items = schema.get("items")
    if items is None:
        return value
    return [_checked(items, one, f"{place}[{i}]") for i, one in enumerate(value)]


def _check_range(schema: Json, value: float, place: str) -> None:
    if not math.isfinite(value):
        raise InvalidInput(f"{place} must be a finite number")
    if value < schema.get("minimum", -math.inf) or value > schema.get("maximum", math.inf):
        low, high = schema.get("minimum", "any"), schema.get("maximum", "any")
        raise InvalidInput(f"{place} is {value:g}", hint=f"from {low} to {high}")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        raise InvalidInput(f"{place} is {value:g}", hint=f"above {schema['exclusiveMinimum']}")
