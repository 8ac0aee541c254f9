"""Relationships over the Azure Digital Twins data plane."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import (
    PAGING,
    PatchFormInvalid,
    edit_graph,
    no_content,
    page_response,
    patch_problem,
    read_patch_body,
    with_etag,
)
from gemel.api.bodies import read_json
from gemel.api.moments import AS_OF, graph_of
from gemel.api.routes import Route
from gemel.core.access import Principal
from gemel.twins.relationship_edits import (
    delete_relationship,
    patch_relationship,
    put_relationship,
)
from gemel.twins.view import incoming_view

if TYPE_CHECKING:
    from gemel.app.platform import Platform


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    graph = await graph_of(platform, request)
    twin = graph.twin(request.path_params["id"])
    name = request.query_params.get("relationshipName") or None
    links = {link.id: link for link in graph.outgoing(twin.id) if name is None or link.name == name}
    path = f"/digitaltwins/{quote(twin.id, safe='')}/relationships"
    return page_response(request, path, links, lambda key: links[key].view())


async def incoming(platform: Platform, request: Request, _: Principal) -> Response:
    graph = await graph_of(platform, request)
    twin = graph.twin(request.path_params["id"])
    links = {link.key: link for link in graph.incoming(twin.id)}
    path = f"/digitaltwins/{quote(twin.id, safe='')}/incomingrelationships"
    return page_response(request, path, links, lambda key: incoming_view(links[key]))


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    graph = await graph_of(platform, request)
    link = graph.relationship(request.path_params["id"], request.path_params["rid"])
    return with_etag(link.view(), link.etag)


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_json(request)
    source, relationship = request.path_params["id"], request.path_params["rid"]
    headers = request.headers
    link = await edit_graph(
        platform,
        request,
        who,
        lambda graph, context: put_relationship(
            graph,
            context,
            source,
            relationship,
            body,
            if_match=headers.get("if-match"),
            if_none_match=headers.get("if-none-match"),
        ),
    )
    return with_etag(link.view(), link.etag)


async def patch(platform: Platform, request: Request, who: Principal) -> Response:
    try:
        body = await read_patch_body(request)
    except PatchFormInvalid as error:
        return patch_problem(error)
    source, relationship = request.path_params["id"], request.path_params["rid"]
    if_match = request.headers.get("if-match")
    link = await edit_graph(
        platform,
        request,
        who,
        lambda graph, context: patch_relationship(
            graph, context, source, relationship, body, if_match=if_match
        ),
    )
    return no_content(link.etag)


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    source, relationship = request.path_params["id"], request.path_params["rid"]
    if_match = request.headers.get("if-match")
    await edit_graph(
        platform,
        request,
        who,
        lambda graph, context: delete_relationship(
            graph, context, source, relationship, if_match=if_match
        ),
    )
    return no_content()


BODY = {"type": "object", "required": ["$relationshipName", "$targetId"]}
PATCH_BODY = {"type": "array", "items": {"type": "object"}}
LIST = "/digitaltwins/{id}/relationships"
ONE = LIST + "/{rid}"

ROUTES = [
    Route(
        "GET",
        LIST,
        listing,
        "twins:read",
        "Relationships of a twin, in pages",
        query=(("relationshipName", "only those of this name"), *AS_OF, *PAGING),
    ),
    Route(
        "GET",
        "/digitaltwins/{id}/incomingrelationships",
        incoming,
        "twins:read",
        "Relationships that point at a twin, in pages",
        query=(*AS_OF, *PAGING),
    ),
    Route("GET", ONE, read, "twins:read", "One relationship", query=AS_OF),
    Route("PUT", ONE, put, "twins:write", "Make or replace a relationship", body=BODY),
    Route("PATCH", ONE, patch, "twins:write", "Change a relationship", body=PATCH_BODY, status=204),
    Route("DELETE", ONE, delete, "twins:write", "Delete a relationship", status=204),
]
