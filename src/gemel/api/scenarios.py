"""What if: scenarios and what they came to; how the twins of models behave."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.scenarios import (
    Behaviour,
    Promotion,
    Scenario,
    ScenarioKept,
    ScenarioResult,
    ScenariosCompared,
    ScenarioSeries,
    ScenarioState,
)
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_json, read_object, read_time
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.behaviours import known_behaviours
from gemel.app.platform import Platform
from gemel.app.scenario_results import compared, happened, series_of, shown, state_of
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.whatif.scenario import SCHEMA

MOST_COMPARED = 4
MOST_SERIES = 60


async def scenarios(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.scenarios.views()})


async def schema(_: Platform, __: Request, ___: Principal) -> Response:
    return json_response(SCHEMA)


async def scenario(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.scenarios.view(request.path_params["id"]))


async def put_scenario(platform: Platform, request: Request, who: Principal) -> Response:
    body = await _object(request)
    return json_response(await platform.scenarios.put(request.path_params["id"], body, who.name))


async def drop(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.scenarios.drop(request.path_params["id"], who.name)
    return Response(status_code=204)


async def run(platform: Platform, request: Request, who: Principal) -> Response:
    return json_response(await platform.scenarios.run(request.path_params["id"], who.name), 202)


async def result(platform: Platform, request: Request, who: Principal) -> Response:
    document, _ = await platform.scenarios.result(request.path_params["id"])
    return json_response(shown(document))


async def series(platform: Platform, request: Request, _: Principal) -> Response:
    names = [name for name in request.query_params.get("series", "").split(",") if name]
    if not names or len(names) > MOST_SERIES:
        raise InvalidInput(
            f"{len(names)} series", hint=f"series=zone-1.temperature; 1 to {MOST_SERIES}"
        )
    key = request.path_params["id"]
    document, arrays = await platform.scenarios.result(key)
    return json_response(await series_of(platform, key, document, arrays, names))


async def state(platform: Platform, request: Request, who: Principal) -> Response:
    at = read_time(request.query_params.get("at", "now"), platform.clock(), "at")
    document, arrays = await platform.scenarios.result(request.path_params["id"])
    return json_response(state_of(document, arrays, at))


async def compare(platform: Platform, request: Request, _: Principal) -> Response:
    key = request.path_params["id"]
    others = [k for k in request.query_params.get("with", "").split(",") if k and k != key]
    keys = list(dict.fromkeys([key, *others]))
    if len(keys) > MOST_COMPARED:
        raise InvalidInput(f"{len(keys)} scenarios", hint=f"at most {MOST_COMPARED} are compared")
    found = [(k, *await platform.scenarios.result(k)) for k in keys]
    told = [await happened(platform, document, arrays) for _, document, arrays in found]
    return json_response(compared(platform, found, told))


async def promote(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), ("dryRun",))
    is_dry = body.get("dryRun", False)
    if not isinstance(is_dry, bool):
        raise InvalidInput("'dryRun' must be true or false")
    key = request.path_params["id"]
    found = await platform.promotions.promote(key, who, is_dry=is_dry)
    return json_response(found, 200 if is_dry else 202)


async def keep(platform: Platform, request: Request, who: Principal) -> Response:
    return json_response(await platform.scenarios.keep(request.path_params["id"], who.name))


# ---- behaviours ----------------------------------------------------------------------------------


async def behaviours(platform: Platform, _: Request, __: Principal) -> Response:
    found = platform.behaviours
    return json_response({"value": [found.view(doc) for doc in found.documents()]})


async def behaviour_kinds(_: Platform, __: Request, ___: Principal) -> Response:
    return json_response({"value": known_behaviours()})


async def behaviour(platform: Platform, request: Request, _: Principal) -> Response:
    found = platform.behaviours
    return json_response(found.view(found.document(request.path_params["id"])))


async def put_behaviour(platform: Platform, request: Request, who: Principal) -> Response:
    body = await _object(request)
    return json_response(await platform.behaviours.put(request.path_params["id"], body, who.name))


async def delete_behaviour(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.behaviours.delete(request.path_params["id"], who.name)
    return Response(status_code=204)


async def _object(request: Request) -> Json:
    found = await read_json(request)
    if not isinstance(found, dict):
        raise InvalidInput("the body must be a JSON object", hint="docs/reference/what-if.md")
    return found


READ, WRITE, START = "services:read", "services:write", "runs:start"
PROMOTE = "commands:send"
ATTACHMENT = {
    "type": "object",
    "required": ["model", "outputs"],
    "properties": {
        "model": {"type": "string", "description": "DTMI"},
        "title": {"type": "string"},
        "behaviour": {"type": "string", "examples": ["tank"]},
        "service": {"type": "string", "description": "whose calibrated parameters are taken"},
        "parameters": {"type": "object"},
        "twins": {"type": "object", "description": "by twin: its own parameters"},
        "inputs": {"type": "object", "description": "by input: a number or a formula"},
        "start": {"type": "object", "description": "by state: a number or a formula"},
        "outputs": {"type": "object", "description": "by path: a number or a formula"},
        "noise": {"type": "object", "description": "by state: deviation in the root of an hour"},
        "hidden": {"type": "object", "description": "by state nobody measures: its deviation"},
        "commands": {"type": "object", "description": "by property: the command that sets it"},
    },
}
DRY = {"type": "object", "properties": {"dryRun": {"type": "boolean"}}}
SERIES_QUERY = (("series", "TWIN.PATH, several with commas"),)
COMPARE_QUERY = (("with", "up to three others, with commas"),)
ROUTES = [
    Route("GET", "/scenarios", scenarios, READ, "Scenarios, the newest first",
          answer=Rows[Scenario]),
    Route("GET", "/scenarios/schema", schema, READ, "What a scenario may ask, as a JSON schema"),
    Route("GET", "/scenarios/{id}", scenario, READ, "One scenario, with its run",
          answer=Scenario),
    Route("PUT", "/scenarios/{id}", put_scenario, START, "Make or change a scenario", body=SCHEMA,
          answer=Scenario),
    Route("DELETE", "/scenarios/{id}", drop, START, "Drop a scenario", status=204),
    Route("POST", "/scenarios/{id}/run", run, START, "Fork and run a scenario", status=202,
          answer=Scenario),
    Route("GET", "/scenarios/{id}/result", result, READ, "What a scenario came to",
          answer=ScenarioResult),
    Route("GET", "/scenarios/{id}/series", series, READ, "Simulated series with their bands, "
          "beside the baseline and what was measured", query=SERIES_QUERY,
          answer=ScenarioSeries),
    Route("GET", "/scenarios/{id}/state", state, READ, "All simulated values as of a moment",
          query=(("at", "now unless said; outside the run its begin or end"),),
          answer=ScenarioState),
    Route("GET", "/scenarios/{id}/compare", compare, READ, "Up to four scenarios side by side, "
          "and against what then happened", query=COMPARE_QUERY,
          answer=ScenariosCompared),
    Route("POST", "/scenarios/{id}/promote", promote, PROMOTE, "Ask the plant for what a scenario "
          "set: commands and desired values, past their guards", body=DRY, status=202,
          answer=Promotion),
    Route("POST", "/scenarios/{id}/keep", keep, WRITE, "Write what was simulated into the history",
          answer=ScenarioKept),
    Route("GET", "/behaviours", behaviours, READ, "How twins behave in a what-if",
          answer=Rows[Behaviour]),
    Route("GET", "/behaviours/kinds", behaviour_kinds, READ, "Models of behaviour there are"),
    Route("GET", "/behaviours/{id}", behaviour, READ, "One of them", answer=Behaviour),
    Route("PUT", "/behaviours/{id}", put_behaviour, WRITE, "Say how the twins of a model behave",
          body=ATTACHMENT, answer=Behaviour),
    Route("DELETE", "/behaviours/{id}", delete_behaviour, WRITE, "Forget it", status=204),
]  # fmt: skip
