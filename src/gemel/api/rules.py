"""Rules: list, check, back-test, make, change, delete."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.alarms import Risk, RuleLimit
from gemel.api.answers.rules import Backtest, BacktestUnderWay, Rule, RuleChecked
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_object, read_time, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.backtest import Label
from gemel.app.limits import limits_of
from gemel.app.platform import Platform
from gemel.app.risks import risks_of
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput
from gemel.services.rules.design import FIELDS as DESIGN_FIELDS
from gemel.services.rules.design import REPEATS, WORDS

FIELDS = (
    "id",
    "priority",
    "title",
    "then",
    "version",
    "parameters",
    "lateness",
    "timeZone",
    *DESIGN_FIELDS,
)
MOST_LABELS = 10_000


async def rules(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.reactions.rule_views()})


async def rule(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.reactions.rule_view(request.path_params["id"]))


async def put_rule(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("model", "when"), FIELDS)
    return json_response(
        await platform.reactions.put_rule(request.path_params["id"], body, who.name)
    )


async def delete_rule(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.reactions.delete_rule(request.path_params["id"], who.name)
    return Response(status_code=204)


async def risks(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": risks_of(platform)})


async def limits(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response({"value": limits_of(platform, request.path_params["twin"])})


def _document(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "version"}


async def check(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, ("model", "when"), FIELDS)
    key = text_field(body, "id", "rule", limit=200)
    rule = platform.reactions.load_rule(key, _document(body), platform.graph)
    if rule.then is not None:
        platform.reactions.dispatch.check_action(platform.graph, rule.model, rule.then, key)
    return json_response(
        {
            "id": key,
            "when": rule.when,
            "twins": len(platform.reactions.means.instances(rule)),
            "reads": sorted(rule.kernel.raw_paths),
            "computes": sorted(rule.kernel.features),
            "lateness": rule.lateness,
        }
    )


async def backtests(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.backtests.views()})


async def backtest(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, ("rule", "from"), ("to", "twins", "labels"))
    rule = body["rule"]
    if not isinstance(rule, dict) or not {"model", "when"} <= set(rule):
        raise InvalidInput("'rule' must be a rule", hint='{"model": "dtmi:...", "when": "..."}')
    twins = body.get("twins") or []
    if not isinstance(twins, list) or not all(isinstance(twin, str) for twin in twins):
        raise InvalidInput("'twins' must be a list of ids", hint="leave it out for all")
    now = platform.clock()
    begin = read_time(text_field(body, "from"), now, "from")
    end = read_time(text_field(body, "to", "now"), now, "to")
    labels = [_label(label, i, now) for i, label in enumerate(_labels(body))]
    return json_response(await platform.backtests.run(_document(rule), begin, end, twins, labels))


def _labels(body: dict[str, Any]) -> list[Any]:
    found = body.get("labels") or []
    if not isinstance(found, list) or len(found) > MOST_LABELS:
        raise InvalidInput(
            f"'labels' must be a list of at most {MOST_LABELS:,}",
            hint='[{"from": "2026-11-01T10:00:00Z", "to": "2026-11-01T10:20:00Z"}]',
        )
    return found


def _label(label: Any, row: int, now: int) -> Label:
    name = f"labels[{row}]"
    if not isinstance(label, dict) or set(label) - {"from", "to", "twin"}:
        raise InvalidInput(f"{name} is not a label", hint='{"from", "to"} and maybe "twin"')
    begin = read_time(text_field(label, "from"), now, f"{name}.from")
    end = read_time(text_field(label, "to"), now, f"{name}.to")
    if end < begin:
        raise InvalidInput(f"{name} ends before it begins", hint="'to' must not lie before 'from'")
    return Label(begin, end, text_field(label, "twin"))


RULE = {
    "type": "object",
    "required": ["model", "when"],
    "properties": {
        "model": {"type": "string", "description": "DTMI; the rule runs for every twin of it"},
        "when": {"type": "string", "examples": ["temperature > 80 °C for 5 minutes"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 4},
        "title": {"type": "string"},
        "then": {
            "type": ["object", "null"],
            "properties": {"command": {"type": "string"}, "arguments": {}},
        },
        "parameters": {
            "type": "object",
            "description": "defaults of {names} in the text",
            "additionalProperties": {"type": ["number", "string"]},
        },
        "lateness": {"type": "number", "description": "seconds that readings may come late"},
        "timeZone": {"type": "string", "examples": ["Europe/Berlin"]},
        **{name: {"type": "string"} for name in WORDS},
        "repeats": {"enum": list(REPEATS)},
        "suppressedBy": {"type": "array", "items": {"type": "object"}},
    },
}
BACKTEST = {
    "type": "object",
    "required": ["rule", "from"],
    "properties": {
        "rule": RULE,
        "from": {"type": "string", "description": "ISO 8601 or -7d"},
        "to": {"type": "string", "description": "ISO 8601 or now"},
        "twins": {"type": "array", "items": {"type": "string"}},
        "labels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["from", "to"],
                "properties": {
                    "from": {"type": "string"},
                    "to": {"type": "string"},
                    "twin": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": False,
}
ROUTES = [
    Route(
        "GET",
        "/twins/{twin}/limits",
        limits,
        "rules:read",
        "The limits that rules hold its values against",
        answer=Rows[RuleLimit],
    ),
    Route(
        "GET",
        "/risks",
        risks,
        "rules:read",
        "Limits that predictions are about to break, the gravest first",
        answer=Rows[Risk],
    ),
    Route("GET", "/rules", rules, "rules:read", "All rules", answer=Rows[Rule]),
    Route(
        "POST",
        "/rules/check",
        check,
        "rules:read",
        "Check a rule, change nothing",
        body=RULE,
        answer=RuleChecked,
    ),
    Route(
        "GET",
        "/rules/backtest",
        backtests,
        "rules:read",
        "Back-tests under way",
        answer=Rows[BacktestUnderWay],
    ),
    Route(
        "POST",
        "/rules/backtest",
        backtest,
        "rules:write",
        "What a rule would have done over a span of history",
        body=BACKTEST,
        answer=Backtest,
    ),
    Route("GET", "/rules/{id}", rule, "rules:read", "One rule", answer=Rule),
    Route(
        "PUT",
        "/rules/{id}",
        put_rule,
        "rules:write",
        "Make or change a rule",
        body=RULE,
        answer=Rule,
    ),
    Route("DELETE", "/rules/{id}", delete_rule, "rules:write", "Delete a rule", status=204),
]
