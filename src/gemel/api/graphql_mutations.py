"""What GraphQL can change: twins, relationships, commands, alarms; with the rights of REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLString,
)

from gemel.api.graphql_parts import JSON, Edge, Part, caller_of, listing
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.twins.relationship_edits import delete_relationship, put_relationship
from gemel.twins.twin_edits import patch_twin

if TYPE_CHECKING:
    Info = GraphQLResolveInfo[Any]


def mutations(
    twin: GraphQLInterfaceType, relationship: GraphQLObjectType
) -> dict[str, GraphQLField]:
    needed_id = GraphQLArgument(GraphQLNonNull(GraphQLID))
    text = GraphQLArgument(GraphQLNonNull(GraphQLString))
    return {
        "patchTwin": GraphQLField(
            twin,
            {
                "id": needed_id,
                "patch": GraphQLArgument(listing(JSON), description="JSON Patch"),
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
    caller = caller_of(info)
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
    caller = caller_of(info)
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
    caller = caller_of(info)
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
    caller = caller_of(info)
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
    caller = caller_of(info)
    caller.require("alarms:write")
    return await caller.platform.reactions.desk.act("acknowledge", id, caller.who.name, comment)
