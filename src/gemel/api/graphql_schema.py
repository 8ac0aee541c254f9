"""The GraphQL schema of the models there are: a type for each interface, resolved from memory.

Every resolver is given the platform as the caller may see it, so that policies hold here as over
REST. A twin is resolved from the graph, its values from the state: no field asks a database, so a
list of twins with their values costs no request for each.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
)

from gemel.api.bodies import read_time
from gemel.api.moments import AS_OF, asked_in
from gemel.app.past import Moment, Then
from gemel.app.values import typed
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Forbidden, InvalidInput
from gemel.core.quality import is_bad
from gemel.core.units import symbol
from gemel.twins.dtdl.interface import Component, Interface, Property, Telemetry
from gemel.twins.dtdl.schema import INTEGER_RANGES, Schema
from gemel.twins.graph import Graph
from gemel.twins.records import Link, Twin
from gemel.twins.relationship_edits import delete_relationship, put_relationship
from gemel.twins.twin_edits import patch_twin

if TYPE_CHECKING:
    from gemel.app.platform import Platform

    Info = GraphQLResolveInfo[Any]

LARGEST_PAGE = 500
DEFAULT_PAGE = 100
MOST_PIXELS = 4_000
SMALL_INTEGERS = frozenset({"integer", "byte", "short", "unsignedByte", "unsignedShort"})
RESERVED = frozenset({"id", "model", "name", "etag", "relationships", "incoming", "alarms"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the platform as they may see it."""

    platform: Platform
    who: Principal

    def require(self, permission: str) -> None:
        if not self.who.allows(permission):
            raise Forbidden(
                f"role '{self.who.role}' lacks the permission {permission}",
                hint="ask an admin for a token with another role",
            )


@dataclass(frozen=True, slots=True)
class Part:
    """A twin, or a component of one."""

    twin: Twin
    prefix: str = ""
    then: Then | None = None
    """The moment that is asked about; None is now."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship, of now or of a moment."""

    link: Link
    then: Then | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """One property or telemetry of a twin."""

    twin: str
    path: str
    unit: str
    value: object
    time: int
    quality: int


JSON = GraphQLScalarType("JSON", description="Any JSON value.")
Types = dict[str, GraphQLObjectType]


def _caller(info: Info) -> Caller:
    found: Caller = info.context
    return found


def _graph(info: Info, then: Then | None) -> Graph:
    return _caller(info).platform.graph if then is None else then.graph


def _moment(info: Info, asked: Json) -> Moment | None:
    """The moment of the arguments `asOf` and `recordedAsOf`; None is now."""
    return asked_in(_caller(info).platform, {n: v for n, v in asked.items() if v is not None})


async def _then(info: Info, asked: Json) -> Then | None:
    moment = _moment(info, asked)
    return None if moment is None else await _caller(info).platform.moments.then(moment)


def _list(of: Any) -> GraphQLNonNull[Any]:
    return GraphQLNonNull(GraphQLList(GraphQLNonNull(of)))


def _size(first: int) -> int:
    if not 1 <= first <= LARGEST_PAGE:
        raise InvalidInput(f"first: {first}", hint=f"1 to {LARGEST_PAGE}")
    return first


# ---- values ----------------------------------------------------------------------------------


def _scalar(schema: Schema) -> GraphQLScalarType:
    if schema.kind == "boolean":
        return GraphQLBoolean
    if schema.kind in SMALL_INTEGERS:
        return GraphQLInt
    if schema.kind in ("double", "float", "decimal") or schema.kind in INTEGER_RANGES:
        return GraphQLFloat
    if schema.kind in ("object", "array", "map", "enum", "point", "polygon"):
        return JSON
    return GraphQLString


def _value_types() -> dict[str, GraphQLObjectType]:
    found = {}
    for scalar in (GraphQLBoolean, GraphQLInt, GraphQLFloat, GraphQLString, JSON):
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
        "time": GraphQLField(_list(GraphQLString)),
        "value": GraphQLField(GraphQLNonNull(GraphQLList(GraphQLFloat))),
    },
)


async def _history(value: Value, info: Info, start: str, end: str, pixels: int) -> Any:
    caller = _caller(info)
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


def _value_of(content: Property | Telemetry) -> Callable[[Part, Info], Value | None]:
    unit = symbol(content.unit) if content.unit else ""

    def resolve(part: Part, info: Info) -> Value | None:
        platform = _caller(info).platform
        path, twin = part.prefix + content.name, part.twin.id
        found: Value | None = None
        series = platform.series.find(twin, path)
        state = platform.state if part.then is None else part.then.values
        last = None if series is None else state.get(series)
        if last is not None:
            value = typed(last.value, last.text, content.schema.kind)
            found = Value(twin, path, unit, value, last.time, last.quality)
        if isinstance(content, Property):
            stored = _graph(info, part.then).stored_values(twin).get(path)
            if stored is not None and (found is None or stored[1] >= found.time):
                found = Value(twin, path, unit, stored[0], stored[1], 0)
        return found

    return resolve


# ---- types of models -------------------------------------------------------------------------


def type_names(graph: Graph) -> dict[str, str]:
    """A name for each model: the last part of its id, with the version where two would be alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for model in sorted(graph.model_ids()):
        path, _, version = model.partition(";")
        last = re.sub(r"\W", "_", path.rsplit(":", 1)[-1])
        name = last[:1].upper() + last[1:]
        if name in taken or name in BUILT_IN or name.startswith("_"):
            whole = re.sub(r"\W", "_", path.removeprefix("dtmi:"))
            name = f"{whole}_{re.sub(r'[^0-9a-zA-Z]', '_', version) or '0'}"
        taken.add(name)
        found[model] = name
    return found


BUILT_IN = frozenset(
    {"Query", "Mutation", "Twin", "Relationship", "History", "JSON", "String", "Int", "Float"}
    | {"Boolean", "ID", "TwinPage", "BooleanValue", "IntValue", "FloatValue", "StringValue"}
    | {"JSONValue", "Subscription", "ChangedValue"}
)


def build(
    graph: Graph, subscriptions: Callable[[GraphQLInterfaceType], dict[str, GraphQLField]]
) -> GraphQLSchema:
    """The schema of the models in a graph.

    Args:
        graph: has the models.
        subscriptions: gives the fields of what can be subscribed to, from the type of twins.
    """
    names = type_names(graph)
    values = _value_types()
    types: Types = {}
    parts: Types = {}
    relationship = GraphQLObjectType("Relationship", lambda: _relationship_fields(twin))
    twin = GraphQLInterfaceType(
        "Twin",
        lambda: _twin_fields(relationship),
        resolve_type=lambda part, *_: type_of(part.twin.model),
    )

    def type_of(model: str) -> str:
        if model not in names:
            raise InvalidInput(
                f"the model {model} is no longer there", hint="ask GET /digitaltwins/{id}?asOf="
            )
        return names[model]

    def fields_of(interface: Interface) -> dict[str, GraphQLField]:
        found = {}
        for name, content in interface.contents.items():
            if name in RESERVED or name.startswith("__"):
                continue
            if isinstance(content, Property | Telemetry):
                of = values[_scalar(content.schema).name]
                found[name] = GraphQLField(of, resolve=_value_of(content))
            elif isinstance(content, Component) and content.schema in names:
                found[name] = GraphQLField(part_of(content.schema), resolve=_component(name))
        return found

    def part_of(model: str) -> GraphQLObjectType:
        if model not in parts:
            interface = graph.model(model)
            parts[model] = GraphQLObjectType(
                f"{names[model]}_part",
                lambda: fields_of(interface) or {"_": GraphQLField(GraphQLString)},
            )
        return parts[model]

    def whole(interface: Interface) -> Callable[[], dict[str, GraphQLField]]:
        return lambda: {**_twin_fields(relationship), **fields_of(interface)}

    for model, name in names.items():
        interface = graph.model(model)
        about = f"{interface.title} ({model})"
        types[model] = GraphQLObjectType(name, whole(interface), [twin], description=about)
    page = GraphQLObjectType(
        "TwinPage", {"items": GraphQLField(_list(twin)), "cursor": GraphQLField(GraphQLString)}
    )
    return GraphQLSchema(
        GraphQLObjectType("Query", _queries(twin, page)),
        GraphQLObjectType("Mutation", _mutations(twin, relationship)),
        GraphQLObjectType("Subscription", subscriptions(twin)),
        types=[twin, *types.values()],
    )


def _component(name: str) -> Callable[[Part, Info], Part]:
    return lambda part, _: Part(part.twin, f"{part.prefix}{name}.", part.then)


def _twin_fields(relationship: GraphQLObjectType) -> dict[str, GraphQLField]:
    paged = {
        "name": GraphQLArgument(GraphQLString),
        "first": GraphQLArgument(GraphQLInt, DEFAULT_PAGE),
    }
    return {
        "id": GraphQLField(GraphQLNonNull(GraphQLID), resolve=lambda part, _: part.twin.id),
        "model": GraphQLField(
            GraphQLNonNull(GraphQLString), resolve=lambda part, _: part.twin.model
        ),
        "name": GraphQLField(GraphQLString, resolve=lambda part, _: part.twin.name),
        "etag": GraphQLField(GraphQLNonNull(GraphQLString), resolve=lambda part, _: part.twin.etag),
        "relationships": GraphQLField(_list(relationship), paged, resolve=_outgoing),
        "incoming": GraphQLField(_list(relationship), paged, resolve=_incoming),
        "alarms": GraphQLField(_list(JSON), resolve=_alarms_of),
    }


def _outgoing(part: Part, info: Info, first: int, name: str | None = None) -> list[Edge]:
    links = _graph(info, part.then).outgoing(part.twin.id)
    return [Edge(one, part.then) for one in links if name in (None, one.name)][: _size(first)]


def _incoming(part: Part, info: Info, first: int, name: str | None = None) -> list[Edge]:
    links = _graph(info, part.then).incoming(part.twin.id)
    return [Edge(one, part.then) for one in links if name in (None, one.name)][: _size(first)]


def _alarms_of(part: Part, info: Info) -> list[Json]:
    caller = _caller(info)
    caller.require("alarms:read")
    if part.then is not None:
        raise InvalidInput(
            "a twin of a moment does not tell its alarms", hint="alarms(twin, asOf) does"
        )
    return list(caller.platform.reactions.alarms.of_twin(part.twin.id))[:LARGEST_PAGE]


def _relationship_fields(twin: GraphQLInterfaceType) -> dict[str, GraphQLField]:
    def end(name: str) -> Callable[[Edge, Info], Part | None]:
        def resolve(edge: Edge, info: Info) -> Part | None:
            found = _graph(info, edge.then).find_twin(getattr(edge.link, name))
            return None if found is None else Part(found, "", edge.then)

        return resolve

    return {
        "id": GraphQLField(GraphQLNonNull(GraphQLID), resolve=lambda edge, _: edge.link.id),
        "name": GraphQLField(GraphQLNonNull(GraphQLString), resolve=lambda edge, _: edge.link.name),
        "source": GraphQLField(twin, resolve=end("source")),
        "target": GraphQLField(twin, resolve=end("target")),
        "properties": GraphQLField(
            GraphQLNonNull(JSON), resolve=lambda edge, _: edge.link.properties
        ),
    }


# ---- queries ---------------------------------------------------------------------------------


def _queries(twin: GraphQLInterfaceType, page: GraphQLObjectType) -> dict[str, GraphQLField]:
    some = {
        "state": GraphQLArgument(GraphQLString),
        "twin": GraphQLArgument(GraphQLID),
        "first": GraphQLArgument(GraphQLInt, DEFAULT_PAGE),
    }
    moment = {name: GraphQLArgument(GraphQLString, description=about) for name, about in AS_OF}
    one = {"id": GraphQLArgument(GraphQLNonNull(GraphQLID)), **moment}
    return {
        "twin": GraphQLField(twin, one, _twin),
        "twins": GraphQLField(
            GraphQLNonNull(page),
            {
                "model": GraphQLArgument(GraphQLString, description="or one that extends it"),
                "where": GraphQLArgument(GraphQLString, description="a condition on T"),
                "orderBy": GraphQLArgument(GraphQLString, out_name="order"),
                "first": GraphQLArgument(GraphQLInt, DEFAULT_PAGE),
                "after": GraphQLArgument(GraphQLString),
                **moment,
            },
            _twins,
        ),
        "alarms": GraphQLField(_list(JSON), {**some, **moment}, _alarms),
        "commands": GraphQLField(_list(JSON), some, _commands),
    }


async def _twin(_: object, info: Info, id: str, **asked: Any) -> Part:
    then = await _then(info, asked)
    return Part(_graph(info, then).twin(id), "", then)


async def _twins(_: object, info: Info, **asked: Any) -> Json:
    platform = _caller(info).platform
    size, model = _size(asked["first"]), asked.get("model")
    then = await _then(info, asked)
    tests = []
    if model is not None:
        _graph(info, then).model(model)
        tests.append(f"IS_OF_MODEL(T, '{model}')")
    if asked.get("where"):
        tests.append(f"({asked['where']})")
    text = "SELECT T.$dtId FROM DIGITALTWINS T"
    text += f" WHERE {' AND '.join(tests)}" if tests else ""
    text += f" ORDER BY {asked['order']}" if asked.get("order") else ""
    moment = None if then is None else then.moment
    found = await platform.queries.answer(text, asked.get("after"), size, moment)
    ids = [row["$dtId"] for row in found.rows]
    if then is not None:
        series = [number for twin in ids for number in platform.series.of_twin(twin)]
        for _piece in then.values.load(np.array(series, np.int32)):
            await asyncio.sleep(0)
    twins = map(_graph(info, then).find_twin, ids)
    return {"items": [Part(t, "", then) for t in twins if t is not None], "cursor": found.token}


async def _alarms(
    _: object,
    info: Info,
    first: int,
    state: str = "active",
    twin: str | None = None,
    **asked: Any,
) -> list[Json]:
    caller = _caller(info)
    caller.require("alarms:read")
    moment = _moment(info, asked)
    if moment is not None:
        return await caller.platform.moments.alarms(moment, state, twin, _size(first))
    book = caller.platform.reactions.alarms
    return list(book.find(state=state, twin=twin, limit=_size(first)))


def _commands(
    _: object, info: Info, first: int, state: str = "all", twin: str | None = None
) -> list[Json]:
    caller = _caller(info)
    caller.require("commands:read")
    book = caller.platform.reactions.dispatch.book
    return [c.document() for c in book.find(twin=twin, state=state, limit=_size(first))]


# ---- mutations -------------------------------------------------------------------------------


def _mutations(
    twin: GraphQLInterfaceType, relationship: GraphQLObjectType
) -> dict[str, GraphQLField]:
    needed_id = GraphQLArgument(GraphQLNonNull(GraphQLID))
    text = GraphQLArgument(GraphQLNonNull(GraphQLString))
    return {
        "patchTwin": GraphQLField(
            twin,
            {
                "id": needed_id,
                "patch": GraphQLArgument(_list(JSON), description="JSON Patch"),
                "ifMatch": GraphQLArgument(GraphQLString, out_name="if_match"),
            },
            _patch,
        ),
        "putRelationship": GraphQLField(
            relationship,
            {
                "source": needed_id,
                "id": needed_id,
                "name": text,
                "target": needed_id,
                "properties": GraphQLArgument(JSON),
            },
            _put_relationship,
        ),
        "deleteRelationship": GraphQLField(
            GraphQLBoolean, {"source": needed_id, "id": needed_id}, _delete_relationship
        ),
        "sendCommand": GraphQLField(
            JSON,
            {
                "twin": needed_id,
                "command": text,
                "arguments": GraphQLArgument(JSON),
                "deadline": GraphQLArgument(GraphQLFloat, 300.0),
                "id": GraphQLArgument(GraphQLID, out_name="key"),
            },
            _send,
        ),
        "acknowledgeAlarm": GraphQLField(
            JSON, {"id": needed_id, "comment": GraphQLArgument(GraphQLString, "")}, _acknowledge
        ),
    }


async def _patch(
    _: object,
    info: Info,
    id: str,
    patch: list[Any],
    if_match: str | None = None,
) -> Part:
    caller = _caller(info)
    caller.require("twins:write")
    if not all(isinstance(step, dict) for step in patch):
        raise InvalidInput("patch must be a list of objects such as {op, path, value}")
    made = await caller.platform.edit_graph(
        lambda graph, context: patch_twin(graph, context, id, patch, if_match=if_match),
        caller.who.name,
        "GraphQL patchTwin",
    )
    return Part(made)


async def _put_relationship(
    _: object, info: Info, source: str, name: str, target: str, **more: Any
) -> Edge:
    caller = _caller(info)
    caller.require("twins:write")
    properties = more.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise InvalidInput("properties must be an object")
    body = {**properties, "$relationshipName": name, "$targetId": target}
    made = await caller.platform.edit_graph(
        lambda graph, context: put_relationship(graph, context, source, more["id"], body),
        caller.who.name,
        "GraphQL putRelationship",
    )
    return Edge(made)


async def _delete_relationship(
    _: object,
    info: Info,
    source: str,
    id: str,
) -> bool:
    caller = _caller(info)
    caller.require("twins:write")
    await caller.platform.edit_graph(
        lambda graph, context: delete_relationship(graph, context, source, id),
        caller.who.name,
        "GraphQL deleteRelationship",
    )
    return True


async def _send(
    _: object, info: Info, twin: str, command: str, deadline: float, **more: Any
) -> Json:
    caller = _caller(info)
    caller.require("commands:send")
    if not 0 < deadline <= 30 * 86_400:
        raise InvalidInput("deadline must be more than 0 s and at most 30 days")
    dispatch = caller.platform.reactions.dispatch
    ask = dispatch.guarding.asked(
        caller.who, twin, command, more.get("arguments"), deadline, key=more.get("key") or ""
    )
    return await dispatch.send(ask)


async def _acknowledge(
    _: object,
    info: Info,
    id: str,
    comment: str,
) -> Json:
    caller = _caller(info)
    caller.require("alarms:write")
    return await caller.platform.reactions.desk.act("acknowledge", id, caller.who.name, comment)
