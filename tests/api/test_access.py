"""Every route against every kind of caller: what is not in this table fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.inside import Inside, inside, until
from gemel.api.app import ROUTES

ANYONE = "none garbage expired viewer operator engineer admin device"
LOGGED_IN = "viewer operator engineer admin device"
READERS = "viewer operator engineer admin"
OPERATORS = "operator engineer admin"
ENGINEERS = "engineer admin"
SENDERS = "engineer admin device"
ADMINS = "admin"

TABLE = {
    "GET /": ANYONE,
    "GET /favicon.ico": ANYONE,
    "GET /t/{twin}": ANYONE,
    "GET /app/{path:path}": ANYONE,
    "GET /login": ANYONE,
    "GET /login/options": ANYONE,
    "GET /login/oidc": ANYONE,
    "GET /login/oidc/callback": ANYONE,
    "DELETE /session": ANYONE,
    "GET /health": ANYONE,
    "GET /openapi.json": ANYONE,
    "GET /docs": ANYONE,
    "POST /session": LOGGED_IN,
    "GET /authority.pem": ANYONE,
    "GET /roles": LOGGED_IN,
    "GET /installation": READERS,
    "GET /connections": READERS,
    "PUT /connections/{name}": ADMINS,
    "DELETE /connections/{name}": ADMINS,
    "GET /exports": READERS,
    "PUT /exports/{name}": ADMINS,
    "POST /exports/{name}/restart": ADMINS,
    "DELETE /exports/{name}": ADMINS,
    "GET /connections/{name}/browse": ENGINEERS,
    "POST /connections/{name}/twins": ENGINEERS,
    "GET /me": LOGGED_IN,
    "GET /status": LOGGED_IN,
    "GET /models": READERS,
    "GET /models/{id}": READERS,
    "POST /models": ENGINEERS,
    "PATCH /models/{id}": ENGINEERS,
    "DELETE /models/{id}": ENGINEERS,
    "GET /models/{id}/diff": READERS,
    "POST /models/{id}/migrations": ENGINEERS,
    "GET /jobs/migrations": READERS,
    "GET /jobs/migrations/{id}": READERS,
    "POST /jobs/migrations/{id}/cancel": ENGINEERS,
    "POST /jobs/migrations/{id}/undo": ENGINEERS,
    "GET /digitaltwins/{id}": READERS,
    "PUT /digitaltwins/{id}": ENGINEERS,
    "PATCH /digitaltwins/{id}": ENGINEERS,
    "DELETE /digitaltwins/{id}": ENGINEERS,
    "GET /digitaltwins/{id}/components/{path}": READERS,
    "PATCH /digitaltwins/{id}/components/{path}": ENGINEERS,
    "POST /digitaltwins/{id}/telemetry": SENDERS,
    "POST /digitaltwins/{id}/components/{path}/telemetry": SENDERS,
    "GET /digitaltwins/{id}/relationships": READERS,
    "GET /digitaltwins/{id}/relationships/{rid}": READERS,
    "PUT /digitaltwins/{id}/relationships/{rid}": ENGINEERS,
    "PATCH /digitaltwins/{id}/relationships/{rid}": ENGINEERS,
    "DELETE /digitaltwins/{id}/relationships/{rid}": ENGINEERS,
    "GET /digitaltwins/{id}/incomingrelationships": READERS,
    "GET /twins": READERS,
    "GET /twins/{twin}": READERS,
    "GET /twins/{twin}/changes": READERS,
    "GET /twins/{twin}/diff": READERS,
    "GET /diff": READERS,
    "GET /twins/{twin}/desired": READERS,
    "PATCH /twins/{twin}/desired": OPERATORS,
    "GET /discovered": READERS,
    "POST /discovered/{device}/adopt": ENGINEERS,
    "DELETE /discovered/{device}": ENGINEERS,
    "GET /rejects": READERS,
    "GET /gaps": READERS,
    "GET /sparkplug": READERS,
    "POST /sparkplug/rebirth": OPERATORS,
    "GET /scene": READERS,
    "PUT /scene/objects/{twin}": ENGINEERS,
    "DELETE /scene/objects/{twin}": ENGINEERS,
    "GET /attachments": READERS,
    "GET /attachments/{id}": READERS,
    "PUT /attachments/{id}": OPERATORS,
    "DELETE /attachments/{id}": OPERATORS,
    "GET /kpis": READERS,
    "GET /units": READERS,
    "GET /plant": READERS,
    "POST /plant": ENGINEERS,
    "GET /export": READERS,
    "GET /wot/{twin}": READERS,
    "GET /wot/{twin}/properties/{name}": READERS,
    "PUT /wot/{twin}/properties/{name}": OPERATORS,
    "GET /wot/{twin}/properties/{name}/next": READERS,
    "POST /wot/{twin}/actions/{name}": OPERATORS,
    "GET /wot/{twin}/events/{name}/next": READERS,
    "GET /export/{format}": READERS,
    "POST /import/{format}": ENGINEERS,
    "GET /aas/shells": READERS,
    "GET /aas/shells/{rest:path}": READERS,
    "GET /aas/submodels": READERS,
    "GET /aas/submodels/{rest:path}": READERS,
    "GET /aas/concept-descriptions": READERS,
    "GET /aas/concept-descriptions/{id}": READERS,
    "GET /aas/serialization": READERS,
    "GET /aas/description": READERS,
    "GET /bindings": READERS,
    "PUT /bindings/{id}": ENGINEERS,
    "DELETE /bindings/{id}": ENGINEERS,
    "GET /settings/{id}": READERS,
    "PUT /settings/{id}": ENGINEERS,
    "GET /history": READERS,
    "GET /history/last": READERS,
    "GET /history/series": READERS,
    "GET /history/statistics": READERS,
    "GET /prometheus/api/v1/query": READERS,
    "POST /prometheus/api/v1/query": READERS,
    "GET /prometheus/api/v1/query_range": READERS,
    "POST /prometheus/api/v1/query_range": READERS,
    "GET /prometheus/api/v1/series": READERS,
    "POST /prometheus/api/v1/series": READERS,
    "GET /prometheus/api/v1/labels": READERS,
    "POST /prometheus/api/v1/labels": READERS,
    "GET /prometheus/api/v1/label/{name}/values": READERS,
    "GET /prometheus/api/v1/metadata": READERS,
    "GET /prometheus/api/v1/status/buildinfo": READERS,
    "GET /twins/{twin}/limits": READERS,
    "GET /risks": READERS,
    "POST /graph": READERS,
    "GET /twins/{twin}/explain": READERS,
    "POST /graph/path": READERS,
    "GET /state": READERS,
    "GET /scene.glb": READERS,
    "GET /geometries": READERS,
    "POST /geometries": ENGINEERS,
    "GET /geometries/{hash}": READERS,
    "GET /geometries/{hash}/file": READERS,
    "GET /geometries/{hash}/mesh": READERS,
    "DELETE /geometries/{hash}": ENGINEERS,
    "PUT /scene/geometries/{name}": ENGINEERS,
    "DELETE /scene/geometries/{name}": ENGINEERS,
    "GET /views": READERS,
    "PUT /views/{id}": ENGINEERS,
    "DELETE /views/{id}": ENGINEERS,
    "GET /alarms": READERS,
    "GET /alarms/{id}": READERS,
    "GET /work-orders": READERS,
    "POST /work-orders": OPERATORS,
    "GET /work-orders/{id}": READERS,
    "PATCH /work-orders/{id}": OPERATORS,
    "POST /work-orders/{id}/acts": OPERATORS,
    "GET /receivers": ENGINEERS,
    "PUT /receivers/{id}": ENGINEERS,
    "DELETE /receivers/{id}": ENGINEERS,
    "POST /receivers/{id}/test": ENGINEERS,
    "GET /notifications": ENGINEERS,
    "PUT /notifications/{id}": ENGINEERS,
    "DELETE /notifications/{id}": ENGINEERS,
    "GET /notices": READERS,
    "GET /alarms/corrections": READERS,
    "GET /alarms/groups": READERS,
    "GET /alarms/groups/{id}": READERS,
    "GET /alarms/kpis": READERS,
    "GET /alarms/handover": READERS,
    "GET /alarms/philosophy": READERS,
    "PUT /alarms/philosophy": ENGINEERS,
    "GET /alarms/{id}/history": READERS,
    "POST /alarms/acts": OPERATORS,
    "POST /alarms/out-of-service": OPERATORS,
    "POST /alarms/{id}/acknowledge": OPERATORS,
    "POST /alarms/{id}/unacknowledge": OPERATORS,
    "POST /alarms/{id}/shelve": OPERATORS,
    "POST /alarms/{id}/unshelve": OPERATORS,
    "POST /alarms/{id}/out-of-service": OPERATORS,
    "POST /alarms/{id}/return-to-service": OPERATORS,
    "POST /alarms/{id}/comment": OPERATORS,
    "POST /alarms/{id}/clear": OPERATORS,
    "GET /derived": READERS,
    "POST /derived/check": READERS,
    "GET /derived/{id}": READERS,
    "PUT /derived/{id}": ENGINEERS,
    "DELETE /derived/{id}": ENGINEERS,
    "POST /graphql": READERS,
    "GET /policies": ADMINS,
    "GET /policies/{id}": ADMINS,
    "PUT /policies/{id}": ADMINS,
    "DELETE /policies/{id}": ADMINS,
    "POST /policies/check": ADMINS,
    "POST /policies/explain": ADMINS,
    "GET /rules": READERS,
    "POST /rules/check": READERS,
    "GET /rules/backtest": READERS,
    "POST /rules/backtest": ENGINEERS,
    "GET /rules/{id}": READERS,
    "PUT /rules/{id}": ENGINEERS,
    "DELETE /rules/{id}": ENGINEERS,
    "GET /commands": READERS,
    "GET /commands/{id}": READERS,
    "POST /commands": OPERATORS,
    "POST /commands/{id}/approve": OPERATORS,
    "POST /commands/{id}/refuse": OPERATORS,
    "POST /commands/{id}/cancel": OPERATORS,
    "GET /audit": OPERATORS,
    "POST /audit/checkpoint": OPERATORS,
    "GET /killswitch": READERS,
    "POST /killswitch/stop": OPERATORS,
    "POST /killswitch/resume": ENGINEERS,
    "GET /autonomy": READERS,
    "PUT /autonomy/{service}": ENGINEERS,
    "DELETE /autonomy/{service}": ENGINEERS,
    "GET /imported-models": READERS,
    "GET /imported-models/{name}": READERS,
    "PUT /imported-models/{name}": ENGINEERS,
    "DELETE /imported-models/{name}": ENGINEERS,
    "GET /services": READERS,
    "GET /services/kinds": READERS,
    "GET /services/{id}": READERS,
    "PUT /services/{id}": ENGINEERS,
    "DELETE /services/{id}": ENGINEERS,
    "GET /services/{id}/status": READERS,
    "PUT /services/{id}/version": ENGINEERS,
    "GET /runs": READERS,
    "POST /runs": OPERATORS,
    "GET /runs/{id}": READERS,
    "DELETE /runs/{id}": ENGINEERS,
    "POST /runs/{id}/cancel": OPERATORS,
    "GET /runs/{id}/result": READERS,
    "GET /runs/{id}/log": READERS,
    "GET /scenarios": READERS,
    "GET /scenarios/schema": READERS,
    "GET /scenarios/{id}": READERS,
    "PUT /scenarios/{id}": OPERATORS,
    "DELETE /scenarios/{id}": OPERATORS,
    "POST /scenarios/{id}/run": OPERATORS,
    "GET /scenarios/{id}/result": READERS,
    "GET /scenarios/{id}/series": READERS,
    "GET /scenarios/{id}/compare": READERS,
    "GET /scenarios/{id}/state": READERS,
    "POST /scenarios/{id}/promote": OPERATORS,
    "POST /scenarios/{id}/keep": ENGINEERS,
    "GET /behaviours": READERS,
    "GET /behaviours/kinds": READERS,
    "GET /behaviours/{id}": READERS,
    "PUT /behaviours/{id}": ENGINEERS,
    "DELETE /behaviours/{id}": ENGINEERS,
    "GET /value/cases": READERS,
    "POST /value/calculate": READERS,
    "GET /value/measured": READERS,
    "GET /value/fidelity": READERS,
    "GET /value/prices": READERS,
    "PUT /value/prices": ENGINEERS,
    "POST /ingest": SENDERS,
    "POST /ingest/{twin}": SENDERS,
    "GET /ping": ANYONE,
    "GET /odata": READERS,
    "GET /odata/{rest:path}": READERS,
    "POST /write": SENDERS,
    "POST /api/v2/write": SENDERS,
    "POST /query": READERS,
    "GET /jobs/imports": READERS,
    "PUT /jobs/imports/{id}": ENGINEERS,
    "GET /jobs/imports/{id}": READERS,
    "POST /jobs/imports/{id}/cancel": ENGINEERS,
    "DELETE /jobs/imports/{id}": ENGINEERS,
    "GET /jobs/deletions": READERS,
    "POST /jobs/deletions": ADMINS,
    "GET /jobs/deletions/{id}": READERS,
    "GET /imports": ENGINEERS,
    "PUT /imports/{file}": ENGINEERS,
    "GET /imports/{file}": ENGINEERS,
    "DELETE /imports/{file}": ENGINEERS,
    "GET /eventroutes": READERS,
    "GET /eventroutes/{id}": READERS,
    "PUT /eventroutes/{id}": ENGINEERS,
    "DELETE /eventroutes/{id}": ENGINEERS,
    "GET /endpoints": ADMINS,
    "GET /endpoints/{name}": ADMINS,
    "PUT /endpoints/{name}": ADMINS,
    "DELETE /endpoints/{name}": ADMINS,
    "GET /metrics": READERS,
    "POST /backup": ADMINS,
    "GET /check": ADMINS,
    "POST /compact": ADMINS,
    "GET /tokens": ADMINS,
    "POST /tokens": ADMINS,
    "DELETE /tokens/{id}": ADMINS,
}
CALLERS = ANYONE.split()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("access") / "data") as found:
        found.pumps("pump-1", "pump-2")
        yield found


@pytest.fixture(scope="module")
def secrets(server: Inside) -> dict[str, str | None]:
    found: dict[str, str | None] = {"none": None, "garbage": "gml_garbage"}
    found["expired"] = server.token("admin", seconds=1)
    server.clock.advance(2)
    found |= {role: server.token(role) for role in ("viewer", "operator", "engineer", "admin")}
    return found | {"device": server.token("device", "pump-1")}


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    assert sorted(f"{r.method} {r.path}" for r in ROUTES) == sorted(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_who_may_use_a_route(name: str, server: Inside, secrets: dict[str, str | None]) -> None:
    method, path = name.split(" ", 1)
    path = re.sub(r"{twin}|{id}", "pump-1", path)
    path = re.sub(r"{[^}]+}", "x", path)
    if name == "DELETE /digitaltwins/{id}":
        path = "/digitaltwins/nobody"
    body = b"" if method == "GET" else b"{}"
    allowed = set()
    for caller in CALLERS:
        with server.client(secrets[caller]) as client:
            answer = client.request(method, path, content=body)
        assert answer.status_code < 500, f"{caller}: {answer.status_code} {answer.text}"
        if answer.status_code == 401:
            assert caller in ("none", "garbage", "expired")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        elif answer.status_code == 403:
            assert answer.headers["x-ms-error-code"] == "Forbidden"
            assert caller not in ("none", "garbage", "expired")
        else:
            allowed.add(caller)
    assert allowed == set(TABLE[name].split())
    if name == "PUT /policies/{id}":  # an empty one permits everything to everybody, and no more
        server.ask("DELETE", "/policies/pump-1")
    if name == "POST /jobs/deletions":  # it takes no body, and has deleted everything
        until(
            lambda: all(
                j["status"] == "succeeded" for j in server.ask("GET", "/jobs/deletions")["value"]
            )
        )
        server.pumps("pump-1", "pump-2")


def test_a_device_sends_for_its_own_twins_alone(
    server: Inside, secrets: dict[str, str | None]
) -> None:
    with server.client(secrets["device"]) as client:
        assert client.post("/ingest/pump-1", json={"flow": 1}).json()["readings"] == 1
        assert client.post("/ingest/pump-2", json={"flow": 1}).status_code == 403
        assert client.post("/ingest/pump-1x", json={"flow": 1}).status_code == 403
        mixed = client.post("/ingest", json={"pump-1": {"flow": 2}, "pump-2": {"flow": 2}}).json()
        assert (mixed["readings"], mixed["rejected"]) == (1, 1)
        assert mixed["rejects"][0]["reason"] == "not-allowed"
        answer = client.post("/digitaltwins/pump-2/telemetry", json={"flow": 9})
        assert answer.status_code in (403, 204)
    for twin in ("pump-2", "pump-1x"):
        answer = server.http.get("/history", params={"twin": twin, "property": "flow"})
        assert answer.status_code == 404 or answer.json()["series"][0]["value"] == []


def test_a_token_in_the_address_is_not_taken(server: Inside) -> None:
    with server.client() as client:
        for query in ("token", "access_token", "api_key", "ticket"):
            assert client.get(f"/me?{query}={server.admin}").status_code == 401
        for value in (server.admin, f"Basic {server.admin}", "Bearer", f"Bearer  {server.admin} x"):
            assert client.get("/me", headers={"Authorization": value}).status_code == 401
        ok = client.get("/me", headers={"Authorization": f"bearer {server.admin}"})
        assert ok.json()["role"] == "admin"


@pytest.mark.parametrize("role", ["viewer", "operator", "engineer", "admin", "device"])
def test_me_tells_what_the_token_may(role: str, server: Inside) -> None:
    with server.client(server.token(role, "pump-1", name="nick")) as client:
        found = client.get("/me").json()
    assert (found["name"], found["role"]) == ("nick", role)
    assert ("tokens:write" in found["permissions"]) == (role == "admin")
