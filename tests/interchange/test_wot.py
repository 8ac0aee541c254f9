"""The Web of Things: node-wot consumes a twin's description and uses the running server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import peers
from app.inside import Inside, inside, until
from interchange.exchanged import PUMP, fill

HERE = Path(__file__).parent
PACKAGES = (
    "@node-wot/core@0.9.2",
    "@node-wot/binding-http@0.9.2",
    "wot-thing-description-types@1.1.0-12-March-2025",
)
RULE = {"model": PUMP, "when": "flow > 90", "title": "Too much", "priority": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("wot") / "data") as found:
        fill(found)
        yield found


@pytest.fixture(scope="session")
def node_wot() -> Path:
    folder, why_not = peers.npm(*PACKAGES)
    if folder is None:
        pytest.skip(why_not)
    return folder


@pytest.mark.peer
def test_node_wot_reads_writes_invokes_observes_and_hears_of_alarms(
    server: Inside, node_wot: Path
) -> None:
    server.ask("PUT", "/rules/much", RULE)
    command = ["node", str(HERE / "wot_peer.mjs"), str(node_wot), server.url, server.admin]
    found: dict[str, Any] = {}
    with subprocess.Popen(
        [*command, "pump-1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                said = json.loads(line)
                found[said["what"]] = said["value"]
                if "observing" in found and "observed" not in found:
                    server.ingest("pump-1", flow=95.0)
            assert child.wait(60) == 0, found
        finally:
            child.kill()
    assert found["valid"] == []
    assert (found["flow"], found["bearing"]) == (12.5, 61.5)
    assert found["limits"] == {"low": 1.0, "high": 90.0}
    assert found["invoked"] == {"command": "setSpeed", "arguments": 40}
    assert (found["observed"], found["alarm"]) == (95.0, "pump-1")
    (asked,) = server.ask("GET", "/twins/pump-1/desired")["value"]
    assert (asked["property"], asked["value"]) == ("target", 55.5)


def test_the_mqtt_form_leads_to_what_the_device_sends(server: Inside) -> None:
    thing = server.ask("GET", "/wot/pump-2")
    form = thing["events"]["telemetry"]["forms"][0]
    assert form["href"] == f"mqtt://{server.addresses.mqtt}"
    watcher = server.device("x", client_id="watcher", token=server.admin)
    watcher.subscribe(form["mqv:filter"])
    device = server.device("pump-2")
    device.publish(form["mqv:filter"], b'{"flow": 3.5}')
    until(lambda: watcher.heard)
    assert json.loads(watcher.heard[0][1]) == {"flow": 3.5}
    for one in (watcher, device):
        one.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/wot/none", 404),
        ("GET", "/wot/pump-1/properties/none", 404),
        ("GET", "/wot/pump-1/properties/none/next", 404),
        ("PUT", "/wot/pump-1/properties/flow", 400),
        ("PUT", "/wot/pump-1/properties/target", 400),
        ("POST", "/wot/pump-1/actions/none", 404),
        ("GET", "/wot/pump-1/events/none/next", 404),
    ],
)
def test_what_is_not_there_is_refused(server: Inside, method: str, path: str, status: int) -> None:
    answer = server.http.request(method, path, json="words" if method == "PUT" else None)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


# ---- files ---------------------------------------------------------------------------------------


def test_thing_models_come_back_as_the_models_they_were(server: Inside, tmp_path: Path) -> None:
    models = [m["id"] for m in server.ask("GET", "/models")["value"]]
    document = server.http.get("/export/wot", params={"model": models}).content
    with inside(tmp_path / "data") as other:
        answer = other.http.post("/import/wot", content=document)
        assert answer.json()["imported"] == {"models": len(models)}
        assert answer.json()["report"]["isLossless"]
        assert other.ask("GET", "/plant")["models"] == server.ask("GET", "/plant")["models"]


def test_descriptions_become_twins_with_relationships(server: Inside, tmp_path: Path) -> None:
    document = server.http.get("/export/wot").content
    with inside(tmp_path / "data") as other:
        report = other.http.post("/import/wot", content=document).json()["report"]
        plant = other.ask("GET", "/plant")
        assert sorted(plant["twins"]) == ["pump-1", "pump-2", "works"]
        assert plant["twins"]["works"]["contains"] == ["pump-1", "pump-2"]
        model = other.platform.graph.models[plant["twins"]["pump-1"]["model"]]
        assert model.telemetries()["flow"].unit == "cubicMetrePerHour"
        assert model.telemetries()["mode"].schema.kind == "enum"
        assert model.properties()["limits"].writable
        assert model.commands()["setSpeed"].request.schema.kind == "double"  # type: ignore[union-attr]
        assert ("dropped", "thing Works.security") in {
            (one["kind"], one["place"]) for one in report["losses"]
        }


LAMP = {
    "@context": "https://www.w3.org/2022/wot/td/v1.1",
    "id": "urn:dev:lamp",
    "title": "My lamp",
    "securityDefinitions": {"none": {"scheme": "nosec"}},
    "security": "none",
    "properties": {
        "on-off": {"type": "boolean", "forms": [{"href": "coap://x/on"}]},
        "level": {"type": "integer", "minimum": 0, "maximum": 100, "unit": "furlong"},
        "colour": {"type": "string", "enum": ["warm", "cold"]},
        "temperature": {"type": "number", "unit": "°C", "readOnly": True, "observable": True},
        "scene": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    },
    "actions": {"fade": {"input": {"type": "object", "properties": {"to": {"type": "number"}}}}},
    "events": {"overheated": {"data": {"type": "number"}}},
}


def test_a_description_of_others_becomes_a_model_and_a_report(server: Inside) -> None:
    found = server.ask("POST", "/import/wot", LAMP)
    assert found["imported"] == {"models": 1, "twins": 1}
    lamp = server.platform.graph.models["dtmi:wot:My_lamp;1"]
    kinds = {name: type(one).__name__ for name, one in lamp.contents.items()}
    assert kinds == {
        "title": "Property",
        "thingId": "Property",
        "on_off": "Property",
        "level": "Property",
        "colour": "Property",
        "temperature": "Telemetry",
        "scene": "Property",
        "fade": "Command",
        "overheated": "Telemetry",
    }
    assert lamp.telemetries()["temperature"].unit == "degreeCelsius"
    assert lamp.properties()["colour"].schema.kind == "enum"
    lost = {
        (one["kind"], one["place"].removeprefix("thing My lamp."))
        for one in found["report"]["losses"]
    }
    assert lost >= {
        ("changed", "on-off"),
        ("dropped", "on-off.forms"),
        ("dropped", "level.minimum"),
        ("dropped", "level.unit"),
        ("approximated", "scene"),
        ("dropped", "security"),
    }


@pytest.mark.parametrize("content", [b"{", b"[1]", b"{}", b'{"title": "x", "properties": 3}'])
def test_what_is_no_description_is_refused(server: Inside, content: bytes) -> None:
    answer = server.http.post("/import/wot", content=content)
    assert answer.status_code == 400
    assert re.search("not valid JSON|no Thing Description", answer.json()["error"]["message"])


def test_a_request_that_is_held_ends_when_the_server_does(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as found:
        fill(found)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(found.http.get, "/wot/pump-1/properties/count/next")
            until(lambda: found.platform.hub.watchers)
            found.call(found.platform.hub.close)
            assert asked.result(60).json() == 7
