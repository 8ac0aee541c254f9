"""Properties and telemetry in GraphQL: value, time, quality, unit, and history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLString,
)

from gemel.api.bodies import read_time
from gemel.api.graphql_parts import JSON, Part, Value, caller_of, graph_of, listing
from gemel.app.values import typed
from gemel.core.clock import to_iso
from gemel.core.errors import InvalidInput
from gemel.core.quality import is_bad
from gemel.core.units import symbol
from gemel.twins.dtdl.interface import Property, Telemetry
from gemel.twins.dtdl.schema import INTEGER_RANGES, Schema

if TYPE_CHECKING:
    Info = GraphQLResolveInfo[Any]


MOST_PIXELS = 4_000
SMALL_INTEGERS = frozenset({"integer", "byte", "short", "unsignedByte", "unsignedShort"})


LONG = GraphQLScalarType("Long", description="A whole number of up to 64 bits.")
DECIMAL = GraphQLScalarType("Decimal", description="A number, or its digits as a text.")


def scalar_of(schema: Schema) -> GraphQLScalarType:
    if schema.kind == "boolean":
        return GraphQLBoolean
    if schema.kind in SMALL_INTEGERS:
        return GraphQLInt
    if schema.kind in INTEGER_RANGES:
        return LONG
    if schema.kind == "decimal":
        return DECIMAL
    if schema.kind in ("double", "float"):
        return GraphQLFloat
    if schema.kind in ("object", "array", "map", "enum", "point", "polygon"):
        return JSON
    return GraphQLString


def value_types() -> dict[str, GraphQLObjectType]:
    found = {}
    for scalar in (GraphQLBoolean, GraphQLInt, LONG, DECIMAL, GraphQLFloat, GraphQLString, JSON):
        found[scalar.name] = GraphQLObjectType(
            f"{scalar.name}Value",
            {
                "value": GraphQLField(scalar),
                "time": GraphQLField(GraphQLString, resolve=lambda v, _: _iso(v.time)),
                "quality": GraphQLField(
                    GraphQLString,
                    resolve=lambda v, _: (
                        "bad" if is_bad(v.quality) else "uncertain" if v.quality else "good"
                    ),
                ),
                "unit": GraphQLField(GraphQLString),
                "history": GraphQLField(
                    HISTORY,
                    {
                        "from": GraphQLArgument(GraphQLString, "-1h", out_name="start"),
                        "to": GraphQLArgument(GraphQLString, "now", out_name="end"),
                        "pixels": GraphQLArgument(GraphQLInt, 300),
                    },
                    resolve=_history,
                    description="First, last, lowest and highest reading of each pixel (M4).",
                ),
            },
            description="A value with when it was true and how good it is.",
        )
    return found


def _iso(time: int) -> str | None:
    return to_iso(time) if time else None


HISTORY = GraphQLObjectType(
    "History",
    {
        "time": GraphQLField(listing(GraphQLString)),
        "value": GraphQLField(GraphQLNonNull(GraphQLList(GraphQLFloat))),
    },
)


async def _history(value: Value, info: Info, start: str, end: str, pixels: int) -> Any:
    caller = caller_of(info)
    caller.require("history:read")
    platform = caller.platform
    now = platform.clock()
    begin, stop = read_time(start, now, "from"), read_time(end, now, "to")
    if begin >= stop or not 1 <= pixels <= MOST_PIXELS:
        raise InvalidInput("from must lie before to, pixels from 1", hint=f"at most {MOST_PIXELS}")
    series = platform.series.find(value.twin, value.path)
    if series is None:
        return {"time": [], "value": []}
    found = await asyncio.to_thread(platform.history.downsample, series, begin, stop, pixels)
    values = [None if v != v else v for v in found.value.tolist()]
    return {"time": [to_iso(t) for t in found.time.tolist()], "value": values}


def value_resolver(content: Property | Telemetry) -> Callable[[Part, Info], Value | None]:
    unit = symbol(content.unit) if content.unit else ""

    def resolve(part: Part, info: Info) -> Value | None:
        platform = caller_of(info).platform
        path, twin = part.prefix + content.name, part.twin.id
        found: Value | None = None
        series = platform.series.find(twin, path)
        state = platform.state if part.then is None else part.then.values
        last = None if series is None else state.get(series)
        if last is not None:
            value = typed(last.value, last.text, content.schema.kind)
            found = Value(twin, path, unit, value, last.time, last.quality)
        if isinstance(content, Property):
            stored = graph_of(info, part.then).stored_values(twin).get(path)
            if stored is not None and (found is None or stored[1] >= found.time):
                found = Value(twin, path, unit, stored[0], stored[1], 0)
        return found

    return resolve
