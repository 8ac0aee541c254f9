"""Export to and import from other people's forms, each with a report of what that loses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import read_flag
from gemel.api.answers.graph import ExportForm
from gemel.api.answers.schema import Rows
from gemel.api.bodies import MEBIBYTE, read_body
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app import interchange
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput

if TYPE_CHECKING:
    from gemel.app.platform import Platform

IMPORT_LIMIT = 64 * MEBIBYTE


async def formats(_: Platform, __: Request, ___: Principal) -> Response:
    rows = [
        {
            "name": one.name,
            "about": one.about,
            "mediaType": one.media_type,
            "ending": one.ending,
            "imports": one.name in interchange.READERS,
        }
        for one in interchange.FORMATS.values()
    ]
    return json_response({"value": rows})


async def export(platform: Platform, request: Request, _: Principal) -> Response:
    """The document, or with `report=true` what it loses."""
    query = request.query_params
    made = await interchange.export(
        platform,
        request.path_params["format"],
        query.getlist("twin"),
        query.getlist("model"),
        str(request.base_url).rstrip("/"),
    )
    if read_flag(request, "strict"):
        made.losses.refuse()
    if read_flag(request, "report"):
        return json_response(made.losses.view())
    named = [*query.getlist("twin"), *query.getlist("model")]
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in (named or ["plant"])[0])
    headers = {
        "Gemel-Losses": str(len(made.losses)),
        "Content-Disposition": f'attachment; filename="{stem}{made.format.ending}"',
    }
    return Response(made.content, 200, headers, media_type=made.format.media_type)


async def import_(platform: Platform, request: Request, who: Principal) -> Response:
    content = await read_body(request, IMPORT_LIMIT)
    if not content.strip():
        raise InvalidInput("the request has no body", hint="send the document", code="BadRequest")
    is_dry = read_flag(request, "dryRun")
    made = await interchange.import_(
        platform,
        request.path_params["format"],
        content,
        who.name,
        is_strict=read_flag(request, "strict"),
        is_dry=is_dry,
    )
    body = {"imported": made.counts, "report": made.losses.view()}
    return json_response(body | ({"plant": made.plant} if is_dry else {}))


STRICT = ("strict", "true: refuse it if anything is lost")
ROUTES = [
    Route(
        "GET",
        "/export",
        formats,
        "twins:read",
        "The forms there are",
        answer=Rows[ExportForm],
    ),
    Route(
        "GET",
        "/export/{format}",
        export,
        "twins:read",
        "Twins or models in another form",
        query=(
            ("twin", "only this one; may stand several times"),
            ("model", "the definition of this model; may stand several times"),
            ("report", "true: what it loses, in place of the document"),
            STRICT,
        ),
    ),
    Route(
        "POST",
        "/import/{format}",
        import_,
        "plant:write",
        "Models and twins from another form",
        body={"description": "the document, as the form has it"},
        query=(("dryRun", "true: convert and report, import nothing"), STRICT),
    ),
]
