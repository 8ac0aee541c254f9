"""What an object of an OPC UA server becomes: models, bindings, commands, and what is left out."""

from __future__ import annotations

from typing import Any

from gemel.interchange.losses import Losses
from gemel.interchange.opcua_import import plant_of
from gemel.twins.dtdl.parser import parse


def argument(name: str, kind: str = "Double", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "isArray": False, **more}


def method(name: str, *inputs: Any, within: tuple[str, ...] = (), outputs: Any = ()) -> Any:
    topic = "/".join(("press/Press", *within))
    place = {"topic": topic, "name": name, "within": list(within)}
    return {**place, "inputs": list(inputs), "outputs": list(outputs)}


def variable(name: str, *, is_writable: bool, within: tuple[str, ...] = ()) -> Any:
    topic = "/".join(("press/Press", *within))
    place = {"topic": topic, "name": name, "within": list(within)}
    value = {"type": "Double", "isArray": False, "value": 1.0, "status": "Good"}
    return {**place, **value, "isProperty": False, "isWritable": is_writable}


def made(*methods: Any, variables: tuple[Any, ...] = ()) -> tuple[dict[str, Any], list[str]]:
    found = {"space": "opcua", "path": "/Press", "name": "Press", "type": "", "left": []}
    losses = Losses("opcua", "import")
    plant = plant_of(
        {**found, "variables": list(variables), "methods": list(methods)}, "press-1", losses
    )
    parse(plant["models"])
    return plant, [one["reason"] for one in losses.view()["losses"]]


def contents(plant: dict[str, Any]) -> dict[str, Any]:
    model = plant["twins"]["press-1"]["model"]
    [found] = [one for one in plant["models"] if one["@id"] == model]
    return {one["name"]: one for one in found["contents"]}


def test_methods_become_commands_that_a_binding_calls() -> None:
    plant, losses = made(
        method("Stop"),
        method("Set speed", argument("New speed")),
        method("Start", argument("Speed"), argument("Ramp"), outputs=[argument("Reached")]),
    )
    found = contents(plant)
    assert losses == []
    assert found["Stop"] == {"@type": "Command", "name": "Stop"}
    assert found["Set_speed"]["displayName"] == "Set speed"
    assert found["Set_speed"]["request"] == {"name": "New_speed", "schema": "double"}
    fields = found["Start"]["request"]["schema"]["fields"]
    assert [one["name"] for one in fields] == ["Speed", "Ramp"]
    assert found["Start"]["response"] == {"name": "Reached", "schema": "double"}
    [binding] = plant["bindings"]
    assert binding["commands"] == {"Stop": "Stop", "Set_speed": "Set speed", "Start": "Start"}


def test_what_objects_in_it_have_belongs_to_components() -> None:
    plant, _ = made(
        method("Reset", within=("Motor",)),
        method("Reset", within=("Motor", "Drive")),
        variables=(variable("Current", is_writable=False, within=("Motor",)),),
    )
    assert contents(plant)["Motor"]["@type"] == "Component"
    by_topic = {one["topic"]: one for one in plant["bindings"]}
    assert by_topic["press/Press/Motor"]["commands"] == {"Motor.Reset": "Reset"}
    assert by_topic["press/Press/Motor"]["fields"] == {"Current": "Motor.Current"}
    assert by_topic["press/Press/Motor/Drive"]["commands"] == {"Motor.Drive_Reset": "Reset"}
    assert by_topic["press/Press/Motor/Drive"]["fields"] == {}


def test_what_may_be_written_can_be_asked_for() -> None:
    plant, _ = made(
        variables=(variable("Level", is_writable=True), variable("Flow", is_writable=False))
    )
    found = contents(plant)
    assert (found["Level"]["@type"], found["Level"]["writable"]) == ("Property", True)
    assert found["Flow"]["@type"] == "Telemetry"


def test_a_method_that_a_model_cannot_say_is_left_out_with_the_reason() -> None:
    plant, losses = made(
        method("Stop"),
        method("Load", argument("Recipe", "")),
        method("Move", argument("x axis"), argument("y axis")),
    )
    assert set(contents(plant)) == {"Stop", "name"}
    assert len(losses) == 2
    assert "'Recipe'" in losses[0]
    assert "'x axis'" in losses[1]
