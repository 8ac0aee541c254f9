"""Models over the Azure Digital Twins data plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import (
    PAGING,
    PatchFormInvalid,
    edit,
    no_content,
    page_response,
    patch_problem,
    read_flag,
    read_patch_body,
)
from gemel.api.answers.graph import Models
from gemel.api.bodies import MEBIBYTE, read_json
from gemel.api.errors import json_response
from gemel.api.moments import AS_OF, graph_of
from gemel.api.routes import Route
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.twins.graph import Graph
from gemel.twins.models import (
    add_models,
    contents_view,
    delete_model,
    model_view,
    patch_model,
    with_dependencies,
)

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MODELS_LIMIT = 16 * MEBIBYTE
"""A whole ontology comes in one request: its models refer to each other."""


async def create(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_json(request, MODELS_LIMIT)
    shown = await edit(
        platform, request, who, lambda graph, context: add_models(graph, context, body)
    )
    return json_response(shown, 201)


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    graph = await graph_of(platform, request)
    with_definition = read_flag(request, "includeModelDefinition")
    wanted = [
        one
        for text in request.query_params.getlist("dependenciesFor")
        for one in text.split(",")
        if one
    ]
    keys = with_dependencies(graph, wanted) if wanted else graph.model_ids()

    def show(key: str) -> Json:
        return _view(graph, key, with_definition)

    return page_response(request, "/models", keys, show)


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    graph = await graph_of(platform, request)
    interface = graph.model(request.path_params["id"])
    shown = _view(graph, interface.id, read_flag(request, "includeModelDefinition"))
    if read_flag(request, "includeBaseModelContents"):
        shown |= contents_view(interface)
    return json_response(shown)


def _view(graph: Graph, key: str, with_definition: bool) -> Json:
    record = graph.find_record(key)
    assert record is not None, "every model has a record"
    return model_view(graph.model(key), record, with_definition)


async def change(platform: Platform, request: Request, who: Principal) -> Response:
    try:
        body = await read_patch_body(request)
    except PatchFormInvalid as error:
        return patch_problem(error)
    model_id = request.path_params["id"]
    await edit(
        platform, request, who, lambda graph, context: patch_model(graph, context, model_id, body)
    )
    return no_content()


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    model_id = request.path_params["id"]
    await edit(
        platform, request, who, lambda graph, context: delete_model(graph, context, model_id)
    )
    return no_content()


BODY = {"type": "array", "items": {"type": "object"}, "minItems": 1}
PATCH_BODY = {"type": "array", "items": {"type": "object"}}
DEFINITION = ("includeModelDefinition", "true: with the DTDL document")

ROUTES = [
    Route("POST", "/models", create, "models:write", "Add models", body=BODY, status=201),
    Route(
        "GET",
        "/models",
        listing,
        "models:read",
        "Models, in pages",
        query=(
            DEFINITION,
            ("dependenciesFor", "only this model and what it needs"),
            *AS_OF,
            *PAGING,
        ),
        answer=Models,
    ),
    Route(
        "GET",
        "/models/{id}",
        read,
        "models:read",
        "One model",
        query=(
            DEFINITION,
            ("includeBaseModelContents", "true: with all contents by kind"),
            *AS_OF,
        ),
    ),
    Route(
        "PATCH",
        "/models/{id}",
        change,
        "models:write",
        "Decommission a model",
        body=PATCH_BODY,
        status=204,
    ),
    Route("DELETE", "/models/{id}", delete, "models:write", "Delete a model", status=204),
]
