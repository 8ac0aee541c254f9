"""The Azure Digital Twins data plane over HTTP: status, headers, bodies, paging, error codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from httpx import Response

from gemel.api.adt import ROUTES
from gemel.core.access import ROLES, Principal

sys.path.insert(0, str(Path(__file__).parent))
from adt_server import GraphPlatform, TestClient, memory_platform

CONTEXT = "dtmi:dtdl:context;2"
ROOM, FLOOR, SENSOR = "dtmi:t:Room;1", "dtmi:t:Floor;1", "dtmi:t:Sensor;1"
MODELS: list[dict[str, Any]] = [
    {
        "@id": SENSOR,
        "@type": "Interface",
        "@context": CONTEXT,
        "displayName": "Sensor",
        "contents": [
            {"@type": "Property", "name": "serial", "schema": "string"},
            {"@type": "Telemetry", "name": "level", "schema": "double"},
        ],
    },
    {
        "@id": ROOM,
        "@type": "Interface",
        "@context": CONTEXT,
        "displayName": {"en": "Room", "de": "Raum"},
        "description": "a room",
        "contents": [
            {"@type": "Property", "name": "target", "schema": "double"},
            {"@type": "Property", "name": "label", "schema": "string"},
            {"@type": "Telemetry", "name": "temperature", "schema": "double"},
            {"@type": "Component", "name": "sensor", "schema": SENSOR},
        ],
    },
    {
        "@id": FLOOR,
        "@type": "Interface",
        "@context": CONTEXT,
        "contents": [
            {
                "@type": "Relationship",
                "name": "contains",
                "target": ROOM,
                "properties": [{"@type": "Property", "name": "door", "schema": "string"}],
            },
            {"@type": "Relationship", "name": "faces"},
        ],
    },
]
ROOM_TWIN = {"$metadata": {"$model": ROOM}, "target": 21, "sensor": {"$metadata": {}}}
FLOOR_TWIN = {"$metadata": {"$model": FLOOR}}


VERSIONS = ("2020-10-31", "2021-06-30-preview", "2022-05-31", "2023-06-30", "2023-10-31")


@pytest.fixture
def platform() -> GraphPlatform:
    return memory_platform()


@pytest.fixture
def client(platform: GraphPlatform) -> Iterator[TestClient]:
    with TestClient(platform) as found:
        yield found


@pytest.fixture
def house(client: TestClient) -> TestClient:
    """A floor that contains a room."""
    assert client.post("/models", json=MODELS).status_code == 201
    assert client.put("/digitaltwins/room", json=ROOM_TWIN).status_code == 200
    assert client.put("/digitaltwins/floor", json=FLOOR_TWIN).status_code == 200
    relate(client, "floor", "r1", "room")
    return client


def relate(client: TestClient, source: str, name: str, target: str, **more: Any) -> Response:
    body = {"$relationshipName": "contains", "$targetId": target, **more}
    return client.put(f"/digitaltwins/{source}/relationships/{name}", json=body)


def patch(client: TestClient, path: str, *operations: Any, **headers: str) -> Response:
    return client.patch(
        path,
        content=orjson.dumps(operations),
        headers={"Content-Type": "application/json-patch+json", **headers},
    )


def failed(response: Response, status: int, code: str, *words: str) -> dict[str, Any]:
    """The error in a response, which must be of the one form that all errors have."""
    assert response.status_code == status, response.text
    assert response.headers["x-ms-error-code"] == code
    error = response.json()["error"]
    assert error["code"] == code
    for word in words:
        assert word in error["message"]
    return error


# ---- models ----------------------------------------------------------------------------------


def test_models_are_created_in_the_order_given(client: TestClient) -> None:
    response = client.post("/models", json=MODELS)
    assert response.status_code == 201
    shown = response.json()
    assert [one["id"] for one in shown] == [SENSOR, ROOM, FLOOR]
    assert shown[0]["displayName"] == {"en": "Sensor"}
    assert shown[0]["description"] == {}
    assert shown[1]["displayName"] == {"en": "Room", "de": "Raum"}
    assert shown[1]["description"] == {"en": "a room"}
    assert all(one["decommissioned"] is False and one["uploadTime"] for one in shown)
    assert all("model" not in one for one in shown)


def test_models_are_refused_as_the_real_service_does(house: TestClient) -> None:
    failed(house.post("/models", json=[]), 400, "InvalidArgument")
    failed(house.post("/models", json=[{}]), 400, "DTDLParserError")
    failed(house.post("/models"), 400, "BadRequest")
    failed(house.post("/models", content=b"{"), 400, "JsonInvalid")
    failed(house.post("/models", content=b"[" * 100 + b"]" * 100), 400, "JsonInvalid", "deeper")
    failed(house.post("/models", json=MODELS), 409, "ModelIdAlreadyExists", SENSOR)
    bad = [
        MODELS[0] | {"@id": "dtmi:t:New;1"},
        MODELS[0] | {"@id": "dtmi:t:Bad;1", "extends": "dtmi:t:No;1"},
    ]
    failed(house.post("/models", json=bad), 400, "DTDLParserError", "dtmi:t:No;1")
    failed(house.get("/models/dtmi:t:New;1"), 404, "ModelNotFound", "dtmi:t:New;1")


def test_a_model_is_read_by_its_encoded_id(house: TestClient) -> None:
    for path in (ROOM, quote(ROOM, safe="")):
        shown = house.get(f"/models/{path}").json()
        assert shown["id"] == ROOM
        assert "model" not in shown
    shown = house.get(f"/models/{ROOM}", params={"includeModelDefinition": "true"}).json()
    assert shown["model"] == MODELS[1]
    shown = house.get(f"/models/{ROOM}", params={"includeBaseModelContents": "True"}).json()
    assert set(shown["properties"]) == {"target", "label"}
    failed(
        house.get(f"/models/{ROOM}", params={"includeModelDefinition": "perhaps"}),
        400,
        "InvalidArgument",
        "includeModelDefinition",
    )


def test_models_are_listed_in_pages_with_their_definitions(house: TestClient) -> None:
    found, pages = [], 0
    response = house.get(
        "/models",
        params={"includeModelDefinition": "true", "api-version": VERSIONS[-1]},
        headers={"max-items-per-page": "2"},
    )
    while True:
        body = response.json()
        found += body["value"]
        pages += 1
        if not body["nextLink"]:
            break
        response = house.get(body["nextLink"], headers={"max-items-per-page": "2"})
    assert pages == 2
    assert [one["id"] for one in found] == sorted([SENSOR, ROOM, FLOOR])
    assert all(one["model"] in MODELS for one in found)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {SENSOR, ROOM, FLOOR}),
        ("dependenciesFor=", {SENSOR, ROOM, FLOOR}),
        (f"dependenciesFor={ROOM}", {SENSOR, ROOM}),
        (f"dependenciesFor={FLOOR}&dependenciesFor={SENSOR}", {FLOOR, SENSOR}),
        (f"dependenciesFor={FLOOR},{ROOM}", {FLOOR, SENSOR, ROOM}),
    ],
)
def test_models_are_listed_with_what_they_need(
    house: TestClient, query: str, expected: set[str]
) -> None:
    found = house.get(f"/models?{query}").json()["value"]
    assert {one["id"] for one in found} == expected


def test_a_list_is_asked_for_wrongly(house: TestClient) -> None:
    failed(house.get("/models?dependenciesFor=dtmi:t:No;1"), 404, "ModelNotFound")
    failed(house.get("/models?continuationToken=zzz"), 400, "InvalidArgument", "zzz")
    for size in ("0", "-1", "x", "1.5", "²"):
        response = house.get("/models", headers={"max-items-per-page": size.encode("utf-8")})
        failed(response, 400, "InvalidArgument", "max-items-per-page")


def test_a_model_is_decommissioned(house: TestClient) -> None:
    operation = {"op": "replace", "path": "/decommissioned", "value": True}
    response = patch(house, f"/models/{ROOM}", operation)
    assert (response.status_code, response.content) == (204, b"")
    assert house.get(f"/models/{ROOM}").json()["decommissioned"] is True
    failed(house.put("/digitaltwins/new", json=ROOM_TWIN), 400, "ModelDecommissioned")
    failed(patch(house, f"/models/{ROOM}", operation | {"path": "/x"}), 400, "JsonPatchInvalid")
    failed(patch(house, "/models/dtmi:t:No;1", operation), 404, "ModelNotFound")


def test_models_are_deleted_unless_models_refer_to_them(house: TestClient) -> None:
    failed(house.delete(f"/models/{SENSOR}"), 409, "ModelReferencesNotDeleted", ROOM)
    assert house.delete(f"/models/{ROOM}").status_code == 204  # it has live twins
    assert house.delete(f"/models/{SENSOR}").status_code == 204
    failed(house.delete(f"/models/{SENSOR}"), 404, "ModelNotFound")
    assert house.get("/digitaltwins/room").json()["target"] == 21
    assert house.get("/digitaltwins/room/components/sensor").status_code == 200
    failed(house.get("/digitaltwins/room/components/target"), 404, "ComponentNotFound")


# ---- twins -----------------------------------------------------------------------------------


def test_a_twin_is_shown_as_it_was_made(house: TestClient) -> None:
    response = house.put("/digitaltwins/room-2", json=ROOM_TWIN)
    assert response.status_code == 200
    shown = response.json()
    assert shown["$dtId"] == "room-2"
    assert shown["target"] == 21
    assert shown["$etag"] == response.headers["ETag"]
    assert shown["$etag"].startswith('W/"')
    assert shown["$metadata"]["$model"] == ROOM
    assert shown["$metadata"]["$lastUpdateTime"]
    assert shown["$metadata"]["target"]["lastUpdateTime"].endswith("Z")
    again = house.get("/digitaltwins/room-2")
    assert again.json() == shown
    assert again.headers["ETag"] == shown["$etag"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_api_version_is_accepted(house: TestClient, version: str) -> None:
    for path in ("/digitaltwins/room", "/models", "/digitaltwins/floor/relationships"):
        assert house.get(path, params={"api-version": version}).status_code == 200


@pytest.mark.parametrize("twin", ["a%b", "a?b", "a#b", "a+b", "a.b,c(d)!*'$=@_-", "x:1"])
def test_percent_encoded_ids_work(house: TestClient, twin: str) -> None:
    path = "/digitaltwins/" + quote(twin, safe="")
    assert house.put(path, json=FLOOR_TWIN).status_code == 200
    assert house.get(path).json()["$dtId"] == twin
    for number in range(3):
        response = relate(house, quote(twin, safe=""), f"r{number}", "room")
        assert response.status_code == 200
    body = house.get(path + "/relationships", headers={"max-items-per-page": "2"}).json()
    rest = house.get(body["nextLink"]).json()
    assert [one["$relationshipId"] for one in body["value"] + rest["value"]] == ["r0", "r1", "r2"]
    assert {one["$sourceId"] for one in body["value"] + rest["value"]} == {twin}
    incoming = house.get("/digitaltwins/room/incomingrelationships").json()["value"]
    link = next(one["$relationshipLink"] for one in incoming if one["$sourceId"] == twin)
    assert house.get(link).json()["$sourceId"] == twin


def test_twins_are_refused_as_the_real_service_does(house: TestClient) -> None:
    failed(house.get("/digitaltwins/no"), 404, "DigitalTwinNotFound", "'no'")
    failed(house.delete("/digitaltwins/no"), 404, "DigitalTwinNotFound")
    failed(patch(house, "/digitaltwins/no"), 404, "DigitalTwinNotFound")
    bad = ROOM_TWIN | {"colour": "red"}
    error = failed(
        house.put("/digitaltwins/room", json=bad),
        400,
        "ValidationFailed",
        "Invalid twin specified",
        "colour",
    )
    assert error["details"][0]["code"] == "ValidationFailed"
    assert "colour" in error["details"][0]["message"]
    failed(house.put("/digitaltwins/x", json=[{}]), 400, "InvalidArgument")
    failed(house.put("/digitaltwins/x"), 400, "BadRequest")
    failed(house.put("/digitaltwins/x", json={}), 400, "ValidationFailed", "model")
    failed(house.put("/digitaltwins/a%20b", json=ROOM_TWIN), 400, "InvalidArgument", "'a b'")
    large = ROOM_TWIN | {"label": "x" * (1 << 20)}
    assert house.put("/digitaltwins/x", json=large).status_code == 413


def test_patches_are_refused_as_the_real_service_does(house: TestClient) -> None:
    path = "/digitaltwins/room"
    move = {"op": "move", "path": "/target", "value": 42}
    failed(patch(house, path, move), 400, "JsonPatchInvalid", "move")
    failed(patch(house, path, {}), 400, "JsonPatchInvalid")
    failed(patch(house, path, {"op": "add", "path": "/x", "value": 1}), 400, "ValidationFailed")
    for part in (path, path + "/components/sensor", f"/models/{ROOM}"):
        for body in (b'["x"]', b'{"target": 42}', b"3"):
            response = house.patch(part, content=body)
            assert response.status_code == 400
            assert response.headers["content-type"] == "application/problem+json"
            assert set(response.json()) == {"errors", "type", "title", "status"}
    response = house.patch("/digitaltwins/floor/relationships/r1", content=b"{}")
    assert response.headers["content-type"] == "application/problem+json"
    assert house.get(path).json()["target"] == 21


def test_a_twin_is_patched(house: TestClient) -> None:
    before = house.get("/digitaltwins/room").json()
    response = patch(
        house,
        "/digitaltwins/room",
        {"op": "replace", "path": "/target", "value": 19.5},
        {"op": "add", "path": "/label", "value": "x"},
    )
    assert (response.status_code, response.content) == (204, b"")
    after = house.get("/digitaltwins/room").json()
    assert (after["target"], after["label"]) == (19.5, "x")
    assert after["$etag"] == response.headers["ETag"] != before["$etag"]


def test_conditions_are_held(house: TestClient) -> None:
    old = house.get("/digitaltwins/room").json()["$etag"]
    path, wrong = "/digitaltwins/room", 'W/"7e67a355-f19c-4c19-8a10-2d69b2d2253f"'
    response = house.put(path, json=ROOM_TWIN, headers={"If-None-Match": "*"})
    failed(response, 412, "PreconditionFailed", "'room'")
    operation = {"op": "replace", "path": "/target", "value": 1}
    failed(patch(house, path, operation, **{"If-Match": wrong}), 412, "PreconditionFailed")
    part = path + "/components/sensor"
    failed(patch(house, part, **{"If-Match": wrong}), 412, "PreconditionFailed")
    assert patch(house, path, operation, **{"If-Match": old}).status_code == 204
    failed(patch(house, path, operation, **{"If-Match": old}), 412, "PreconditionFailed")
    assert patch(house, path, operation, **{"If-Match": "*"}).status_code == 204
    link = "/digitaltwins/floor/relationships/r1"
    failed(house.delete(link, headers={"If-Match": wrong}), 412, "PreconditionFailed")
    failed(patch(house, link, **{"If-Match": wrong}), 412, "PreconditionFailed")
    response = house.put(
        link,
        json={"$relationshipName": "contains", "$targetId": "room"},
        headers={"If-None-Match": "*"},
    )
    failed(response, 412, "PreconditionFailed")
    etag = house.get(link).headers["ETag"]
    assert house.delete(link, headers={"If-Match": etag}).status_code == 204
    failed(house.delete(path, headers={"If-Match": wrong}), 412, "PreconditionFailed")
    assert house.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_a_twin_with_relationships_is_not_deleted(house: TestClient) -> None:
    for twin in ("room", "floor"):
        response = house.delete(f"/digitaltwins/{twin}")
        failed(response, 409, "RelationshipsNotDeleted", "'r1'")
    assert house.delete("/digitaltwins/floor/relationships/r1").status_code == 204
    assert house.delete("/digitaltwins/room").status_code == 204


def test_components_are_read_and_patched(house: TestClient) -> None:
    path = "/digitaltwins/room/components/sensor"
    operation = {"op": "add", "path": "/serial", "value": "s-1"}
    response = patch(house, path, operation)
    assert response.status_code == 204
    shown = house.get(path)
    assert shown.json()["serial"] == "s-1"
    assert shown.json()["$metadata"]["serial"]["lastUpdateTime"]
    assert shown.headers["ETag"] == response.headers["ETag"]
    assert house.get("/digitaltwins/room").json()["sensor"] == shown.json()
    failed(patch(house, path, operation | {"value": 1}), 400, "ValidationFailed", "sensor.serial")
    for call in (house.get(path + "x"), patch(house, path + "x", operation)):
        failed(call, 404, "ComponentNotFound", "'sensorx'")
    failed(house.get("/digitaltwins/no/components/sensor"), 404, "DigitalTwinNotFound")


def test_what_the_device_reported_is_shown(house: TestClient, platform: GraphPlatform) -> None:
    later = platform.clock() + 10**9
    platform.reported["room", "target"] = (23.5, later)
    platform.reported["room", "sensor.serial"] = ("s-7", later)
    platform.reported["room", "temperature"] = (20.0, later)
    shown = house.get("/digitaltwins/room").json()
    assert shown["target"] == 23.5
    assert "temperature" not in shown
    assert house.get("/digitaltwins/room/components/sensor").json()["serial"] == "s-7"
    changed = {"op": "replace", "path": "/target", "value": 18}
    for _ in range(3):
        patch(house, "/digitaltwins/room", changed)
    assert house.get("/digitaltwins/room").json()["target"] == 18


# ---- telemetry -------------------------------------------------------------------------------


def test_telemetry_goes_the_way_of_the_devices(house: TestClient, platform: GraphPlatform) -> None:
    path = "/digitaltwins/room"
    response = house.post(
        path + "/telemetry", json={"temperature": 20}, headers={"Message-Id": "m1"}
    )
    assert (response.status_code, response.content) == (204, b"")
    time = "2026-01-01T00:00:00Z"
    response = house.post(
        path + "/components/sensor/telemetry",
        json={"level": 1.5},
        headers={"Telemetry-Source-Time": time, "Message-Id": "m2"},
    )
    assert response.status_code == 204
    assert house.post(path + "/telemetry", json=[{"temperature": 1}, {}]).status_code == 204
    topics = [message.topic for message in platform.messages]
    assert topics == ["devices/room/telemetry"] * 3
    bodies = [orjson.loads(message.payload) for message in platform.messages]
    assert bodies == [
        [{"temperature": 20}],
        [{"ts": time, "values": {"sensor": {"level": 1.5}}}],
        [{"temperature": 1}, {}],
    ]
    assert all(message.received and message.who is platform.who for message in platform.messages)


def test_telemetry_that_cannot_be_taken_is_refused(
    house: TestClient, platform: GraphPlatform
) -> None:
    body = {"temperature": 1}
    failed(house.post("/digitaltwins/no/telemetry", json=body), 404, "DigitalTwinNotFound")
    part = "/digitaltwins/{}/components/{}/telemetry"
    failed(house.post(part.format("no", "sensor"), json=body), 404, "DigitalTwinNotFound")
    failed(house.post(part.format("room", "no"), json=body), 404, "ComponentNotFound")
    path = "/digitaltwins/room/telemetry"
    failed(house.post(path, json=5), 400, "InvalidArgument", "JSON object")
    failed(house.post(path, json=[5]), 400, "InvalidArgument", "JSON object")
    failed(house.post(path), 400, "BadRequest")
    response = house.post(path, json=body, headers={"Telemetry-Source-Time": "soon"})
    failed(response, 400, "InvalidArgument", "Telemetry-Source-Time")
    platform.who = Principal("d", "device", ("other",))
    failed(house.post(path, json=body), 403, "Forbidden", "'room'")
    assert platform.messages == []
    platform.who = Principal("d", "device", ("ro*",))
    assert house.post(path, json=body).status_code == 204


# ---- relationships ---------------------------------------------------------------------------


def test_a_relationship_is_shown_as_it_was_made(house: TestClient) -> None:
    response = relate(house, "floor", "r2", "room", door="north", **{"$sourceId": "x"})
    assert response.status_code == 200
    shown = response.json()
    assert shown == {
        "$relationshipId": "r2",
        "$etag": response.headers["ETag"],
        "$sourceId": "floor",
        "$relationshipName": "contains",
        "$targetId": "room",
        "door": "north",
    }
    assert house.get("/digitaltwins/floor/relationships/r2").json() == shown


def test_relationships_are_refused_as_the_real_service_does(house: TestClient) -> None:
    failed(relate(house, "no", "r", "room"), 404, "DigitalTwinNotFound")
    failed(relate(house, "floor", "r", "no"), 400, "ValidationFailed", "'no'")
    failed(relate(house, "floor", "r", "floor"), 400, "ValidationFailed", ROOM)
    failed(relate(house, "room", "r", "room"), 400, "ValidationFailed")
    failed(house.get("/digitaltwins/floor/relationships/no"), 404, "RelationshipNotFound")
    failed(house.get("/digitaltwins/no/relationships/r1"), 404, "DigitalTwinNotFound")
    failed(house.get("/digitaltwins/no/relationships"), 404, "DigitalTwinNotFound")
    failed(house.get("/digitaltwins/no/incomingrelationships"), 404, "DigitalTwinNotFound")
    failed(patch(house, "/digitaltwins/floor/relationships/no"), 404, "RelationshipNotFound")
    failed(house.delete("/digitaltwins/floor/relationships/no"), 404, "RelationshipNotFound")


def test_a_relationship_is_patched(house: TestClient) -> None:
    path = "/digitaltwins/floor/relationships/r1"
    response = patch(house, path, {"op": "add", "path": "/door", "value": "east"})
    assert response.status_code == 204
    shown = house.get(path).json()
    assert shown["door"] == "east"
    assert shown["$etag"] == response.headers["ETag"]
    failed(
        patch(house, path, {"op": "replace", "path": "/$targetId", "value": "x"}),
        400,
        "JsonPatchInvalid",
    )


def test_relationships_are_listed_by_name(house: TestClient) -> None:
    body = {"$relationshipName": "faces", "$targetId": "floor"}
    house.put("/digitaltwins/floor/relationships/f1", json=body)
    path = "/digitaltwins/floor/relationships"
    names = [one["$relationshipId"] for one in house.get(path).json()["value"]]
    assert names == ["f1", "r1"]
    found = house.get(path, params={"relationshipName": "faces"}).json()["value"]
    assert [one["$relationshipId"] for one in found] == ["f1"]
    assert house.get(path, params={"relationshipName": "no"}).json()["value"] == []
    incoming = house.get("/digitaltwins/floor/incomingrelationships").json()["value"]
    assert incoming == [
        {
            "$relationshipId": "f1",
            "$sourceId": "floor",
            "$relationshipName": "faces",
            "$relationshipLink": "/digitaltwins/floor/relationships/f1",
        }
    ]


def test_incoming_relationships_come_in_pages(house: TestClient) -> None:
    for number in range(5):
        house.put(f"/digitaltwins/floor-{number}", json=FLOOR_TWIN)
        relate(house, f"floor-{number}", "r1", "room")
    found: list[str] = []
    link = "/digitaltwins/room/incomingrelationships"
    while link:
        body = house.get(link, headers={"max-items-per-page": "2"}).json()
        assert len(body["value"]) <= 2
        found += [one["$sourceId"] for one in body["value"]]
        link = body["nextLink"]
    assert found == ["floor", *(f"floor-{number}" for number in range(5))]


# ---- the table -------------------------------------------------------------------------------


def test_every_route_needs_a_permission_that_exists() -> None:
    known = frozenset().union(*ROLES.values())
    assert {route.allow for route in ROUTES} <= known
    for route in ROUTES:
        is_changing = route.method != "GET" and route.path != "/query"
        assert not (is_changing and route.allow.endswith(":read")), route
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES) == 40


def test_edits_say_who_made_them_and_how(house: TestClient, platform: GraphPlatform) -> None:
    patch(house, "/digitaltwins/room", {"op": "replace", "path": "/target", "value": 1})
    versions = platform.documents.versions("twin", "room")
    assert [(v.who, v.why) for v in versions] == [
        ("ann", "PUT /digitaltwins/room"),
        ("ann", "PATCH /digitaltwins/room"),
    ]
