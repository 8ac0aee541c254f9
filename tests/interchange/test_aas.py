"""The Asset Administration Shell: files and the running server pass aas-test-engines."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import peers
from app.inside import Inside, inside
from gemel.api.aas import PROFILES
from interchange.exchanged import PUMP, TIME, fill

HERE = Path(__file__).parent
PACKAGE = "aas-test-engines==1.0.3"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("aas") / "data") as found:
        fill(found)
        yield found


@pytest.fixture(scope="session")
def engines() -> Path:
    folder, why_not = peers.pip("aas-test-engines", PACKAGE)
    if folder is None:
        pytest.skip(why_not)
    return folder


def judged(engines: Path, *words: str) -> dict[str, Any]:
    """What aas-test-engines says."""
    done = subprocess.run(
        [sys.executable, str(HERE / "aas_peer.py"), *words],
        env={**os.environ, "PYTHONPATH": str(engines)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def coded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.peer
@pytest.mark.parametrize("form", ["aas", "aasx"])
def test_exported_files_pass_the_test_engines(
    server: Inside, engines: Path, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"plant.{form}"
    file.write_bytes(server.http.get(f"/export/{form}").content)
    found = judged(engines, "check_file", str(file), "json" if form == "aas" else "aasx")
    assert found["failures"] == []
    assert found["ok"]


@pytest.mark.peer
@pytest.mark.parametrize("suite", PROFILES, ids=lambda suite: suite.split("/")[-2])
def test_the_running_server_passes_the_read_profile(
    server: Inside, engines: Path, suite: str
) -> None:
    found = judged(engines, "check_server", f"{server.url}/aas", server.admin, suite)
    assert found["failures"] == []
    assert found["ok"]
    assert found["checks"] > 100


def element(server: Inside, path: str, view: str = "") -> Any:
    submodel = coded("urn:gemel:submodel:pump-1")
    return server.ask("GET", f"/aas/submodels/{submodel}/submodel-elements/{path}{view}")


def test_a_value_has_its_type_unit_time_and_quality(server: Inside) -> None:
    flow = element(server, "flow")
    assert (flow["valueType"], flow["value"]) == ("xs:double", "12.5")
    said = {one["type"]: one["value"] for one in flow["qualifiers"]}
    assert said == {"gemel:kind": "Telemetry", "gemel:time": TIME, "gemel:quality": "good"}
    meaning = flow["semanticId"]["keys"][0]["value"]
    assert meaning == "dtmi:ex:Pump:_contents:__flow;1"
    concept = server.ask("GET", f"/aas/concept-descriptions/{coded(meaning)}")
    about = concept["embeddedDataSpecifications"][0]["dataSpecificationContent"]
    assert (about["unit"], about["dataType"]) == ("m³/h", "REAL_MEASURE")


def test_values_are_shown_without_anything_about_them(server: Inside) -> None:
    submodel = coded("urn:gemel:submodel:pump-1")
    values = server.ask("GET", f"/aas/submodels/{submodel}/$value")
    assert values["limits"] == {"low": 1.0, "high": 90.0}
    assert values["points"] == [0.0, 1.5]
    assert values["running"] is True
    assert values["count"] == 7
    assert values["position"]["coordinates"] == [4.5, 52.25]
    assert element(server, "limits.low", "/$value") == {"low": 1.0}
    assert element(server, "points%5B1%5D", "/$value") == 1.5
    bearing = coded("urn:gemel:submodel:pump-1/bearing")
    assert server.ask("GET", f"/aas/submodels/{bearing}/$value")["temperature"] == 61.5


def test_pages_follow_each_other_to_the_end(server: Inside) -> None:
    found: list[str] = []
    cursor = None
    while True:
        page = server.ask("GET", "/aas/shells", limit=1, **({"cursor": cursor} if cursor else {}))
        found += [one["idShort"] for one in page["result"]]
        cursor = page["paging_metadata"].get("cursor")
        if cursor is None:
            break
    assert found == ["pump_1", "pump_2", "works"]


def test_relationships_lead_from_shell_to_shell(server: Inside) -> None:
    feeds = element(server, "feeds_pump_2")
    assert feeds["second"]["keys"][0]["value"] == "urn:gemel:shell:pump-2"
    assert feeds["annotations"][0]["value"] == "DN80"


@pytest.mark.parametrize("name", ["urn:gemel:submodel:pump-1/none", "x"])
def test_submodels_that_are_not_there_are_no_list(server: Inside, name: str) -> None:
    found = server.ask("GET", "/aas/serialization", submodelIds=coded(name))
    assert "submodels" not in found


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/aas/shells/" + coded("urn:gemel:shell:none"), 404),
        ("/aas/shells/=====", 400),
        ("/aas/shells/", 404),
        ("/aas/submodels/", 404),
        ("/aas/shells?limit=0", 400),
        ("/aas/submodels/" + coded("urn:gemel:submodel:pump-1") + "/submodel-elements/none", 404),
        ("/aas/submodels/" + coded("urn:gemel:submodel:pump-1") + "/submodel-elements/a..b", 400),
        ("/aas/submodels/" + coded(PUMP), 404),
        ("/aas/serialization?includeConceptDescriptions=perhaps", 400),
    ],
)
def test_what_is_not_there_is_said_in_the_words_of_that_api(
    server: Inside, path: str, status: int
) -> None:
    answer = server.http.get(path)
    assert answer.status_code == status
    assert answer.json()["messages"][0]["messageType"] == "Error"


# ---- import --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["aas", "aasx"])
def test_an_exported_plant_comes_back_the_same(server: Inside, tmp_path: Path, form: str) -> None:
    document = server.http.get(f"/export/{form}").content
    before = server.ask("GET", "/plant")
    with inside(tmp_path / "data") as other:
        answer = other.http.post(f"/import/{form}", content=document)
        assert answer.status_code == 200, answer.text
        after = other.ask("GET", "/plant")
        assert after["models"] == before["models"]
        assert after["twins"] == before["twins"]
        reasons = {one["reason"] for one in answer.json()["report"]["losses"]}
        assert reasons == {"values of telemetry are readings: a device sends them"}


def prop(name: str, value_type: str, value: str, **more: Any) -> dict[str, Any]:
    return {
        "modelType": "Property",
        "idShort": name,
        "valueType": value_type,
        "value": value,
        **more,
    }


def meant(key: str) -> dict[str, Any]:
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": key}]}


FOREIGN: dict[str, Any] = {
    "assetAdministrationShells": [
        {
            "modelType": "AssetAdministrationShell",
            "id": "https://example.org/shells/motor",
            "idShort": "Motor",
            "assetInformation": {"assetKind": "Instance", "globalAssetId": "https://e.org/m"},
            "submodels": [
                {"type": "ModelReference", "keys": [{"type": "Submodel", "value": "urn:sm:data"}]}
            ],
        }
    ],
    "submodels": [
        {
            "modelType": "Submodel",
            "id": "urn:sm:data",
            "idShort": "TechnicalData",
            "submodelElements": [
                prop("power", "xs:double", "7.5", semanticId=meant("urn:cd:power")),
                prop("poles", "xs:int", "4"),
                prop("built", "xs:date", "2024-05-01+02:00"),
                {
                    "modelType": "MultiLanguageProperty",
                    "idShort": "maker",
                    "value": [{"language": "de", "text": "Beispiel"}],
                },
                {
                    "modelType": "Range",
                    "idShort": "temperature",
                    "valueType": "xs:double",
                    "min": "-20",
                    "max": "40",
                },
                {
                    "modelType": "SubmodelElementCollection",
                    "idShort": "frame",
                    "value": [prop("size", "xs:string", "132S"), prop("mass", "xs:double", "61")],
                },
                {
                    "modelType": "SubmodelElementList",
                    "idShort": "speeds",
                    "typeValueListElement": "Property",
                    "valueTypeListElement": "xs:double",
                    "value": [{"modelType": "Property", "valueType": "xs:double", "value": "1450"}],
                },
                {
                    "modelType": "Operation",
                    "idShort": "start",
                    "inputVariables": [{"value": prop("ramp", "xs:double", "1")}],
                },
                {"modelType": "Capability", "idShort": "turning"},
            ],
        }
    ],
    "conceptDescriptions": [
        {
            "modelType": "ConceptDescription",
            "id": "urn:cd:power",
            "embeddedDataSpecifications": [
                {
                    "dataSpecification": meant("urn:iec61360"),
                    "dataSpecificationContent": {
                        "modelType": "DataSpecificationIec61360",
                        "preferredName": [{"language": "en", "text": "Power"}],
                        "unit": "kW",
                    },
                }
            ],
        }
    ],
}


def test_a_shell_of_others_becomes_a_twin_with_components_and_a_report(server: Inside) -> None:
    found = server.ask("POST", "/import/aas", FOREIGN)
    assert found["imported"] == {"models": 2, "twins": 1}
    motor = server.ask("GET", "/digitaltwins/Motor")
    data = motor["TechnicalData"]
    assert (data["power"], data["poles"], data["maker"]) == (7.5, 4, {"de": "Beispiel"})
    assert data["frame"] == {"size": "132S", "mass": 61.0}
    assert data["speeds"] == [1450.0]
    assert data["temperature"] == {"min": -20.0, "max": 40.0}
    model = server.platform.graph.models["dtmi:aas:TechnicalData;1"]
    assert model.properties()["power"].unit == "kilowatt"
    assert model.commands()["start"].request.name == "ramp"  # type: ignore[union-attr]
    lost = {(one["kind"], one["place"]) for one in found["report"]["losses"]}
    assert ("dropped", "submodel TechnicalData.turning") in lost
    assert ("dropped", "dtmi:aas:TechnicalData;1: built") in lost
    assert ("changed", "submodel TechnicalData.power.semanticId") in lost
    assert server.ask("POST", "/import/aas", FOREIGN)["imported"] == {}


def test_strict_refuses_what_would_lose_and_a_dry_run_imports_nothing(server: Inside) -> None:
    body = json.loads(json.dumps(FOREIGN).replace("Motor", "Engine"))
    refused = server.http.post("/import/aas", json=body, params={"strict": "true"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "WouldLose"
    tried = server.ask("POST", "/import/aas", body, dryRun="true")
    assert "Engine" in tried["plant"]["twins"]
    assert server.http.get("/digitaltwins/Engine").status_code == 404


XML = """<?xml version="1.0"?>
<environment xmlns="https://admin-shell.io/aas/3/0"><submodels><submodel>
<idShort>Nameplate</idShort><id>urn:sm:plate</id><submodelElements>
<property><idShort>serial</idShort><valueType>xs:string</valueType><value>A7</value></property>
<multiLanguageProperty><idShort>maker</idShort><value><langStringTextType>
<language>en</language><text>Example</text></langStringTextType></value></multiLanguageProperty>
<submodelElementCollection><idShort>mark</idShort><value>
<property><idShort>year</idShort><valueType>xs:int</valueType><value>2024</value></property>
</value></submodelElementCollection>
</submodelElements></submodel></submodels></environment>"""


def test_an_environment_in_xml_is_read(server: Inside) -> None:
    answer = server.http.post("/import/aas", content=XML.encode())
    assert answer.status_code == 200, answer.text
    plate = server.ask("GET", "/digitaltwins/Nameplate")
    assert (plate["serial"], plate["maker"], plate["mark"]) == (
        "A7",
        {"en": "Example"},
        {"year": 2024},
    )


def package(relations: str) -> bytes:
    """An AASX package with these relations."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("_rels/.rels", relations)
    return made.getvalue()


@pytest.mark.parametrize(
    ("form", "content", "said"),
    [
        ("aas", b"[1]", "must be a JSON object"),
        ("aas", b"{", "not valid JSON"),
        ("aas", b"<a/>", "the root is 'a'"),
        ("aas", b"<!DOCTYPE a [<!ENTITY b 'c'>]><environment/>", "document type"),
        ("aas", "<!DOCTYPE a><environment/>".encode("utf-16-le"), "document type"),
        ("aas", b"<environment", "not valid XML"),
        ("aasx", package("<Relationships"), "not valid XML"),
        ("aasx", package("<!DOCTYPE a><a/>"), "document type"),
        ("aas", b'{"submodels": [{"id": 1, "submodelElements": [1]}]}', "no AAS environment"),
        ("aas", b"{}", "nothing of aas"),
        ("aasx", b"PK nonsense", "no AASX package"),
        ("nothing", b"{}", "cannot be imported"),
    ],
)
def test_what_is_no_environment_is_refused_in_words(
    server: Inside, form: str, content: bytes, said: str
) -> None:
    answer = server.http.post(f"/import/{form}", content=content)
    assert answer.status_code in (400, 404)
    assert said in answer.json()["error"]["message"]


def test_paths_of_all_submodels_come_in_pages_without_gap_or_repeat(server: Inside) -> None:
    whole = server.ask("GET", "/aas/submodels/$path", limit=1000)["result"]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = server.ask("GET", "/aas/submodels/$path", limit=7, **cursor)
        found += page["result"]
        if "cursor" not in page["paging_metadata"]:
            break
        cursor = {"cursor": page["paging_metadata"]["cursor"]}
    assert found == whole
    assert len(whole) > 30


def test_submodels_follow_twins_that_come_change_their_model_and_go(server: Inside) -> None:
    def submodels() -> list[str]:
        return [one["id"] for one in server.ask("GET", "/aas/submodels", limit=1000)["result"]]

    before = submodels()
    assert before == sorted(before)
    bearing = {"$metadata": {}}
    made = {"$metadata": {"$model": PUMP}, "bearing": bearing}
    server.ask("PUT", "/digitaltwins/pump-1.5", made)
    own = [f"urn:gemel:submodel:pump-1.5{part}" for part in ("", "/bearing")]
    assert submodels() == sorted([*before, *own])
    works = server.ask("GET", "/digitaltwins/works")["$metadata"]["$model"]
    server.ask("PUT", "/digitaltwins/pump-1.5", {"$metadata": {"$model": works}})
    assert submodels() == sorted([*before, own[0]])
    server.ask("DELETE", "/digitaltwins/pump-1.5")
    assert submodels() == before
