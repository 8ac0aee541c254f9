from __future__ import annotations

import pytest
from twin_plant import PUMP_TWIN, Plant, built

from gemel.core.clock import to_iso
from gemel.twins.models import delete_model
from gemel.twins.twin_edits import ask_desired, put_twin
from gemel.twins.view import adt_view, incoming_view

LATER = 1_800_000_000_000_000_000
Reported = dict[str, tuple[object, int]]


@pytest.fixture
def plant() -> Plant:
    return built()


def view(plant: Plant, reported: Reported) -> dict:
    return adt_view(plant.graph, plant.graph.twin("pump-1"), reported.get)


def test_without_device_values_it_is_the_document_with_id_and_etag(plant: Plant) -> None:
    plant.do(ask_desired, "pump-1", {"speed": 1})
    twin = plant.graph.twin("pump-1")
    doc = twin.doc
    del doc["$desired"]
    assert adt_view(plant.graph, twin) == {"$dtId": "pump-1", "$etag": twin.etag, **doc}
    assert view(plant, {}) == adt_view(plant.graph, twin)


def test_a_newer_device_value_is_shown_with_its_time(plant: Plant) -> None:
    shown = view(plant, {"speed": (61.5, LATER), "motor.power": (9.0, LATER + 10**9)})
    assert shown["speed"] == 61.5
    assert shown["$metadata"]["speed"] == {"lastUpdateTime": to_iso(LATER)}
    assert shown["motor"]["power"] == 9.0
    assert shown["motor"]["$metadata"]["power"] == {"lastUpdateTime": to_iso(LATER + 10**9)}
    assert shown["motor"]["$metadata"]["$lastUpdateTime"] == to_iso(LATER + 10**9)
    assert shown["$metadata"]["$lastUpdateTime"] == to_iso(LATER + 10**9)
    assert plant.graph.twin("pump-1").doc["speed"] == 50.0


def test_an_older_device_value_is_not(plant: Plant) -> None:
    assert view(plant, {"speed": (61.5, 10**9)}) == view(plant, {})


def test_a_source_time_in_the_document_decides(plant: Plant) -> None:
    metadata = {**PUMP_TWIN["$metadata"], "speed": {"sourceTime": "2020-01-01T00:00:00Z"}}
    plant.do(put_twin, "pump-1", {**PUMP_TWIN, "$metadata": metadata})
    reported = {"speed": (61.5, 1_600_000_000_000_000_000)}  # September 2020
    assert view(plant, reported)["speed"] == 61.5


def test_a_property_that_only_the_device_knows_is_shown(plant: Plant) -> None:
    shown = view(plant, {"isOn": (1.0, LATER), "mode": ("AUTO", LATER), "built": (None, LATER)})
    assert shown["isOn"] is True
    assert shown["mode"] == "AUTO"
    assert "built" not in shown


def test_numbers_of_the_state_take_the_type_of_the_schema(plant: Plant) -> None:
    shown = view(plant, {"motor.poles": (4.0, LATER), "isOn": (0.0, LATER)})
    assert repr(shown["motor"]["poles"]) == "4"
    assert shown["isOn"] is False
    assert "poles" not in view(plant, {"motor.poles": (4.5, LATER)})["motor"]


def test_telemetry_is_never_part_of_a_twin(plant: Plant) -> None:
    reported: Reported = {"flow": (1.0, LATER), "motor.temperature": (1.0, LATER)}
    assert view(plant, reported) == view(plant, {})


def test_fields_of_objects_are_merged_one_by_one(plant: Plant) -> None:
    plant.do(put_twin, "pump-1", {**PUMP_TWIN, "limits": {"low": 1.0, "high": 2.0}})
    shown = view(plant, {"limits.high": (9.0, LATER), "limits.isOn": (1.0, LATER - 10**9)})
    assert shown["limits"] == {"low": 1.0, "high": 9.0, "isOn": True}
    assert shown["$metadata"]["limits"] == {"lastUpdateTime": to_iso(LATER)}
    shown = view(plant, {"limits": ({"low": 5.0}, LATER), "limits.high": (7.0, 10**9)})
    assert shown["limits"] == {"low": 5.0}


def test_a_twin_whose_model_was_deleted_is_still_shown(plant: Plant) -> None:
    before = view(plant, {})
    plant.do(delete_model, "dtmi:t:Pump;1")
    assert view(plant, {"speed": (1.0, LATER)}) == before


def test_incoming_relationships_have_the_short_form(plant: Plant) -> None:
    (link,) = plant.graph.incoming("pump-1")
    assert incoming_view(link) == {
        "$relationshipId": "r1",
        "$sourceId": "station-1",
        "$relationshipName": "contains",
        "$relationshipLink": "/digitaltwins/station-1/relationships/r1",
    }
