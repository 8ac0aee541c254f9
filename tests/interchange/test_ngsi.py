"""NGSI-LD entities keep to the schema of the standard, and expand to what the models mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyld import jsonld

from app.inside import inside
from gemel.core.units import all_units
from gemel.interchange.ngsi_export import CORE
from gemel.interchange.unece import CODES
from interchange.exchanged import POSITION, TIME, fill

HERE = Path(__file__).parent
NGSI = "https://uri.etsi.org/ngsi-ld/"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with inside(tmp_path_factory.mktemp("ngsi") / "data") as server:
        fill(server)
        body = server.ask("GET", "/export/ngsi-ld")
        report = server.ask("GET", "/export/ngsi-ld", report="true")
        yield {"entities": {one["id"]: one for one in body}, "report": report, "server": server}


def core(url: str, _: Any) -> dict[str, Any]:
    """The words of the core context that are used here; nothing else is fetched."""
    assert url == CORE
    text = json.loads((HERE / "ngsi_core.json").read_text("utf-8"))
    return {"contextUrl": None, "documentUrl": url, "document": text}


def test_entities_keep_to_the_schema(found: dict[str, Any]) -> None:
    schema = json.loads((HERE / "ngsi_schema.json").read_text("utf-8"))
    jsonschema.validate(list(found["entities"].values()), schema)
    assert len(found["entities"]) == 5  # three twins, and the bearings of two


def test_a_value_has_unit_code_time_and_geometry(found: dict[str, Any]) -> None:
    pump = found["entities"]["urn:ngsi-ld:Pump:pump-1"]
    assert pump["flow"] == {
        "type": "Property",
        "value": 12.5,
        "unitCode": "MQH",
        "observedAt": TIME,
    }
    assert pump["position"]["type"] == "GeoProperty"
    assert pump["position"]["value"] == POSITION
    assert pump["installed"]["value"] == {"@type": "Date", "@value": "2024-05-01"}
    assert pump["feeds"]["object"] == "urn:ngsi-ld:Pump:pump-2"
    assert pump["feeds"]["pipe"] == {"type": "Property", "value": "DN80"}
    assert pump["bearing"]["object"] == "urn:ngsi-ld:Pump:pump-1:bearing"
    bearing = found["entities"]["urn:ngsi-ld:Pump:pump-1:bearing"]
    assert (bearing["type"], bearing["temperature"]["unitCode"]) == ("Bearing", "CEL")
    works = found["entities"]["urn:ngsi-ld:Asset:works"]
    assert [one["object"] for one in works["contains"]] == [
        "urn:ngsi-ld:Pump:pump-1",
        "urn:ngsi-ld:Pump:pump-2",
    ]


def test_words_expand_to_the_ids_of_the_models(found: dict[str, Any]) -> None:
    pump = found["entities"]["urn:ngsi-ld:Pump:pump-1"]
    (expanded,) = jsonld.expand(pump, {"documentLoader": core})
    assert expanded["@type"] == ["dtmi:ex:Pump;1"]
    (flow,) = expanded["dtmi:ex:Pump:_contents:__flow;1"]
    assert flow["@type"] == [f"{NGSI}Property"]
    assert flow[f"{NGSI}hasValue"] == [{"@value": 12.5}]
    assert flow[f"{NGSI}observedAt"] == [{"@type": f"{NGSI}DateTime", "@value": TIME}]
    (feeds,) = expanded["dtmi:ex:Pump:_contents:__feeds;1"]
    assert feeds[f"{NGSI}hasObject"] == [{"@id": "urn:ngsi-ld:Pump:pump-2"}]
    unknown = [key for key in expanded if key.startswith(f"{NGSI}default-context/")]
    assert unknown == []


def test_what_has_no_place_is_in_the_report(found: dict[str, Any]) -> None:
    lost = {(one["kind"], one["place"]) for one in found["report"]["losses"]}
    assert ("dropped", "dtmi:ex:Pump;1: setSpeed") in lost
    assert ("changed", "dtmi:ex:Pump;1: mode") in lost
    assert found["entities"]["urn:ngsi-ld:Pump:pump-1"]["dtdl_mode"]["value"] == 1
    refused = found["server"].http.get("/export/ngsi-ld", params={"strict": "true"})
    assert refused.json()["error"]["code"] == "WouldLose"
    clean = found["server"].http.get("/export/ngsi-ld", params={"strict": "true", "twin": "works"})
    assert clean.status_code == 400  # what it contains is not exported with it


def test_codes_are_of_units_that_there_are_and_no_code_stands_twice() -> None:
    assert set(CODES) <= set(all_units())
    assert len(set(CODES.values())) == len(CODES)
    assert not {"HAR", "HN", "K5", "KTM", "UA"} & set(CODES.values()), "deprecated or deleted"
