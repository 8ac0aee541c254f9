"""Alarms: lists, what people do with them, what happened to them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.alarms import (
    Alarm,
    AlarmActed,
    AlarmCorrection,
    AlarmFigures,
    AlarmGroup,
    AlarmGroupWhole,
    AlarmHandover,
    AlarmStep,
    Philosophy,
)
from gemel.api.answers.schema import Cut, Pages, Rows
from gemel.api.bodies import read_number, read_object, read_time, text_field
from gemel.api.errors import json_response
from gemel.api.moments import AS_OF, asked
from gemel.api.routes import Endpoint, Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.alarms.index import Place, place_of
from gemel.services.alarms.philosophy import DEFAULT
from gemel.twins.paging import read_mark, write_mark

LONGEST_SECONDS = 1e9
ALL = 1 << 31
AGAIN = "begin again without a cursor"


async def alarms(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    limit = int(read_number(request, "limit", 1_000, 1, 100_000))
    twin = query.get("twin") or None
    state = query.get("state", "active")
    moment = asked(platform, request)
    if moment is not None:
        found = await platform.moments.alarms(moment, state, twin, ALL)
    else:
        found = platform.reactions.alarms.find(state=state, twin=twin, limit=ALL)
    return json_response(_page(found, state, limit, query.get("cursor", "")))


def _page(found: list[Json], state: str, limit: int, cursor: str) -> Json:
    """So many of a sorted list behind a cursor; it stands for a place, not for a row."""
    start = 0
    if cursor:
        last = _read_cursor(cursor, state)
        start = bisect_left(found, True, key=lambda doc: place_of(doc, state).is_behind(last))
    shown = found[start : start + limit]
    is_more = start + limit < len(found)
    mark = write_mark([state, *place_of(shown[-1], state)]) if is_more and shown else None
    return {"value": shown, "total": len(found), "cursor": mark}


def _read_cursor(cursor: str, state: str) -> Place:
    whose, urgency, raised, key = read_mark(cursor, 4)
    is_place = isinstance(urgency, list) and all(isinstance(part, int) for part in urgency)
    if whose != state or not is_place or not isinstance(raised, str) or not isinstance(key, str):
        raise InvalidInput("the cursor belongs to another list", hint=AGAIN)
    return Place(tuple(urgency), raised, key)  # type: ignore[arg-type]


async def groups(platform: Platform, request: Request, _: Principal) -> Response:
    limit = int(read_number(request, "limit", 100, 1, 5_000))
    return json_response({"value": platform.reactions.desk.groups.find(limit)})


async def group(platform: Platform, request: Request, _: Principal) -> Response:
    """A group with its alarms, the first-out first."""
    desk, book = platform.reactions.desk, platform.reactions.alarms
    found = desk.groups.get(request.path_params["id"])
    alarms = [book.get(key) for key in found["alarms"]]
    alarms.sort(key=lambda doc: (doc["raised"], doc["id"]))
    return json_response({**found, "alarms": alarms})


async def corrections(platform: Platform, request: Request, _: Principal) -> Response:
    limit = int(read_number(request, "limit", 100, 1, 1_000))
    query = request.query_params
    rule, twin = query.get("rule") or None, query.get("twin") or None
    mark = query.get("cursor", "")
    before = read_mark(mark, 1)[0] if mark else ""
    if not isinstance(before, str):
        raise InvalidInput("the cursor belongs to another list", hint=AGAIN)

    def is_wanted(doc: Json) -> bool:
        return rule in (None, doc["rule"]) and twin in (None, doc["twin"])

    found, ended = await platform.reactions.late.page(before, limit, is_wanted)
    return json_response({"value": found, "cursor": None if ended is None else write_mark([ended])})


def _span(platform: Platform, request: Request, default: str) -> tuple[int, int]:
    now = platform.clock()
    query = request.query_params
    begin = read_time(query.get("from", default), now, "from")
    end = read_time(query.get("to", "now"), now, "to")
    if not begin < end:
        raise InvalidInput("'from' must lie before 'to'", hint="like from=-8h")
    return begin, end


async def kpis(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(await platform.reactions.desk.figures(*_span(platform, request, "-24h")))


async def handover(platform: Platform, request: Request, _: Principal) -> Response:
    desk = platform.reactions.desk
    shift = request.query_params.get("shift", "")
    if not shift:
        return json_response(await desk.handover(*_span(platform, request, "-8h")))
    if shift not in SHIFTS:
        raise InvalidInput(f"shift={shift} is not known", hint="this or last")
    now = platform.clock()
    duty = desk.duty(now, SHIFTS.index(shift))
    return json_response(await desk.handover(duty.begin, min(duty.end, now)))


async def philosophy(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(platform.reactions.desk.philosophy.to_json())


async def put_philosophy(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), tuple(DEFAULT.to_json()))
    return json_response(await platform.reactions.desk.put_philosophy(body, who.name))


async def alarm(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.reactions.alarms.get(request.path_params["id"]))


async def history(platform: Platform, request: Request, _: Principal) -> Response:
    steps = await platform.reactions.desk.history(request.path_params["id"])
    return json_response({"value": [step.to_json() for step in steps]})


def _one(act: str, word: str, *, needs: bool) -> Endpoint:
    """An endpoint that does one act on one alarm, with a comment or a reason."""

    async def endpoint(platform: Platform, request: Request, who: Principal) -> Response:
        names = (word, "seconds") if act == "shelve" else (word,)
        body = await read_object(request, names if needs else (), names)
        text = text_field(body, word)
        if needs and not text.strip():
            raise InvalidInput(f"'{word}' must say something", hint="why?")
        seconds = _seconds(body) if act == "shelve" else 0.0
        key = request.path_params["id"]
        return json_response(await platform.reactions.desk.act(act, key, who.name, text, seconds))

    endpoint.__name__ = act.replace("-", "_")
    return endpoint


def _seconds(body: dict[str, Any]) -> float:
    seconds = body.get("seconds", 0)
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not abs(seconds) < LONGEST_SECONDS:
        raise InvalidInput("'seconds' must be a number", hint='like {"seconds": 3600}')
    return float(seconds)


async def acts(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("act", "ids"), ("act", "ids", "text", "seconds"))
    keys = body["ids"]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InvalidInput("'ids' must be a list of alarms", hint='like ["a-1a20307dccd-212e"]')
    found = await platform.reactions.desk.act_on(
        text_field(body, "act"), keys, who.name, text_field(body, "text"), _seconds(body)
    )
    return json_response({"value": found})


async def remove(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("rule", "twin", "reason"))
    found = await platform.reactions.desk.remove(
        text_field(body, "rule"), text_field(body, "twin"), who.name, text_field(body, "reason")
    )
    return json_response(found)


def _text(name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string"}, **more},
        "additionalProperties": False,
    }


COMMENT, REASON = _text("comment"), _text("reason")
SHELF = {
    **_text("reason", seconds={"type": "number", "description": "until it is over"}),
    "required": ["reason", "seconds"],
}
ACTS = {
    **_text(
        "act",
        ids={"type": "array", "items": {"type": "string"}},
        text={"type": "string", "description": "the comment or reason"},
        seconds={"type": "number", "description": "for shelve"},
    ),
    "required": ["act", "ids"],
}
POINT = {
    **_text("reason", rule={"type": "string"}, twin={"type": "string"}),
    "required": ["rule", "twin", "reason"],
}
READ, WRITE = "alarms:read", "alarms:write"
SHIFTS = ("this", "last")
"""The shift that is on, and the one before."""
SPAN = (("from", "ISO 8601, epoch ms or -8h"), ("to", "likewise; now unless said"))


def _act(act: str, summary: str, word: str = "comment", body: dict[str, Any] = COMMENT) -> Route:
    needs = word == "reason" or act in ("comment", "clear")
    endpoint = _one(act, word, needs=needs)
    path = f"/alarms/{{id}}/{act}"
    return Route("POST", path, endpoint, WRITE, summary, body=body, answer=Alarm)


ROUTES = [
    Route(
        "GET",
        "/alarms",
        alarms,
        READ,
        "Alarms, the most urgent first",
        query=(
            ("state", "active, shelved, suppressed, out-of-service, held-back, open or all"),
            ("twin", "only of this twin"),
            ("limit", "at most this many"),
            ("cursor", "from the last page"),
            *AS_OF,
        ),
        answer=Cut[Alarm],
    ),
    Route(
        "POST",
        "/alarms/acts",
        acts,
        WRITE,
        "Do one thing to many alarms",
        body=ACTS,
        answer=Rows[AlarmActed],
    ),
    Route(
        "POST",
        "/alarms/out-of-service",
        remove,
        WRITE,
        "Take a rule on a twin out of service, raised or not",
        body=POINT,
        answer=Alarm,
    ),
    Route(
        "GET",
        "/alarms/corrections",
        corrections,
        READ,
        "What readings that came too late would have changed, that of the newest readings first",
        query=(
            ("rule", "only of this rule"),
            ("twin", "only of this twin"),
            ("limit", "at most this many"),
            ("cursor", "where the page before ended"),
        ),
        answer=Pages[AlarmCorrection],
    ),
    Route(
        "GET",
        "/alarms/groups",
        groups,
        READ,
        "Alarms of one cause, the newest first",
        query=(("limit", "at most this many"),),
        answer=Rows[AlarmGroup],
    ),
    Route(
        "GET", "/alarms/groups/{id}", group, READ, "A group with its alarms", answer=AlarmGroupWhole
    ),
    Route(
        "GET", "/alarms/kpis", kpis, READ, "Key figures of alarms", query=SPAN, answer=AlarmFigures
    ),
    Route(
        "GET",
        "/alarms/handover",
        handover,
        READ,
        "For the next shift",
        query=(*SPAN, ("shift", "this or last, in place of both")),
        answer=AlarmHandover,
    ),
    Route(
        "GET",
        "/alarms/philosophy",
        philosophy,
        READ,
        "What a flood and a common cause are",
        answer=Philosophy,
    ),
    Route(
        "PUT",
        "/alarms/philosophy",
        put_philosophy,
        "rules:write",
        "Say what a flood and a common cause are",
        body={"type": "object"},
        answer=Philosophy,
    ),
    Route("GET", "/alarms/{id}", alarm, READ, "One alarm", answer=Alarm),
    Route(
        "GET",
        "/alarms/{id}/history",
        history,
        READ,
        "All that was done to it",
        answer=Rows[AlarmStep],
    ),
    _act("acknowledge", "Acknowledge"),
    _act("unacknowledge", "Take a wrong acknowledgement back", "reason", REASON),
    _act("shelve", "Put it aside for some time", "reason", SHELF),
    _act("unshelve", "Take it off the shelf"),
    _act("out-of-service", "Take it out of service", "reason", REASON),
    _act("return-to-service", "Return it to service"),
    _act("comment", "Say something"),
    _act("clear", "Close it by hand"),
]
