"""OData 4.0 for reading: twins, relationships, models, alarms, values and readings as tables.

Made for what business intelligence asks (Power BI, Excel, Tableau). docs/reference/odata.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import quoteattr

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.errors import error_response, json_response, status_of
from gemel.api.odata_filter import Bound, literal, not_here
from gemel.api.odata_query import Found, Options, Run, driven, options_of
from gemel.api.odata_rows import Key
from gemel.api.odata_sets import SETS, WHEN, EntitySet
from gemel.api.routes import Dialect, Route
from gemel.api.session import foreign_secret
from gemel.app.platform import Platform
from gemel.core.access import Principal, lacks
from gemel.core.errors import GemelError, InvalidInput, NotAuthenticated, NotFound
from gemel.twins.paging import read_mark, write_mark

A_PAGE = 1_000
MOST_A_PAGE = 10_000
NAMESPACE = "Gemel"
VERSION = {"OData-Version": "4.0"}
_SIZE = re.compile(r"(?:odata\.)?maxpagesize\s*=\s*\"?(\d{1,9})")
_SEGMENT = re.compile(r"(\$?\w+)(?:\(((?:'(?:[^']|'')*'|[^')])*)\))?(?:/|\Z)")
_PART = re.compile(
    r"\s*(?:(\w+)\s*=\s*)?(?:(?P<text>'(?:[^']|'')*')|(?P<time>\d{4}-[\d\-T:.+Zz ]+)"
    r"|(?P<number>-?\d+))\s*(?:,|\Z)"
)


class _Asked:
    """One request: who asks, of which platform, with which options."""

    def __init__(self, platform: Platform, request: Request, who: Principal) -> None:
        self.platform = platform
        self.who = who
        self.given = dict(request.query_params)
        self.root = str(request.base_url).rstrip("/") + "/odata"
        self.path = request.url.path
        self.accept = request.headers.get("accept", "")
        self.size = self._size(request)
        self.is_bare = "odata.metadata=none" in self.accept
        newest = request.headers.get("odata-maxversion", "4.0")
        if not newest.startswith("4."):
            raise InvalidInput(f"OData-MaxVersion: {newest[:20]}", hint="4.0 is spoken here")

    def _size(self, request: Request) -> int | None:
        found = _SIZE.search(request.headers.get("prefer", ""))
        return min(max(int(found[1]), 1), MOST_A_PAGE) if found else None

    def set(self, name: str) -> EntitySet:
        """A set that this principal may read.

        Raises:
            NotFound: there is none of this name.
            Forbidden: its permission is missing.
        """
        found = SETS.get(name)
        if found is None:
            raise NotFound(f"there is no '{name[:40]}'", hint="one of " + ", ".join(SETS))
        if not self.who.allows(found.permission):
            raise lacks(self.who.role, found.permission)
        return found

    def options(self, of: EntitySet) -> Options:
        found = options_of(self.given, of)
        self._check(of, found)
        return found

    def _check(self, of: EntitySet, options: Options) -> None:
        for name, inner in options.expand.items():
            self._check(self.set(of.links[name].target), inner)

    def answer(self, context: str, body: dict[str, Any]) -> Response:
        kind = "none" if self.is_bare else "minimal"
        if not self.is_bare:
            body = {"@odata.context": f"{self.root}/$metadata#{context}", **body}
        response = json_response(body, headers=dict(VERSION))
        response.headers["content-type"] = f"application/json;odata.metadata={kind}"
        if self.size is not None and "value" in body:
            response.headers["Preference-Applied"] = f"odata.maxpagesize={self.size}"
        return response


async def read(platform: Platform, request: Request, who: Principal) -> Response:
    """Whatever a path names: the service, its metadata, a set, an entity, what it is related to."""
    asked = _Asked(platform, request, who)
    rest = request.path_params.get("rest", "")
    form = asked.given.get("$format", asked.given.get("format", ""))
    if rest == "$metadata":
        if "json" in form or asked.accept.startswith("application/json"):
            raise not_here("$metadata as JSON")
        return Response(metadata(), headers=dict(VERSION), media_type="application/xml")
    if form and not form.startswith(("json", "application/json")):
        raise InvalidInput(f"$format: '{form[:40]}'", hint="json")
    if not rest:
        sets = [{"name": name, "kind": "EntitySet", "url": name} for name in SETS]
        context = {} if asked.is_bare else {"@odata.context": f"{asked.root}/$metadata"}
        return json_response({**context, "value": sets}, headers=dict(VERSION))
    return await _resource(asked, _segments(rest))


async def _resource(asked: _Asked, segments: list[tuple[str, str | None]]) -> Response:
    """What a path of segments names."""
    name, key = segments[0]
    of = asked.set(name)
    rest = segments[1:]
    if key is None:
        if rest not in ([], [("$count", None)]):
            raise NotFound(f"there is nothing below {name}", hint=f"{name}(key), {name}/$count")
        return await (_count(asked, of, ()) if rest else _collection(asked, of, ()))
    bounds = _bounds(of, key)
    if not rest:
        return await _entity(asked, of, bounds)
    step, inner = rest[0]
    if step in of.properties and len(rest) == 1:
        return await _property(asked, of, bounds, step, f"{name}({key})")
    link = of.links.get(step)
    if link is None or inner is not None or rest[1:] not in ([], [("$count", None)]):
        raise not_here(f"the path behind {name}(...)/{step[:40]}")
    row = (await _rows(asked, of, Options(select=(link.ours,)), bounds)).rows
    if not row:
        raise _missing(of)
    target, ours = asked.set(link.target), row[0][link.ours]
    related = (Bound(link.theirs, "eq", ours),)
    if not link.is_many:
        return (
            Response(status_code=204, headers=VERSION)
            if ours is None
            else await _entity(asked, target, related)
        )
    return await (_count if rest[1:] else _collection)(asked, target, related)


async def _rows(
    asked: _Asked,
    of: EntitySet,
    options: Options,
    bounds: tuple[Bound, ...],
    *,
    after: Key | int | None = None,
    size: int = 1,
) -> Found:
    run = Run(asked.platform)
    return await driven(run.steps(of, options, after=after, size=size, bounds=bounds))


async def _collection(asked: _Asked, of: EntitySet, bounds: tuple[Bound, ...]) -> Response:
    options, after = asked.options(of), None
    token = asked.given.get("$skiptoken", "")
    if token:
        after, left = _place(token, of)
        options = replace(options, top=left, skip=0)
    size = asked.size or A_PAGE
    found = await _rows(asked, of, options, bounds, after=after, size=size)
    body: dict[str, Any] = {}
    if found.count is not None:
        body["@odata.count"] = found.count
    body["value"] = found.rows
    if found.after is not None:
        left = None if options.top is None else options.top - len(found.rows)
        mark = write_mark(
            [list(found.after) if isinstance(found.after, tuple) else found.after, left]
        )
        body["@odata.nextLink"] = _next(asked, mark)
    return asked.answer(_context(of, options), body)


def _next(asked: _Asked, mark: str) -> str:
    gone = ("top", "skip", "skiptoken")
    kept = {k: v for k, v in asked.given.items() if k.removeprefix("$") not in gone}
    query = urlencode({**kept, "$skiptoken": mark}, quote_via=quote, safe="$")
    path = quote(asked.path.removeprefix("/odata"), safe="/()'=,$")
    return f"{asked.root}{path}?{query}"


def _place(token: str, of: EntitySet) -> tuple[Key | int, int | None]:
    """Where a page begins, and how many rows are left of `$top`."""
    place, left = read_mark(token, 2)
    is_left = left is None or (type(left) is int and left >= 0)
    if type(place) is int and place >= 0 and is_left:
        return place, left  # type: ignore[return-value]
    kinds = [int if of.properties[name] == WHEN else str for name in of.keys]
    if is_left and isinstance(place, list) and [type(one) for one in place] == kinds:
        return tuple(place), left  # type: ignore[return-value]
    raise InvalidInput("the $skiptoken belongs to something else", hint="begin again without it")


async def _count(asked: _Asked, of: EntitySet, bounds: tuple[Bound, ...]) -> Response:
    options = asked.options(of)
    found = await _rows(asked, of, Options(where=options.where, is_counted=True), bounds)
    return Response(str(found.count), headers=VERSION, media_type="text/plain")


async def _entity(asked: _Asked, of: EntitySet, bounds: tuple[Bound, ...]) -> Response:
    options = asked.options(of)
    chosen = Options(select=options.select, expand=options.expand)
    found = await _rows(asked, of, chosen, bounds)
    if not found.rows:
        raise _missing(of)
    return asked.answer(f"{_context(of, options)}/$entity", found.rows[0])


async def _property(
    asked: _Asked, of: EntitySet, bounds: tuple[Bound, ...], name: str, place: str
) -> Response:
    found = await _rows(asked, of, Options(select=(name,)), bounds)
    if not found.rows:
        raise _missing(of)
    value = found.rows[0][name]
    if value is None:
        return Response(status_code=204, headers=VERSION)
    return asked.answer(f"{place}/{name}", {"value": value})


def _missing(of: EntitySet) -> NotFound:
    return NotFound(f"{of.name} have none of this key", hint=f"GET /odata/{of.name} lists them")


def _context(of: EntitySet, options: Options) -> str:
    if not options.select and not options.expand:
        return of.name
    related = [f"{name}()" for name in options.expand]
    return f"{of.name}({','.join((*options.select, *related))})"


def _segments(rest: str) -> list[tuple[str, str | None]]:
    """The parts of a path, each with what stands in its brackets (None without)."""
    found: list[tuple[str, str | None]] = []
    place = 0
    while place < len(rest):
        match = _SEGMENT.match(rest, place)
        if match is None or len(found) == 4:
            raise NotFound(
                f"there is nothing at {rest[:60]}", hint="GET /odata lists what there is"
            )
        found.append((match[1], match[2]))
        place = match.end()
    return found


def _bounds(of: EntitySet, key: str) -> tuple[Bound, ...]:
    """`'pump-1'`, or `SourceId='a',Id='b'`, as what a row must have."""
    found: dict[str, Any] = {}
    place = 0
    wrong = InvalidInput(f"{of.name}({key[:60]}) is no key", hint=f"of {', '.join(of.keys)}")
    while place < len(key):
        match = _PART.match(key, place)
        if match is None:
            raise wrong
        name = match[1] or (of.keys[0] if len(of.keys) == 1 else "")
        kind = str(match.lastgroup)
        if name in found or (kind == "time") != (of.properties.get(name) == WHEN):
            raise wrong
        found[name] = literal(kind, match[kind].strip())
        place = match.end()
    if found.keys() != set(of.keys) or not all(
        isinstance(value, int if of.properties[name] == WHEN else str)
        for name, value in found.items()
    ):
        raise wrong
    return tuple(Bound(name, "eq", value) for name, value in found.items())


# ---- what there is -----------------------------------------------------------------------------


def metadata() -> str:
    """The tables in CSDL XML."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">',
        "<edmx:DataServices>",
        f'<Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">',
    ]
    for one in SETS.values():
        lines += _entity_type(one)
    lines.append('<EntityContainer Name="Container">')
    for one in SETS.values():
        kind = quoteattr(f"{NAMESPACE}.{one.entity}")
        lines.append(f"<EntitySet Name={quoteattr(one.name)} EntityType={kind}>")
        for name, link in one.links.items():
            lines.append(f'<NavigationPropertyBinding Path="{name}" Target="{link.target}"/>')
        lines.append("</EntitySet>")
    lines += ["</EntityContainer>", "</Schema>", "</edmx:DataServices>", "</edmx:Edmx>"]
    return "\n".join(lines)


def _entity_type(one: EntitySet) -> list[str]:
    lines = [f'<EntityType Name="{one.entity}">', "<Key>"]
    lines += [f'<PropertyRef Name="{name}"/>' for name in one.keys]
    lines.append("</Key>")
    for name, kind in one.properties.items():
        null = "" if name in one.may_null else ' Nullable="false"'
        precise = ' Precision="9"' if kind == WHEN else ""
        lines.append(f'<Property Name="{name}" Type="{kind}"{null}{precise}/>')
    for name, link in one.links.items():
        kind = f"{NAMESPACE}.{SETS[link.target].entity}"
        kind = f"Collection({kind})" if link.is_many else kind
        lines.append(f'<NavigationProperty Name="{name}" Type="{kind}"/>')
    return [*lines, "</EntityType>"]


def _told(error: GemelError) -> Response:
    """OData's form of an error; what OData has and we have not is 501."""
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.details:
        body["details"] = error.details
    ours = error_response(error).headers
    headers = {k: v for k, v in ours.items() if not k.startswith("content-")} | VERSION
    if isinstance(error, NotAuthenticated):
        headers["www-authenticate"] = 'Bearer, Basic realm="Gemel", charset="UTF-8"'
    return json_response({"error": body}, status_of(error), headers)


DIALECT = Dialect(
    foreign_secret,
    _told,
    {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "details": {"type": "array", "items": {"type": "object"}},
                },
            }
        },
    },
)
OPTIONS = (
    ("$select", "properties, with commas"),
    ("$filter", "a condition, like Priority le 2 and startswith(TwinId,'pump')"),
    ("$orderby", "properties, each with asc or desc"),
    ("$top", "at most so many rows"),
    ("$skip", "leaves so many out"),
    ("$count", "true: says how many there are in all"),
    ("$expand", "related rows too, like Alarms($top=5)"),
    ("$format", "json"),
    ("$skiptoken", "as the nextLink of a page has it"),
)
ROUTES = [
    Route("GET", "/odata", read, "twins:read", "OData: the tables there are", dialect=DIALECT),
    Route(
        "GET",
        "/odata/{rest:path}",
        read,
        "twins:read",
        "OData: $metadata, a table, an entity, what it is related to",
        query=OPTIONS,
        dialect=DIALECT,
    ),
]
