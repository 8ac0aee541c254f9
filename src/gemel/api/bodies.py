"""Reads request bodies and parameters: bounded in size, depth and time, with errors in words."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from starlette.requests import Request

from gemel.core.clock import SECOND, from_iso, is_expressible
from gemel.core.errors import InvalidInput, TooLarge

MEBIBYTE = 1 << 20
DEPTH = 32
MOST_MEMBERS = 10_000
PIECE = 1 << 16


async def read_body(request: Request, limit: int = MEBIBYTE) -> bytes:
    """The body, with gzip undone.

    Raises:
        TooLarge: larger than `limit` bytes, also after unpacking.
        InvalidInput: not valid gzip.
    """
    size = 0
    chunks = []
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "").lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise InvalidInput(f"content-encoding '{encoding}' is not known", hint="use gzip or none")
    return _unpacked(body, limit)


def _unpacked(body: bytes, limit: int) -> bytes:
    """What gzip packed: one member or, as tools that append write them, several."""
    plain = bytearray()
    place = 0
    for _ in range(MOST_MEMBERS):
        unpack = zlib.decompressobj(wbits=31)
        while not unpack.eof and place < len(body):
            piece = body[place : place + PIECE]
            try:
                plain += unpack.decompress(piece, limit + 1 - len(plain))
            except zlib.error as error:
                raise InvalidInput(f"the body is not valid gzip: {error}") from error
            if len(plain) > limit:
                raise _too_large(limit)
            place += len(piece) - len(unpack.unused_data)
        if not unpack.eof:
            raise InvalidInput("the gzip body ends too early", hint="send it whole")
        if place == len(body):
            return bytes(plain)
    raise InvalidInput(f"the gzip body has more than {MOST_MEMBERS:,} members", hint="pack it once")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit:,} bytes", hint="send it in parts")


async def read_json(request: Request, limit: int = MEBIBYTE) -> Any:
    """The body as JSON.

    Raises:
        InvalidInput: no JSON, too large, or nested too deeply.
    """
    return parsed(await read_body(request, limit))


def parsed(body: bytes) -> Any:
    if not body.strip():
        raise InvalidInput("the request has no body", hint="send JSON", code="BadRequest")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="JsonInvalid") from error
    if _deeper_than(found, DEPTH):
        raise InvalidInput(f"the body is nested deeper than {DEPTH}", code="JsonInvalid")
    return found


async def read_object(
    request: Request, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The body as a JSON object with these fields and no others; none is {} if none is required.

    Raises:
        InvalidInput: a field is missing or not known.
    """
    body = await read_body(request)
    found = parsed(body) if required or body.strip() else {}
    if not isinstance(found, dict):
        raise InvalidInput("the body must be a JSON object", hint="like {...}")
    missing = [name for name in required if name not in found]
    unknown = [name for name in found if name not in required + optional]
    if missing:
        raise InvalidInput(f"the body lacks '{missing[0]}'", hint="needs " + ", ".join(required))
    if unknown:
        raise InvalidInput(
            f"the body has an unknown field '{unknown[0]}'",
            hint="known: " + ", ".join(required + optional),
        )
    return found


def text_field(body: dict[str, Any], name: str, default: str = "", limit: int = 10_000) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or len(value) > limit:
        raise InvalidInput(f"'{name}' must be a text of at most {limit:,} characters")
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for outer in level
            for inner in (
                outer.values()
                if isinstance(outer, dict)
                else outer
                if isinstance(outer, list)
                else ()
            )
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


UNITS = {
    "ms": SECOND // 1000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
}


def read_time(text: str, now: int, name: str) -> int:
    """`now`, `-15m` (ms s m h d), epoch ms, or ISO 8601, to ns.

    Raises:
        InvalidInput: none of these.
    """
    text = text.strip().replace(" ", "+")
    if text in ("", "now"):
        return now
    if text[0] in "+-" and text[-1:].isalpha():
        number = text.rstrip("msdh")
        unit = text[len(number) :]
        if unit in UNITS:
            try:
                return _in_range(now + round(float(number) * UNITS[unit]), name)
            except (ValueError, OverflowError):
                pass
    try:
        return _in_range(round(float(text) * 1e6), name)
    except (ValueError, OverflowError):
        pass
    try:
        moment = from_iso(text)
    except InvalidInput as error:
        raise InvalidInput(
            f"{name}: '{text}' is not a time", hint="ISO 8601, epoch ms, 'now' or '-1h'"
        ) from error
    return _in_range(moment, name)


def _in_range(ns: int, name: str) -> int:
    if not is_expressible(ns):
        raise InvalidInput(f"{name}: the time cannot be expressed", hint="1824 to 2116")
    return ns


def read_number(request: Request, name: str, default: float, low: float, high: float) -> float:
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InvalidInput(f"{name} must be a number from {low:g} to {high:g}, not '{text[:40]}'")
    return value
