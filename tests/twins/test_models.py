from __future__ import annotations

import pytest
from twin_plant import ASSET, MODELS, MOTOR, PUMP, STATION, Plant, built, model, prop

from gemel.core.clock import to_iso
from gemel.core.errors import Conflict, InvalidInput, ModelInvalid, NotFound
from gemel.twins.models import (
    add_models,
    contents_view,
    decommission,
    delete_model,
    model_view,
    patch_model,
    with_dependencies,
)


@pytest.fixture
def plant() -> Plant:
    return built()


def test_added_models_are_shown_in_the_order_given() -> None:
    plant = Plant()
    shown = plant.do(add_models, MODELS)
    assert [one["id"] for one in shown] == [one["@id"] for one in MODELS]
    assert shown[2] == {
        "id": PUMP,
        "displayName": {"en": "Pump", "de": "Pumpe"},
        "description": {"en": "moves water"},
        "uploadTime": to_iso(plant.now),
        "decommissioned": False,
    }
    assert shown[0]["displayName"] == {"en": "Asset"}
    assert shown[0]["description"] == {}
    assert plant.graph.models[PUMP].bases == {PUMP, ASSET}


def test_a_definition_is_given_back_as_it_came(plant: Plant) -> None:
    for definition in MODELS:
        key = definition["@id"]
        shown = model_view(plant.graph.models[key], plant.graph.records[key], True)
        assert shown["model"] == definition


@pytest.mark.parametrize("documents", [[], {}, None, "x", MODELS[0]])
def test_what_is_no_list_of_models_is_refused(plant: Plant, documents: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        plant.do(add_models, documents)
    assert caught.value.code == "InvalidArgument"


@pytest.mark.parametrize(
    "documents",
    [
        [{}],
        [1],
        [[]],
        [model("dtmi:t:New;1", [], extends="dtmi:t:Missing;1")],
        [model("dtmi:t:New;1", []), model("dtmi:t:Bad;1", [prop("x", "colour")])],
        [model("dtmi:t:New;1", []), model("dtmi:t:New;1", [])],
    ],
)
def test_bad_models_are_refused_all_together(plant: Plant, documents: list) -> None:
    before = set(plant.graph.models)
    with pytest.raises(ModelInvalid) as caught:
        plant.do(add_models, documents)
    assert caught.value.code == "DTDLParserError"
    assert set(plant.graph.models) == before


def test_an_id_that_is_there_is_a_conflict(plant: Plant) -> None:
    with pytest.raises(Conflict, match=f"'{PUMP}'") as caught:
        plant.do(add_models, [model("dtmi:t:New;1", []), model(PUMP, [])])
    assert caught.value.code == "ModelIdAlreadyExists"
    assert "dtmi:t:New;1" not in plant.graph.models


def test_a_model_inside_another_is_refused_with_the_way_out(plant: Plant) -> None:
    inner = {"@id": "dtmi:t:Inner;1", "@type": "Interface"}
    part = {"@type": "Component", "name": "part", "schema": inner}
    with pytest.raises(ModelInvalid, match="dtmi:t:Inner;1") as caught:
        plant.do(add_models, [model("dtmi:t:Outer;1", [part])])
    assert caught.value.hint


def test_a_model_that_others_refer_to_is_not_deleted(plant: Plant) -> None:
    with pytest.raises(Conflict, match=f"'{PUMP}', '{STATION}'") as caught:
        plant.do(delete_model, ASSET)
    assert caught.value.code == "ModelReferencesNotDeleted"
    with pytest.raises(Conflict, match=f"'{PUMP}'"):
        plant.do(delete_model, MOTOR)
    for key in (PUMP, STATION, ASSET, MOTOR):  # live twins do not hinder
        plant.do(delete_model, key)
    assert plant.graph.models == plant.graph.records == {}
    assert plant.graph.model_of("pump-1") == PUMP
    with pytest.raises(NotFound):
        plant.do(delete_model, PUMP)


def test_a_deleted_model_can_be_added_again_and_differ(plant: Plant) -> None:
    plant.do(delete_model, STATION)
    plant.do(add_models, [model(STATION, [prop("area", "double")])])
    assert set(plant.graph.models[STATION].contents) == {"area"}
    assert set(plant.reloaded().models[STATION].contents) == {"area"}


def test_only_decommissioned_can_be_patched(plant: Plant) -> None:
    replace = {"op": "replace", "path": "/decommissioned", "value": True}
    plant.do(patch_model, PUMP, [replace])
    assert plant.graph.records[PUMP].is_decommissioned
    plant.do(patch_model, PUMP, [replace])
    assert len(plant.documents.versions("model", PUMP)) == 2
    plant.do(patch_model, PUMP, [])
    plant.do(decommission, PUMP, False)
    assert not plant.graph.records[PUMP].is_decommissioned
    for change in (
        {"path": "/displayName"},
        {"value": "yes"},
        {"op": "remove"},
        {"op": "move"},
        {"path": "/decommissioned/x"},
    ):
        with pytest.raises(InvalidInput) as caught:
            plant.do(patch_model, PUMP, [replace | change])
        assert caught.value.code == "JsonPatchInvalid"
    with pytest.raises(NotFound):
        plant.do(patch_model, "dtmi:t:None;1", [replace])


def test_dependencies_are_found_at_any_distance(plant: Plant) -> None:
    assert with_dependencies(plant.graph, [PUMP]) == {PUMP, ASSET, MOTOR}
    assert with_dependencies(plant.graph, [MOTOR, STATION]) == {MOTOR, STATION, ASSET}
    with pytest.raises(NotFound):
        with_dependencies(plant.graph, ["dtmi:t:None;1"])


def test_contents_of_bases_are_shown_by_kind(plant: Plant) -> None:
    shown = contents_view(plant.graph.models[PUMP])
    assert shown["bases"] == [ASSET]
    assert set(shown["properties"]) >= {"name", "speed", "tags"}
    assert set(shown["telemetries"]) == {"flow"}
    assert set(shown["components"]) == {"motor"}
    assert shown["relationships"] == {}
