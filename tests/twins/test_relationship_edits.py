from __future__ import annotations

import pytest
from twin_plant import ASSET, PUMP, Plant, built

from gemel.core.errors import InvalidInput, NotFound, PreconditionFailed, TwinInvalid
from gemel.twins.models import delete_model
from gemel.twins.relationship_edits import (
    delete_relationship,
    patch_relationship,
    put_relationship,
)
from gemel.twins.twin_edits import put_twin


@pytest.fixture
def plant() -> Plant:
    return built()


def contains(target: str, **values: object) -> dict:
    return {"$relationshipName": "contains", "$targetId": target, **values}


def test_a_relationship_is_shown_whole(plant: Plant) -> None:
    link = plant.graph.relationship("station-1", "r1")
    assert link.view() == {
        "$relationshipId": "r1",
        "$etag": link.etag,
        "$sourceId": "station-1",
        "$relationshipName": "contains",
        "$targetId": "pump-1",
        "weight": 2.5,
    }


def test_ids_in_the_body_give_way_to_those_of_the_request(plant: Plant) -> None:
    body = contains("pump-2") | {"$relationshipId": "x", "$sourceId": "y", "$etag": "z"}
    link = plant.do(put_relationship, "station-1", "r2", body)
    assert (link.id, link.source) == ("r2", "station-1")
    assert plant.graph.find_relationship("station-1", "r2") is not None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "'$relationshipName' is missing"),
        ({"$relationshipName": "contains"}, "'$targetId' is missing"),
        ({"$relationshipName": 1, "$targetId": "pump-1"}, "'$relationshipName' is missing"),
        (contains("nobody"), "no target twin 'nobody'"),
        (contains("pump-1") | {"$relationshipName": "eats"}, "no relationship 'eats'"),
        (contains("station-1"), f"must point at a '{PUMP}'"),
        (contains("pump-1", weight="heavy"), "weight: 'heavy' is not a number"),
        (contains("pump-1", colour="red"), "colour"),
        (contains("pump-1") | {"$other": 1}, "$other"),
    ],
)
def test_what_the_model_does_not_allow_is_refused(plant: Plant, body: dict, words: str) -> None:
    with pytest.raises(TwinInvalid) as caught:
        plant.do(put_relationship, "station-1", "r9", body)
    assert caught.value.code == "ValidationFailed"
    assert "relationship 'r9' of twin 'station-1'" in caught.value.message
    assert words in caught.value.message
    assert caught.value.details


def test_a_source_without_relationships_says_so(plant: Plant) -> None:
    with pytest.raises(TwinInvalid, match="it has: none"):
        plant.do(put_relationship, "pump-1", "r", contains("pump-2"))
    with pytest.raises(NotFound) as caught:
        plant.do(put_relationship, "nobody", "r", contains("pump-1"))
    assert caught.value.code == "DigitalTwinNotFound"
    with pytest.raises(InvalidInput, match="JSON object"):
        plant.do(put_relationship, "station-1", "r", [{}])
    with pytest.raises(InvalidInput, match="id of a relationship"):
        plant.do(put_relationship, "station-1", "a b", contains("pump-1"))


def test_multiplicity_is_held(plant: Plant) -> None:
    def lead(target: str) -> dict:
        return {"$relationshipName": "lead", "$targetId": target}

    plant.do(put_relationship, "station-1", "l1", lead("pump-1"))
    plant.do(put_relationship, "station-1", "l1", lead("pump-2"))
    with pytest.raises(TwinInvalid, match="at most 1 'lead', and has 'l1'"):
        plant.do(put_relationship, "station-1", "l2", lead("pump-1"))
    plant.do(delete_relationship, "station-1", "l1")
    plant.do(put_relationship, "station-1", "l2", lead("pump-1"))


def test_a_relationship_without_a_target_model_points_anywhere(plant: Plant) -> None:
    plant.do(put_twin, "thing", {"$metadata": {"$model": ASSET}})
    for target in ("thing", "pump-1", "station-1"):
        body = {"$relationshipName": "near", "$targetId": target}
        plant.do(put_relationship, "station-1", f"near-{target}", body)
    assert len(plant.graph.outgoing("station-1")) == 4


def test_conditions_are_held(plant: Plant) -> None:
    etag = plant.graph.relationship("station-1", "r1").etag
    with pytest.raises(PreconditionFailed):
        plant.do(put_relationship, "station-1", "r1", contains("pump-1"), if_none_match="*")
    link = plant.do(put_relationship, "station-1", "r1", contains("pump-1"), if_match=etag)
    for plan, rest in (
        (put_relationship, (contains("pump-1"),)),
        (patch_relationship, ([],)),
        (delete_relationship, ()),
    ):
        with pytest.raises(PreconditionFailed, match="relationship 'r1' of twin 'station-1'"):
            plant.do(plan, "station-1", "r1", *rest, if_match=etag)
    plant.do(delete_relationship, "station-1", "r1", if_match=link.etag)
    with pytest.raises(NotFound):
        plant.do(delete_relationship, "station-1", "r1")


def test_properties_are_patched(plant: Plant) -> None:
    before = plant.graph.relationship("station-1", "r1")
    patch = [
        {"op": "replace", "path": "/weight", "value": 3},
        {"op": "add", "path": "/since", "value": "2026-01-01"},
    ]
    plant.do(patch_relationship, "station-1", "r1", patch)
    link = plant.graph.relationship("station-1", "r1")
    assert link.properties == {"weight": 3, "since": "2026-01-01"}
    assert link.etag != before.etag
    remove = [{"op": "remove", "path": f"/{name}"} for name in ("weight", "since")]
    plant.do(patch_relationship, "station-1", "r1", remove)
    assert plant.graph.relationship("station-1", "r1").properties == {}
    assert plant.graph.sources_of("pump-1") == [("station-1", "contains")]
    last = plant.graph.relationship("station-1", "r1")
    assert plant.do(patch_relationship, "station-1", "r1", []) == last


@pytest.mark.parametrize("name", ["$targetId", "$relationshipName", "$sourceId", "$etag", "$x"])
def test_ends_and_name_cannot_be_patched(plant: Plant, name: str) -> None:
    patch = [{"op": "replace", "path": f"/{name}", "value": "pump-2"}]
    with pytest.raises(InvalidInput) as caught:
        plant.do(patch_relationship, "station-1", "r1", patch)
    assert caught.value.code == "JsonPatchInvalid"


def test_a_patch_cannot_break_the_model(plant: Plant) -> None:
    for path, value in (("/weight", "x"), ("/colour", 1)):
        patch = [{"op": "add", "path": path, "value": value}]
        with pytest.raises(TwinInvalid):
            plant.do(patch_relationship, "station-1", "r1", patch)
    with pytest.raises(InvalidInput, match="does not exist"):
        plant.do(patch_relationship, "station-1", "r1", [{"op": "remove", "path": "/since"}])


def test_a_target_whose_model_was_deleted_can_still_be_pointed_at(plant: Plant) -> None:
    plant.do(delete_model, PUMP)
    plant.do(put_relationship, "station-1", "r2", contains("pump-2"))
    plant.do(delete_model, "dtmi:t:Station;1")
    with pytest.raises(TwinInvalid, match="of the source was deleted"):
        plant.do(put_relationship, "station-1", "r3", contains("pump-2"))
    plant.do(delete_relationship, "station-1", "r2")
