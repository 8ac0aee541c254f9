"""Errors as HTTP answers: one table from error class to status, one form of body."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from gemel.core import errors

STATUS: tuple[tuple[type[errors.GemelError], int], ...] = (
    (errors.TooLarge, 413),
    (errors.NotOffered, 501),
    (errors.InvalidInput, 400),
    (errors.NotAuthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.PreconditionFailed, 412),
    (errors.Refused, 422),
    (errors.Overloaded, 429),
    (errors.Unavailable, 503),
    (errors.Damaged, 500),
)


def status_of(error: errors.GemelError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def error_response(error: errors.GemelError) -> Response:
    """`{"error": {"code", "message", "hint"?, "details"?}}` with header x-ms-error-code."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.hint:
        body["hint"] = error.hint
    if error.details:
        body["details"] = error.details
    headers = {"x-ms-error-code": error.code}
    if error.retry:
        headers["Retry-After"] = "5"
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        orjson.dumps({"error": body}), status_of(error), headers, media_type="application/json"
    )


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(content, status, headers, media_type="application/json")
