import json
from pathlib import Path

import pytest
import yaml

from gemel.simulate.floor import AREAS, Floor
from gemel.simulate.plant import Area
from gemel.twins.dtdl.interface import Command, Enum, Primitive, Property, Telemetry
from gemel.twins.dtdl.parser import parse

FOLDER = Path(__file__).parents[2] / "src/gemel/simulate/plants/demo"


@pytest.fixture(scope="module")
def plant():
    return yaml.safe_load((FOLDER / "plant.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def models():
    return parse([json.loads(file.read_text("utf-8")) for file in FOLDER.glob("models/*.json")])


@pytest.fixture(scope="module")
def area():
    area = Area(AREAS, 1, Floor(), 1_763_800_000.0)
    area.advance(5)
    return area


def sent(area):
    found = {}
    for device in area.devices:
        for rows in (device.readings(), device.reported()):
            for twin, values in rows.items():
                found.setdefault(twin, {}).update(values)
    return found


def test_every_twin_has_a_device_and_every_device_a_twin(plant, area):
    assert set(plant["twins"]) == set(area.owner)


def test_every_value_sent_is_in_the_model_and_of_its_type(plant, models, area):
    for twin, values in sent(area).items():
        contents = models[plant["twins"][twin]["model"]].contents
        for name, value in values.items():
            assert name in contents, (twin, name)
            assert contents[name].schema.check(value) == [], (twin, name, value)


def test_everything_a_model_promises_is_sent(plant, models, area):
    found = sent(area)
    static = {"name", "manufacturer", "serialNumber", "connected"}
    for twin, entry in plant["twins"].items():
        contents = models[entry["model"]].contents.values()
        names = {c.name for c in contents if isinstance(c, Telemetry | Property)} - static
        assert names == set(found[twin]), twin


def test_every_sensor_has_a_unit_except_counts_and_rates(models):
    bare = {
        "rate", "throughput", "people", "workInProgress", "specificEnergy", "goodCount",
        "rejectCount", "palletCount", "unitCount",
    }  # fmt: skip
    for model in models.values():
        for content in model.telemetries().values():
            if isinstance(content.schema, Primitive):
                assert content.unit or content.name in bare, (model.id, content.name)


def test_every_telemetry_and_command_has_a_name_for_people(models):
    for model in models.values():
        assert model.display_name
        for content in model.contents.values():
            assert content.display_name, (model.id, content.name)


def test_values_lie_well_within_the_limits(plant, models, area):
    for twin, values in sent(area).items():
        limits = {}
        for base in models[plant["twins"][twin]["model"]].bases:
            limits.update(plant["settings"].get(base, {}).get("properties", {}))
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert limits[name]["minimum"] <= value, (twin, name)
                assert value <= limits[name].get("maximum", float("inf")), (twin, name)


def test_settings_speak_of_what_the_models_have(plant, models):
    for model, settings in plant["settings"].items():
        for name in settings.get("properties", {}):
            assert name in models[model].contents, (model, name)


def test_every_command_of_a_model_is_obeyed(plant, models):
    for twin, entry in plant["twins"].items():
        for command in models[entry["model"]].commands().values():
            fresh = Area(AREAS, 1, Floor(), 1_763_800_000.0)
            limits = {}
            for base in models[entry["model"]].bases:
                limits.update(plant["settings"].get(base, {}).get("properties", {}))
            argument = None
            if command.name == "injectFault":
                argument = {"fault": "link-loss", "severity": 0.5, "ramp": 1}
            elif command.request is not None:
                argument = limits[command.name]["maximum"]
            answer = fresh.command(twin, command.name, argument)
            assert answer.succeeded, (twin, command.name, answer.message)


def test_writable_properties_are_applied(plant, models):
    area = Area(AREAS, 1, Floor(), 1_763_800_000.0)
    for twin, entry in plant["twins"].items():
        model = models[entry["model"]]
        limits = plant["settings"].get(entry["model"], {}).get("properties", {})
        for name, content in model.properties().items():
            if content.writable:
                low = limits[name]["minimum"]
                reported, refused = area.desire(twin, {name: low})
                assert refused == []
                assert reported[twin][name] == pytest.approx(low), (twin, name)


def test_relationships_are_those_of_the_models_and_end_at_twins(plant, models):
    for twin, entry in plant["twins"].items():
        known = models[entry["model"]].relationships()
        for name, targets in entry.items():
            if name in ("model", "name"):
                continue
            assert name in known, (twin, name)
            for target in targets:
                bases = models[plant["twins"][target]["model"]].bases
                assert known[name].target is None or known[name].target in bases


def test_containment_is_a_tree_from_the_site(plant):
    parents = {}
    for twin, entry in plant["twins"].items():
        for child in entry.get("contains", []):
            assert child not in parents, child
            parents[child] = twin
    assert set(plant["twins"]) - set(parents) == {"plant"}


def test_rules_and_kpis_name_models_twins_and_properties(plant, models):
    ids = [rule["id"] for rule in plant["rules"]]
    assert len(ids) == len(set(ids))
    assert any(rule["when"] == "temperature > 80 °C for 5 minutes" for rule in plant["rules"])
    for rule in plant["rules"]:
        contents = models[rule["model"]].contents
        name = rule["when"].split()[0]
        assert isinstance(contents[name], Telemetry)
        assert rule["priority"] in (1, 2, 3, 4)
        if "then" in rule:
            assert isinstance(contents[rule["then"]["command"]], Command)
    for kpi in plant["kpis"]:
        assert kpi["property"] in models[plant["twins"][kpi["twin"]]["model"]].contents


def test_states_are_listed_in_the_models(plant, models, area):
    for twin, values in sent(area).items():
        schema = getattr(
            models[plant["twins"][twin]["model"]].contents.get("state"), "schema", None
        )
        if isinstance(schema, Enum):
            assert values["state"] in schema.values


def test_scene_shows_twins_and_every_machine_stands_in_it(plant):
    scene = json.loads((FOLDER / plant["scene"]).read_text("utf-8"))
    shown = {one["twin"] for one in scene["objects"] if "twin" in one}
    shown |= {zone["twin"] for zone in scene["zones"] if "twin" in zone}
    hidden = {twin for twin in plant["twins"] if twin.endswith("-bearing")} | {"plant"}
    assert shown == set(plant["twins"]) - hidden
    for one in scene["objects"]:
        x, _, z = one["at"]
        assert abs(x) <= 35
        assert abs(z) <= 23


def test_scene_motion_and_level_name_properties(plant, models):
    scene = json.loads((FOLDER / plant["scene"]).read_text("utf-8"))
    for one in scene["objects"]:
        for part in ("motion", "level"):
            if part in one:
                twin = one[part].get("twin", one["twin"])
                contents = models[plant["twins"][twin]["model"]].contents
                assert one[part]["property"] in contents, one
