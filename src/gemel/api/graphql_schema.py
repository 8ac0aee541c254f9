"""The GraphQL schema of the models there are: a type for each interface, resolved from memory.

Every resolver is given the platform as the caller may see it, so that policies hold here as over
REST. A twin is resolved from the graph, its values from the state: no field asks a database, so a
list of twins with their values costs no request for each.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
)

from gemel.api.graphql_mutations import mutations
from gemel.api.graphql_parts import (
    DEFAULT_PAGE,
    JSON,
    LARGEST_PAGE,
    Edge,
    Part,
    Types,
    caller_of,
    graph_of,
    listing,
    moment_of,
    size_of,
    then_of,
)
from gemel.api.graphql_values import scalar_of, value_resolver, value_types
from gemel.api.moments import AS_OF
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.twins.dtdl.interface import Component, Interface, Property, Telemetry
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    Info = GraphQLResolveInfo[Any]


RESERVED = frozenset({"id", "model", "name", "etag", "relationships", "incoming", "alarms"})


ORPHAN = "TwinWithoutModel"
PART = "_part"
"""Ends the name of a model's type as a component."""


def type_names(graph: Graph) -> dict[str, str]:
    """A name for each model: the last part of its id, with the version where two would be alike."""
    found: dict[str, str] = {}
    taken = set(BUILT_IN)
    for model in sorted(graph.model_ids()):
        path, _, version = model.partition(";")
        last = re.sub(r"\W", "_", path.rsplit(":", 1)[-1])
        name = last[:1].upper() + last[1:]
        if name.startswith("_") or not taken.isdisjoint((name, name + PART)):
            whole = re.sub(r"\W", "_", path.removeprefix("dtmi:"))
            whole = f"{whole}_{re.sub(r'[^0-9a-zA-Z]', '_', version) or '0'}"
            numbered = (f"{whole}_{number}" for number in itertools.count(2))
            more = itertools.chain([whole], numbered)
            name = next(one for one in more if taken.isdisjoint((one, one + PART)))
        taken |= {name, name + PART}
        found[model] = name
    return found


BUILT_IN = frozenset(
    {"Query", "Mutation", "Twin", "Relationship", "History", "JSON", "String", "Int", "Float"}
    | {"Boolean", "ID", "TwinPage", "BooleanValue", "IntValue", "FloatValue", "StringValue"}
    | {
        ORPHAN,
        "JSONValue",
        "Long",
        "LongValue",
        "Decimal",
        "DecimalValue",
        "Subscription",
        "ChangedValue",
    }
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
    values = value_types()
    types: Types = {}
    parts: Types = {}
    relationship = GraphQLObjectType("Relationship", lambda: _relationship_fields(twin))
    twin = GraphQLInterfaceType(
        "Twin",
        lambda: _twin_fields(relationship),
        resolve_type=lambda part, *_: type_of(part.twin.model),
    )

    def type_of(model: str) -> str:
        return names.get(model, ORPHAN)

    def fields_of(interface: Interface) -> dict[str, GraphQLField]:
        found = {}
        for name, content in interface.contents.items():
            if name in RESERVED or name.startswith("__"):
                continue
            if isinstance(content, Property | Telemetry):
                of = values[scalar_of(content.schema).name]
                found[name] = GraphQLField(of, resolve=value_resolver(content))
            elif isinstance(content, Component) and content.schema in names:
                found[name] = GraphQLField(part_of(content.schema), resolve=_component(name))
        return found

    def part_of(model: str) -> GraphQLObjectType:
        if model not in parts:
            interface = graph.model(model)
            parts[model] = GraphQLObjectType(
                names[model] + PART,
                lambda: fields_of(interface) or {"_": GraphQLField(GraphQLString)},
            )
        return parts[model]

    def whole(interface: Interface) -> Callable[[], dict[str, GraphQLField]]:
        return lambda: {**_twin_fields(relationship), **fields_of(interface)}

    for model, name in names.items():
        interface = graph.model(model)
        about = f"{interface.title} ({model})"
        types[model] = GraphQLObjectType(name, whole(interface), [twin], description=about)
    orphan = GraphQLObjectType(
        ORPHAN,
        lambda: _twin_fields(relationship),
        [twin],
        description="A twin whose model was deleted, or, of a moment, is no longer there.",
    )
    page = GraphQLObjectType(
        "TwinPage", {"items": GraphQLField(listing(twin)), "cursor": GraphQLField(GraphQLString)}
    )
    return GraphQLSchema(
        GraphQLObjectType("Query", _queries(twin, page)),
        GraphQLObjectType("Mutation", mutations(twin, relationship)),
        GraphQLObjectType("Subscription", subscriptions(twin)),
        types=[twin, *types.values(), orphan],
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
        "relationships": GraphQLField(listing(relationship), paged, resolve=_outgoing),
        "incoming": GraphQLField(listing(relationship), paged, resolve=_incoming),
        "alarms": GraphQLField(listing(JSON), resolve=_alarms_of),
    }


def _outgoing(part: Part, info: Info, first: int, name: str | None = None) -> list[Edge]:
    links = graph_of(info, part.then).outgoing(part.twin.id)
    return [Edge(one, part.then) for one in links if name in (None, one.name)][: size_of(first)]


def _incoming(part: Part, info: Info, first: int, name: str | None = None) -> list[Edge]:
    links = graph_of(info, part.then).incoming(part.twin.id)
    return [Edge(one, part.then) for one in links if name in (None, one.name)][: size_of(first)]


def _alarms_of(part: Part, info: Info) -> list[Json]:
    caller = caller_of(info)
    caller.require("alarms:read")
    if part.then is not None:
        raise InvalidInput(
            "a twin of a moment does not tell its alarms", hint="alarms(twin, asOf) does"
        )
    return list(caller.platform.reactions.alarms.of_twin(part.twin.id))[:LARGEST_PAGE]


def _relationship_fields(twin: GraphQLInterfaceType) -> dict[str, GraphQLField]:
    def end(name: str) -> Callable[[Edge, Info], Part | None]:
        def resolve(edge: Edge, info: Info) -> Part | None:
            found = graph_of(info, edge.then).find_twin(getattr(edge.link, name))
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
        "alarms": GraphQLField(listing(JSON), {**some, **moment}, _alarms),
        "commands": GraphQLField(listing(JSON), some, _commands),
    }


async def _twin(_: object, info: Info, id: str, **asked: Any) -> Part:
    then = await then_of(info, asked)
    return Part(graph_of(info, then).twin(id), "", then)


async def _twins(_: object, info: Info, **asked: Any) -> Json:
    platform = caller_of(info).platform
    size, model = size_of(asked["first"]), asked.get("model")
    then = await then_of(info, asked)
    tests = []
    if model is not None:
        graph_of(info, then).model(model)
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
    twins = map(graph_of(info, then).find_twin, ids)
    return {"items": [Part(t, "", then) for t in twins if t is not None], "cursor": found.token}


async def _alarms(
    _: object,
    info: Info,
    first: int,
    state: str = "active",
    twin: str | None = None,
    **asked: Any,
) -> list[Json]:
    caller = caller_of(info)
    caller.require("alarms:read")
    moment = moment_of(info, asked)
    if moment is not None:
        return await caller.platform.moments.alarms(moment, state, twin, size_of(first))
    book = caller.platform.reactions.alarms
    return list(book.find(state=state, twin=twin, limit=size_of(first)))


def _commands(
    _: object, info: Info, first: int, state: str = "all", twin: str | None = None
) -> list[Json]:
    caller = caller_of(info)
    caller.require("commands:read")
    book = caller.platform.reactions.dispatch.book
    return [c.document() for c in book.find(twin=twin, state=state, limit=size_of(first))]
