"""What the routes of the Azure Digital Twins data plane share: conditions, patches, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import MEBIBYTE, read_json
from gemel.api.errors import json_response
from gemel.core.access import Principal
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput
from gemel.twins.graph import EditContext, Graph
from gemel.twins.paging import DEFAULT_SIZE, LARGEST_SIZE, page

T = TypeVar("T")
Plan = Callable[[Graph, EditContext], tuple[list[Edit], T]]

PAGING = (
    ("continuationToken", "where the page begins; nextLink carries it"),
    ("max-items-per-page", "header: items in a page"),
)

if TYPE_CHECKING:
    from gemel.app.platform import Platform


class PatchFormInvalid(GemelError):
    """A patch that is not even an array of objects; answered as `application/problem+json`."""


async def edit(platform: Platform, request: Request, who: Principal, plan: Plan[T]) -> T:
    """Does an edit in the name of who asked for it."""
    return await platform.edit(plan, who.name, _why(request))


async def edit_graph(platform: Platform, request: Request, who: Principal, plan: Plan[T]) -> T:
    """As `edit`, for twins and relationships: many share one commit."""
    return await platform.edit_graph(plan, who.name, _why(request))


def _why(request: Request) -> str:
    return f"{request.method} {request.scope['path']}"[:300]


async def read_patch_body(request: Request) -> list[dict[str, Any]]:
    """The operations of a JSON Patch.

    Raises:
        PatchFormInvalid: the body is JSON, but not an array of objects.
        InvalidInput: it is not JSON.
    """
    body = await read_json(request, MEBIBYTE)
    if isinstance(body, list) and all(isinstance(item, dict) for item in body):
        return body
    raise PatchFormInvalid("a JSON Patch is an array of objects such as {'op', 'path', 'value'}")


def patch_problem(error: PatchFormInvalid) -> Response:
    """As the real service answers what its deserializer cannot read."""
    body = {
        "errors": {"patchDocument": [error.message]},
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
    }
    return Response(orjson.dumps(body), 400, media_type="application/problem+json")


def no_content(etag: str = "") -> Response:
    return Response(status_code=204, headers={"ETag": etag} if etag else None)


def with_etag(body: Json, etag: str) -> Response:
    return json_response(body, headers={"ETag": etag})


def read_flag(request: Request, name: str) -> bool:
    """A query parameter that is true or false.

    Raises:
        InvalidInput: neither.
    """
    text = request.query_params.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise InvalidInput(f"{name} must be true or false, not '{text[:40]}'")
    return text == "true"


def page_size(request: Request) -> int:
    """The header `max-items-per-page`.

    Raises:
        InvalidInput: not a whole number from 1.
    """
    text = request.headers.get("max-items-per-page", "")
    if not text:
        return DEFAULT_SIZE
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise InvalidInput(
            f"max-items-per-page must be a whole number from 1, not '{text[:40]}'",
            hint=f"pages hold at most {LARGEST_SIZE}",
        )
    return int(text[:9])


def page_response(
    request: Request, path: str, keys: Iterable[str], show: Callable[[str], Json]
) -> Response:
    """One page of a list, with `nextLink` to the next; `path` is percent-encoded."""
    token = request.query_params.get("continuationToken") or None
    found = page(keys, token, page_size(request))
    body: Json = {"value": [show(key) for key in found.keys]}
    if found.token is not None:
        query = [(k, v) for k, v in request.query_params.multi_items() if k != "continuationToken"]
        query.append(("continuationToken", found.token))
        body["nextLink"] = f"{path}?{urlencode(query)}"
    else:
        body["nextLink"] = None
    return json_response(body)
