from __future__ import annotations

import pytest
from twin_plant import ASSET, MOTOR, PUMP, PUMP_TWIN, STATION, Plant, built, model, prop

from gemel.core.clock import to_iso
from gemel.core.errors import Conflict, InvalidInput, NotFound, PreconditionFailed, TwinInvalid
from gemel.twins.models import add_models, decommission, delete_model
from gemel.twins.relationship_edits import delete_relationship, put_relationship
from gemel.twins.twin_edits import ask_desired, delete_twin, patch_twin, put_twin


@pytest.fixture
def plant() -> Plant:
    return built()


def op(name: str, path: str, value: object = None) -> dict:
    return {"op": name, "path": path, "value": value}


def test_a_new_twin_has_times_for_all_that_was_set(plant: Plant) -> None:
    now = to_iso(plant.now + 1_000_000_000)
    twin = plant.do(put_twin, "pump-3", PUMP_TWIN)
    assert twin.doc == {
        "name": "Feed pump",
        "speed": 50.0,
        "motor": {
            "$metadata": {"$lastUpdateTime": now, "power": {"lastUpdateTime": now}},
            "power": 11.0,
        },
        "$metadata": {
            "$model": PUMP,
            "$lastUpdateTime": now,
            "name": {"lastUpdateTime": now},
            "speed": {"lastUpdateTime": now},
        },
    }
    assert plant.graph.twin("pump-3") == twin
    assert plant.graph.name_of("pump-3") == "Feed pump"


def test_the_edit_says_who_when_and_why(plant: Plant) -> None:
    plant.do(put_twin, "pump-3", PUMP_TWIN)
    (version,) = plant.documents.versions("twin", "pump-3")
    assert (version.who, version.time, version.why) == ("ann", plant.now, "test")


def test_a_body_as_it_was_read_can_be_sent_back(plant: Plant) -> None:
    twin = plant.graph.twin("pump-1")
    again = plant.do(put_twin, "pump-1", {"$dtId": "pump-1", "$etag": twin.etag, **twin.doc})
    assert again.doc["speed"] == 50.0
    assert again.etag != twin.etag


def test_put_replaces_the_whole_twin(plant: Plant) -> None:
    plant.do(put_twin, "pump-1", {"$metadata": {"$model": PUMP}, "motor": {"$metadata": {}}})
    assert set(plant.graph.twin("pump-1").doc) == {"$metadata", "motor"}
    assert plant.graph.twin("pump-1").name is None


def test_source_times_are_kept_until_the_value_changes(plant: Plant) -> None:
    when = "2026-01-01T00:00:00Z"
    body = {
        **PUMP_TWIN,
        "$metadata": {"$model": PUMP, "speed": {"sourceTime": when, "lastUpdateTime": "x"}},
        "motor": {"$metadata": {"power": {"sourceTime": when}}, "power": 1},
    }
    twin = plant.do(put_twin, "pump-1", body)
    assert twin.doc["$metadata"]["speed"]["sourceTime"] == when
    assert twin.doc["$metadata"]["speed"]["lastUpdateTime"] == to_iso(plant.now)
    assert twin.doc["motor"]["$metadata"]["power"]["sourceTime"] == when
    assert plant.graph.stored_values("pump-1")["speed"][1] == 1_767_225_600_000_000_000
    twin = plant.do(patch_twin, "pump-1", [op("add", "/name", "x")])
    assert twin.doc["$metadata"]["speed"]["sourceTime"] == when
    twin = plant.do(patch_twin, "pump-1", [op("add", "/speed", 3)])
    assert "sourceTime" not in twin.doc["$metadata"]["speed"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "colour"),
        ({"flow": 1.0}, "flow: is telemetry"),
        ({"stop": 1.0}, "stop: is a command"),
        ({"speed": "fast"}, "speed: 'fast' is not a number"),
        ({"speed": None}, "speed"),
        ({"isOn": 1}, "isOn"),
        ({"mode": "auto"}, "mode"),
        ({"built": "yesterday"}, "built"),
        ({"limits": {"low": "x"}}, "limits.low"),
        ({"limits": {"middle": 1}}, "limits.middle"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"stages": [1, 2.5]}, "stages[1]"),
        ({"motor": None}, "motor: the component is missing"),
        ({"motor": 3}, "motor: a component must be an object"),
        ({"motor": {}}, 'motor: a component needs "$metadata"'),
        ({"motor": {"$metadata": {}, "volume": 1}}, "motor.volume"),
        ({"motor": {"$metadata": {}, "poles": 2.5}}, "motor.poles"),
        ({"motor": {"$metadata": {}, "temperature": 20}}, "motor.temperature: is telemetry"),
        ({"motor": {"$metadata": {}, "$etag": "x"}}, "motor.$etag"),
        ({"motor": {"$metadata": {"power": 1}}}, "motor.$metadata.power"),
        ({"$metadata": {"$model": PUMP, "speed": {"sourceTime": "soon"}}}, "sourceTime"),
        (
            {"$metadata": {"$model": PUMP, "speed": {"sourceTime": "9999-12-31T23:59:59Z"}}},
            "1970 to 2262",
        ),
    ],
)
def test_a_twin_that_breaks_its_model_is_refused_with_the_path(
    plant: Plant, change: dict, words: str
) -> None:
    with pytest.raises(TwinInvalid) as caught:
        plant.do(put_twin, "pump-1", {**PUMP_TWIN, **change})
    assert caught.value.code == "ValidationFailed"
    assert caught.value.message.startswith("Invalid twin specified: twin 'pump-1': ")
    assert words in caught.value.message
    assert caught.value.hint
    assert words in caught.value.details[0]["message"]
    assert caught.value.details[0]["code"] == "ValidationFailed"


def test_all_that_is_wrong_is_said_at_once(plant: Plant) -> None:
    bad = {**PUMP_TWIN, "speed": "x", "colour": 1, "motor": {"$metadata": {}, "power": "y"}}
    with pytest.raises(TwinInvalid, match="and 2 more") as caught:
        plant.do(put_twin, "pump-1", bad)
    assert len(caught.value.details) == 3


@pytest.mark.parametrize(
    "body", [{}, {"$metadata": 1}, {"$metadata": {}}, {"$metadata": {"$model": 1}}]
)
def test_a_twin_must_say_its_model(plant: Plant, body: dict) -> None:
    with pytest.raises(TwinInvalid, match="does not say its model"):
        plant.do(put_twin, "t", body)


def test_an_unknown_model_and_foreign_fields_are_refused(plant: Plant) -> None:
    with pytest.raises(TwinInvalid, match="dtmi:t:Nothing;1"):
        plant.do(put_twin, "t", {"$metadata": {"$model": "dtmi:t:Nothing;1"}})
    with pytest.raises(TwinInvalid, match=r"\$desired"):
        plant.do(put_twin, "t", {"$metadata": {"$model": ASSET}, "$desired": {}})


@pytest.mark.parametrize("body", [[], [{}], "x", None, 3])
def test_a_body_that_is_no_object_is_refused(plant: Plant, body: object) -> None:
    with pytest.raises(InvalidInput, match="JSON object") as caught:
        plant.do(put_twin, "t", body)
    assert caught.value.code == "InvalidArgument"


@pytest.mark.parametrize("twin_id", ["", "a b", "a/b", "a\nb", "é", "x" * 129, "a\n"])
def test_ids_that_cannot_stand_in_a_path_are_refused(plant: Plant, twin_id: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the id"):
        plant.do(put_twin, twin_id, PUMP_TWIN)


def test_conditions_are_held(plant: Plant) -> None:
    etag = plant.graph.twin("pump-1").etag
    for condition in ("*", etag, etag.removeprefix("W/"), f'W/"other", {etag}'):
        with pytest.raises(PreconditionFailed, match="there already"):
            plant.do(put_twin, "pump-1", PUMP_TWIN, if_none_match=condition)
        plant.do(patch_twin, "pump-1", [], if_match=condition)
    plant.do(put_twin, "pump-8", PUMP_TWIN, if_none_match="*")
    plant.do(put_twin, "pump-1", PUMP_TWIN, if_none_match='W/"other"')
    with pytest.raises(PreconditionFailed, match="changed meanwhile") as caught:
        plant.do(patch_twin, "pump-1", [], if_match=etag)
    assert caught.value.code == "PreconditionFailed"
    with pytest.raises(PreconditionFailed):
        plant.do(delete_twin, "pump-1", if_match=etag)
    with pytest.raises(PreconditionFailed):
        plant.do(put_twin, "pump-9", PUMP_TWIN, if_match="*")
    plant.do(delete_twin, "pump-2", if_match=plant.graph.twin("pump-2").etag)
    assert plant.graph.find_twin("pump-2") is None


def test_a_patch_stamps_only_what_it_touches(plant: Plant) -> None:
    before = plant.graph.twin("pump-1").doc
    twin = plant.do(patch_twin, "pump-1", [op("replace", "/speed", 60)])
    now = to_iso(plant.now)
    assert twin.doc["speed"] == 60
    assert twin.doc["$metadata"] == {
        "$model": PUMP,
        "$lastUpdateTime": now,
        "name": before["$metadata"]["name"],
        "speed": {"lastUpdateTime": now},
    }
    assert twin.doc["motor"] == before["motor"]


def test_a_patch_reaches_into_objects_maps_arrays_and_components(plant: Plant) -> None:
    patch = [
        op("add", "/limits", {"low": 1}),
        op("add", "/limits/high", 9),
        op("add", "/tags", {}),
        op("add", "/tags/line~1a", "x"),
        op("add", "/stages", [1, 2]),
        op("add", "/stages/-", 3),
        op("replace", "/motor/power", 12),
        op("add", "/motor/poles", 4),
    ]
    doc = plant.do(patch_twin, "pump-1", patch).doc
    now = to_iso(plant.now)
    assert doc["limits"] == {"low": 1, "high": 9}
    assert doc["tags"] == {"line/a": "x"}
    assert doc["stages"] == [1, 2, 3]
    assert doc["motor"] == {
        "$metadata": {
            "$lastUpdateTime": now,
            "power": {"lastUpdateTime": now},
            "poles": {"lastUpdateTime": now},
        },
        "power": 12,
        "poles": 4,
    }
    doc = plant.do(patch_twin, "pump-1", [op("replace", "/limits/low", 2)]).doc
    assert doc["$metadata"]["limits"] == {"lastUpdateTime": to_iso(plant.now)}
    assert doc["$metadata"]["tags"] == {"lastUpdateTime": now}
    doc = plant.do(patch_twin, "pump-1", [op("remove", "/limits")]).doc
    assert "limits" not in doc
    assert "limits" not in doc["$metadata"]


def test_a_whole_component_can_be_replaced(plant: Plant) -> None:
    value = {"$metadata": {"poles": {"sourceTime": "2026-01-01T00:00:00Z"}}, "poles": 6}
    doc = plant.do(patch_twin, "pump-1", [op("replace", "/motor", value)]).doc
    now = to_iso(plant.now)
    assert doc["motor"]["poles"] == 6
    assert "power" not in doc["motor"]
    assert doc["motor"]["$metadata"] == {
        "$lastUpdateTime": now,
        "poles": {"lastUpdateTime": now, "sourceTime": "2026-01-01T00:00:00Z"},
    }
    with pytest.raises(TwinInvalid, match="motor: the component is missing"):
        plant.do(patch_twin, "pump-1", [op("remove", "/motor")])


def test_a_component_is_patched_by_its_own_paths(plant: Plant) -> None:
    before = plant.graph.twin("pump-1").doc
    patch = [op("add", "/poles", 2), op("add", "/$metadata/poles/sourceTime", "2026-01-01")]
    doc = plant.do(patch_twin, "pump-1", patch, component="motor").doc
    assert doc["motor"]["poles"] == 2
    assert doc["motor"]["$metadata"]["poles"]["sourceTime"] == "2026-01-01"
    assert doc["motor"]["$metadata"]["power"] == before["motor"]["$metadata"]["power"]
    assert doc["$metadata"]["speed"] == before["$metadata"]["speed"]
    with pytest.raises(NotFound, match="'gearbox'") as caught:
        plant.do(patch_twin, "pump-1", [], component="gearbox")
    assert caught.value.code == "ComponentNotFound"
    assert "motor" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        plant.do(patch_twin, "pump-1", [], component="speed")
    assert caught.value.code == "ComponentNotFound"


def test_source_times_are_patched(plant: Plant) -> None:
    when = "2026-02-03T04:05:06.789Z"
    patch = [op("add", "/$metadata/mode/sourceTime", when), op("add", "/mode", "AUTO")]
    doc = plant.do(patch_twin, "pump-1", patch).doc
    now = to_iso(plant.now)
    assert doc["$metadata"]["mode"] == {"lastUpdateTime": now, "sourceTime": when}
    doc = plant.do(patch_twin, "pump-1", [op("remove", "/$metadata/mode/sourceTime")]).doc
    assert "sourceTime" not in doc["$metadata"]["mode"]
    assert doc["mode"] == "AUTO"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/$dtId", "x"),
        ("/$etag", "x"),
        ("/$desired", {}),
        ("/$metadata", {}),
        ("/$metadata/$lastUpdateTime", "x"),
        ("/$metadata/speed", {}),
        ("/$metadata/speed/lastUpdateTime", "2026-01-01T00:00:00Z"),
        ("/$metadata/speed/sourceTime", "never"),
        ("/$metadata/speed/sourceTime", 5),
        ("/motor/$metadata", {}),
        ("/motor/$metadata/$model", MOTOR),
        ("/gearbox/$metadata/x/sourceTime", "2026-01-01"),
        ("/speed/$metadata/x/sourceTime", "2026-01-01"),
    ],
)
def test_what_is_computed_cannot_be_patched(plant: Plant, path: str, value: object) -> None:
    before = plant.graph.twin("pump-1")
    with pytest.raises(InvalidInput) as caught:
        plant.do(patch_twin, "pump-1", [op("add", path, value)])
    assert caught.value.code == "JsonPatchInvalid"
    assert path in caught.value.message
    assert plant.graph.twin("pump-1") == before


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (op("add", "/colour", 1), "colour"),
        (op("replace", "/speed", "fast"), "speed"),
        (op("add", "/flow", 1), "telemetry"),
        (op("add", "/motor/$etag", 1), "motor.$etag"),
        (op("add", "/$metadata/colour/sourceTime", "2026-01-01"), ""),
    ],
)
def test_a_patch_cannot_break_the_model(plant: Plant, operation: dict, words: str) -> None:
    if not words:  # times of properties that are not there are dropped
        doc = plant.do(patch_twin, "pump-1", [operation]).doc
        assert "colour" not in doc["$metadata"]
        return
    with pytest.raises(TwinInvalid, match="Invalid twin patch: twin 'pump-1'") as caught:
        plant.do(patch_twin, "pump-1", [operation])
    assert words in caught.value.message


def test_an_empty_patch_changes_nothing(plant: Plant) -> None:
    before = plant.graph.twin("pump-1")
    assert plant.do(patch_twin, "pump-1", []) == before
    assert len(plant.documents.versions("twin", "pump-1")) == 1


def test_a_twin_can_be_given_another_model(plant: Plant) -> None:
    plant.do(ask_desired, "pump-2", {"speed": 40, "mode": "HAND"})
    patch = [
        op("replace", "/$metadata/$model", ASSET),
        op("remove", "/speed"),
        op("remove", "/motor"),
    ]
    twin = plant.do(patch_twin, "pump-2", patch)
    assert twin.model == plant.graph.model_of("pump-2") == ASSET
    assert plant.graph.desired_of("pump-2") == {}
    with pytest.raises(TwinInvalid, match="speed"):
        plant.do(patch_twin, "pump-1", [op("replace", "/$metadata/$model", ASSET)])


def test_a_twin_cannot_leave_its_relationships_behind(plant: Plant) -> None:
    asset = {"$metadata": {"$model": ASSET}}
    with pytest.raises(TwinInvalid, match=r"'r1'.*has no 'contains'"):
        plant.do(put_twin, "station-1", asset)
    with pytest.raises(TwinInvalid, match=r"'r1' of twin 'station-1'.*must point at"):
        plant.do(put_twin, "pump-1", asset)
    plant.do(delete_relationship, "station-1", "r1")
    plant.do(put_twin, "station-1", asset)
    plant.do(put_twin, "pump-1", asset)


def test_a_twin_with_relationships_is_not_deleted(plant: Plant) -> None:
    for twin in ("station-1", "pump-1"):
        with pytest.raises(Conflict, match=r"'r1' \(station-1 -contains-> pump-1\)") as caught:
            plant.do(delete_twin, twin)
        assert caught.value.code == "RelationshipsNotDeleted"
    plant.do(delete_relationship, "station-1", "r1")
    plant.do(delete_twin, "pump-1")
    with pytest.raises(NotFound):
        plant.do(delete_twin, "pump-1")


def test_a_twin_whose_model_was_deleted_can_be_read_moved_and_deleted(plant: Plant) -> None:
    plant.do(delete_model, PUMP)
    with pytest.raises(TwinInvalid, match="no model"):
        plant.do(patch_twin, "pump-1", [op("replace", "/speed", 1)])
    with pytest.raises(TwinInvalid, match="no model"):
        plant.do(ask_desired, "pump-1", {"speed": 1})
    patch = [op("add", "/$metadata/$model", ASSET), op("remove", "/speed"), op("remove", "/motor")]
    plant.do(patch_twin, "pump-2", patch)
    assert plant.graph.model_of("pump-2") == ASSET
    plant.do(delete_relationship, "station-1", "r1")
    plant.do(delete_twin, "pump-1")


def test_a_decommissioned_model_takes_no_new_twins(plant: Plant) -> None:
    plant.do(decommission, PUMP)
    with pytest.raises(TwinInvalid, match="decommissioned") as caught:
        plant.do(put_twin, "pump-3", PUMP_TWIN)
    assert caught.value.code == "ModelDecommissioned"
    plant.do(patch_twin, "pump-1", [op("replace", "/speed", 1)])
    plant.do(put_twin, "pump-1", PUMP_TWIN)
    plant.do(decommission, PUMP, False)
    plant.do(put_twin, "pump-3", PUMP_TWIN)


def test_what_is_asked_of_the_device_is_kept_apart(plant: Plant) -> None:
    before = plant.graph.twin("pump-1")
    asked = plant.do(ask_desired, "pump-1", {"speed": 70.5, "motor.power": 3})
    assert asked == plant.graph.desired_of("pump-1") == {"speed": 70.5, "motor.power": 3}
    assert plant.graph.twin("pump-1").etag == before.etag
    plant.do(ask_desired, "pump-1", {"mode": "AUTO", "motor.power": None, "unknown": None})
    plant.do(put_twin, "pump-1", PUMP_TWIN)
    plant.do(patch_twin, "pump-1", [op("replace", "/speed", 1)])
    assert plant.graph.desired_of("pump-1") == {"speed": 70.5, "mode": "AUTO"}
    plant.do(ask_desired, "pump-1", {"speed": None, "mode": None})
    assert plant.graph.desired_of("pump-1") == {}
    assert "$desired" not in plant.graph.twin("pump-1").doc


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"isOn": True}, "not say that this property is writable"),
        ({"flow": 1}, "no such property"),
        ({"motor": {}}, "no such property"),
        ({"motor.volume": 1}, "no such property"),
        ({"gearbox.power": 1}, "no such property"),
        ({"speed": "fast"}, "speed: 'fast'"),
        ({"mode": "auto"}, "mode"),
        ({"motor.power": "x"}, "motor.power"),
    ],
)
def test_only_writable_properties_can_be_asked_for(plant: Plant, values: dict, words: str) -> None:
    with pytest.raises(TwinInvalid) as caught:
        plant.do(ask_desired, "pump-1", values)
    assert words in caught.value.message
    assert plant.graph.desired_of("pump-1") == {}


def test_inherited_contents_of_a_component_are_checked(plant: Plant) -> None:
    plant.do(
        add_models,
        [
            model("dtmi:t:Servo;1", [prop("steps", "integer")], extends=MOTOR),
            model(
                "dtmi:t:Arm;1", [{"@type": "Component", "name": "j", "schema": "dtmi:t:Servo;1"}]
            ),
        ],
    )
    inner = {"$metadata": {}, "poles": "x", "steps": 3}
    body = {"$metadata": {"$model": "dtmi:t:Arm;1"}, "j": inner}
    with pytest.raises(TwinInvalid, match=r"j\.poles"):
        plant.do(put_twin, "arm", body)
    inner["poles"] = 4
    plant.do(put_twin, "arm", body)
    first = to_iso(plant.now)
    metadata = plant.do(patch_twin, "arm", [op("add", "/j/power", 1)]).doc["j"]["$metadata"]
    assert metadata["poles"] == {"lastUpdateTime": first}
    assert metadata["power"] == {"lastUpdateTime": to_iso(plant.now)}


def test_incoming_links_of_a_deleted_model_do_not_hinder(plant: Plant) -> None:
    body = {"$relationshipName": "near", "$targetId": "pump-2"}
    plant.do(put_relationship, "station-1", "n", body)
    plant.do(delete_model, STATION)
    plant.do(put_twin, "pump-2", {"$metadata": {"$model": ASSET}})
    assert plant.graph.model_of("pump-2") == ASSET
