"""JSON schemas of typed dictionaries: named ones become components, generic ones stand inline."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NotRequired,
    TypedDict,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, Any]
Row = TypeVar("Row")
Value = Any
"""Any JSON."""

OTHERS = "*"
"""The field that stands for all those that are not named."""

PLAIN: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    NoneType: "null",
}


class Rows(TypedDict, Generic[Row]):
    value: list[Row]


class Pages(TypedDict, Generic[Row]):
    value: list[Row]
    cursor: Annotated[str | None, "Of the next page; null on the last."]


class PageOf(TypedDict, Generic[Row]):
    value: list[Row]
    total: int
    offset: Annotated[int, "How many rows come before."]
    cursor: Annotated[str | None, "Of the next page; null on the last."]


class Cut(TypedDict, Generic[Row]):
    value: list[Row]
    total: int
    cursor: Annotated[str | None, "Of the next page; null on the last."]


def schema_of(kind: Any, components: dict[str, Schema]) -> Schema:
    """The schema of a type; what has a name is put into `components` and referred to.

    Raises:
        TypeError: JSON has no such type.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if origin is Annotated:
        return {**schema_of(inner[0], components), "description": inner[1]}
    if origin is Literal:
        return {"type": "string", "enum": list(inner)}
    if origin is tuple:
        row = [schema_of(one, components) for one in inner]
        return {"type": "array", "prefixItems": row, "minItems": len(row), "maxItems": len(row)}
    if origin is list:
        return {"type": "array", "items": schema_of(inner[0], components)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(inner[1], components)}
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(one, components) for one in inner]}
    if origin is not None and is_typeddict(origin):
        return _object(origin, inner[0], components)
    if is_typeddict(kind):
        name = kind.__name__
        if name not in components:
            components[name] = {}
            components[name] = _object(kind, None, components)
        return {"$ref": f"#/components/schemas/{name}"}
    raise TypeError(f"JSON has no {kind!r}")


def _object(kind: Any, row: Any, components: dict[str, Schema]) -> Schema:
    properties: dict[str, Schema] = {}
    required = []
    rest: Schema | None = None
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name == OTHERS:
            rest = schema_of(get_args(hint)[0], components)
            continue
        needed = get_origin(hint) is not NotRequired
        field = hint if needed else get_args(hint)[0]
        if row is not None:
            field = list[row] if field == list[Row] else field  # type: ignore[valid-type]
        properties[name] = schema_of(field, components)
        if needed:
            required.append(name)
    found: Schema = {"type": "object", "properties": properties, "required": required}
    if rest is not None:
        found["additionalProperties"] = rest
    if row is None and kind.__doc__:
        found["description"] = kind.__doc__.splitlines()[0]
    return found
