"""The audit log: who did what, in a chain of hashes; signed checkpoints to keep elsewhere."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.installation import Audit
from gemel.api.bodies import read_number, read_time
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app import audit
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    now = platform.clock()
    limit = int(read_number(request, "limit", 100, 1, 10_000))
    shown = query.get("docs", "false")
    if shown not in ("true", "false"):
        raise InvalidInput(f"docs: '{shown}' is not known", hint="true or false")
    wanted = audit.Wanted(
        query.get("kind", ""),
        query.get("key", ""),
        query.get("who", ""),
        read_time(query["from"], now, "from") if "from" in query else 0,
        read_time(query["to"], now, "to") if "to" in query else 0,
        int(read_number(request, "cursor", 0, 0, 2**62)),
    )
    found = await asyncio.to_thread(
        audit.listing, platform.documents.path, wanted, limit, documents=shown == "true"
    )
    cursor = found[-1]["seq"] if len(found) == limit else None
    return json_response({"value": found, "cursor": cursor})


async def checkpoint(platform: Platform, _: Request, __: Principal) -> Response:
    made = await asyncio.to_thread(platform.signer.sign, platform.clock(), always=True)
    assert made is not None
    return json_response(audit.checkpoint_view(made))


QUERY = (
    ("kind", "of document: command, alarm, rule, model, twin, token, control, ..."),
    ("key", "of the document"),
    ("who", "who did it"),
    ("from", "ISO 8601 or -1h"),
    ("to", "ISO 8601 or now"),
    ("docs", "true: with the documents, secrets withheld"),
    ("limit", "at most 10,000"),
    ("cursor", "from the last page"),
)
ROUTES = [
    Route(
        "GET",
        "/audit",
        listing,
        "audit:read",
        "Who did what, the newest first",
        query=QUERY,
        answer=Audit,
    ),
    Route(
        "POST",
        "/audit/checkpoint",
        checkpoint,
        "audit:read",
        "Sign the chain as it is, to keep elsewhere",
    ),
]
