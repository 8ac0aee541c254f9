"""Plants as files: mistakes are named with their place, and nothing is imported by half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.inside import MODELS, PUMP, Inside, inside
from gemel.app import plant_files
from gemel.app.yaml_files import as_yaml, parse_yaml
from gemel.core.errors import InvalidInput

LINE = "dtmi:test:Line;1"
PLANT: dict[str, Any] = {
    "name": "Nördliche Anlage",
    "models": MODELS,
    "settings": {PUMP: {"staleAfter": 7.5, "properties": {"flow": {"minimum": 0}}}},
    "twins": {
        "line": {
            "model": LINE,
            "name": "Line",
            "contains": ["pump-2", {"to": "pump-1", "properties": {"since": 1999}}],
        },
        "pump-1": {
            "model": PUMP,
            "name": "P 1",
            "properties": {"target": 4.5},
            "components": {"bearing": {"grease": "yellow"}},
            "feeds": ["pump-2"],
        },
        "pump-2": {"model": PUMP},
    },
    "bindings": [
        {"id": "z-first", "topic": "plant/{twin}/{property}", "fields": {"q": "flow"}},
        {"id": "a-second", "topic": "plant/#", "twin": "pump-2"},
    ],
    "rules": [
        {
            "id": "hot",
            "model": PUMP,
            "when": "temperature > 80 °C for 5 s",
            "priority": 1,
            "title": "Hot",
            "then": {"command": "setSpeed", "arguments": 0},
        }
    ],
    "services": [{"id": "watch", "kind": "anomaly", "model": PUMP, "parameters": {"hold": 3}}],
    "kpis": [{"id": "f", "label": "Flow", "twin": "pump-1", "property": "flow", "target": 3}],
    "policies": [{"id": "guests", "who": {"names": ["guest-*"]}, "twins": ["pump-1"]}],
    "scene": {"version": 1, "zones": [], "objects": [{"kind": "pump", "twin": "pump-1"}]},
}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("one") / "data") as found:
        found.ask("POST", "/plant", PLANT)
        yield found


def plain(plant: dict[str, Any]) -> dict[str, Any]:
    """Without the order of things that have none, and without lists that are empty."""
    found = {name: part for name, part in orjson.loads(orjson.dumps(plant)).items() if part}
    found["models"].sort(key=lambda m: m["@id"])
    for twin in found["twins"].values():
        for links in twin.values():
            if isinstance(links, list):
                links.sort(key=str)
    return found


MADE = {
    "models": 3,
    "twins": 3,
    "relationships": 3,
    "settings": 1,
    "bindings": 2,
    "kpis": 1,
    "policies": 1,
    "scene": 1,
    "rules": 1,
    "services": 1,
}


def test_export_imports_into_an_empty_installation_as_the_same(tmp_path: Path) -> None:
    with inside(tmp_path / "first") as one:
        assert one.ask("POST", "/plant", PLANT) == MADE
        assert one.ask("POST", "/plant", PLANT) == {}, "importing twice changes nothing"
        exported = one.ask("GET", "/plant")
        assert one.ask("POST", "/plant", exported) == {}
    assert exported["twins"]["line"]["contains"][1] == "pump-2"
    files = plant_files.write(exported, tmp_path / "files")
    assert {f.name for f in files} >= {"plant.yaml", "scene.json"}
    read = plant_files.read(tmp_path / "files" / "plant.yaml")
    assert plain(read) == plain(exported)
    with inside(tmp_path / "data") as other:
        assert other.ask("POST", "/plant", read) == MADE
        assert plain(other.ask("GET", "/plant")) == plain(exported)
        order = [b.id for b in other.platform.ingest_stage._bindings._by_first["plant"][0][1:]]
        assert order == ["z-first"]


def test_a_plant_with_twins_of_deleted_models_says_which(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/plant", {"models": MODELS, "twins": {"a": {"model": LINE}}})
        server.ask("DELETE", f"/models/{LINE}")
        refused = server.http.get("/plant")
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "TwinsWithoutModel"
        assert f"'a' ({LINE})" in refused.json()["error"]["message"]
        server.ask("DELETE", "/digitaltwins/a")
        assert server.ask("GET", "/plant")["twins"] == {}


def test_bindings_keep_their_order_over_a_restart(tmp_path: Path) -> None:
    for turn in range(2):
        with inside(tmp_path / "data") as server:
            if turn == 0:
                server.ask("POST", "/plant", {k: PLANT[k] for k in ("models", "twins", "bindings")})
            assert [b["id"] for b in server.ask("GET", "/plant")["bindings"]] == [
                "z-first",
                "a-second",
            ]
            assert server.call(server.platform.bound_twin, "plant/pump-1/flow") == "pump-1"


def test_relationships_made_by_programs_keep_their_id(one: Inside) -> None:
    body = {"$relationshipName": "feeds", "$targetId": "pump-1"}
    one.ask("PUT", "/digitaltwins/pump-2/relationships/r1", body)
    one.ask("PUT", "/digitaltwins/pump-2/relationships/r2", body)
    exported = one.ask("GET", "/plant")
    assert exported["twins"]["pump-2"]["feeds"] == [
        {"to": "pump-1", "id": "r1"},
        {"to": "pump-1", "id": "r2"},
    ]
    assert one.ask("POST", "/plant", exported) == {}


def test_a_relationship_may_be_called_as_a_field_is(one: Inside) -> None:
    model = {
        "@id": "dtmi:test:Odd;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [
            {"@type": "Relationship", "name": "model"},
            {"@type": "Relationship", "name": "components"},
        ],
    }
    twins = {
        "odd": {
            "model": model["@id"],
            "relationships": {"model": ["odd"], "components": ["pump-1"]},
        }
    }
    one.ask("POST", "/plant", {"models": [model], "twins": twins})
    exported = one.ask("GET", "/plant")
    assert exported["twins"]["odd"] == twins["odd"]
    assert one.ask("POST", "/plant", exported) == {}
    one.ask("DELETE", "/digitaltwins/odd/relationships/model-odd")


MISTAKES: list[tuple[Any, str]] = [
    ([], "a plant must be a mapping"),
    ({"twinz": {}}, "unknown field 'twinz'"),
    ({"models": {}}, ""),
    ({"models": [5]}, ""),
    ({"models": [{"@id": "x"}]}, ""),
    ({"twins": []}, ""),
    ({"twins": ["a"]}, "twins must be a mapping"),
    ({"twins": {"a": 5}}, "twins.a must be a mapping"),
    ({"twins": {"a": {}}}, "twins.a: needs a 'model'"),
    ({"twins": {"a": {"model": "dtmi:no;1"}}}, "twins.a: there is no model"),
    ({"twins": {"a/b": {"model": PUMP}}}, ""),
    ({"twins": {"a": {"model": PUMP, "properties": "abc"}}}, "properties must be a mapping"),
    ({"twins": {"a": {"model": PUMP, "properties": {"target": "x"}}}}, "target"),
    ({"twins": {"a": {"model": PUMP, "properties": {"none": 1}}}}, "none"),
    ({"twins": {"a": {"model": PUMP, "components": [1]}}}, "components must be a mapping"),
    ({"twins": {"a": {"model": PUMP, "components": {"berring": {}}}}}, "berring"),
    ({"twins": {"a": {"model": PUMP, "components": {"bearing": 5}}}}, "bearing must be a mapping"),
    ({"twins": {"a": {"model": PUMP, "feedz": ["b"]}}}, "'feedz' is neither"),
    ({"twins": {"a": {"model": PUMP, "feeds": [5]}}}, "targets must be twin ids"),
    ({"twins": {"a": {"model": PUMP, "feeds": ["none"]}}}, "none"),
    ({"twins": {"a": {"model": PUMP, "feeds": {"to": "a", "properties": 1}}}}, "properties"),
    ({"twins": {"a": {"model": PUMP, "feeds": {"to": "a", "since": 1}}}}, "since"),
    ({"twins": {"a": {"model": PUMP, "feeds": {"to": "a", "id": 1}}}}, "must be text"),
    ({"settings": {"dtmi:no;1": {}}}, "no such model"),
    ({"settings": {PUMP: {"stale": 1}}}, "unknown field 'stale'"),
    ({"settings": {PUMP: {"staleAfter": 0}}}, "above 0"),
    ({"settings": {PUMP: {"staleAfter": True}}}, "above 0"),
    ({"settings": {PUMP: {"staleAfter": 1e300}}}, "at most 1,000,000,000"),
    ({"settings": {PUMP: {"geometry": 5}}}, "geometry must be text"),
    ({"settings": {PUMP: {"properties": [1]}}}, "properties must be a mapping"),
    ({"settings": {PUMP: {"properties": {"flwo": {}}}}}, "flwo"),
    ({"settings": {PUMP: {"properties": {"flow": 5}}}}, "must be a mapping"),
    ({"settings": {PUMP: {"properties": {"flow": {"minimum": "a"}}}}}, "limits must be numbers"),
    ({"settings": {PUMP: {"properties": {"flow": {"minimum": 2, "maximum": 1}}}}}, "above"),
    ({"bindings": {}}, ""),
    ({"bindings": [{"topic": "a"}]}, "entry 1: needs an 'id'"),
    ({"bindings": [{"id": "a", "topic": "a/{x}"}]}, "binding 'a'"),
    ({"bindings": [{"id": "a", "topic": "a+/{twin}"}]}, "binding 'a'"),
    ({"bindings": [{"id": "a", "topic": "b"}, {"id": "a", "topic": "c"}]}, "stands twice"),
    ({"rules": [{"id": "r", "model": PUMP, "when": "flow >"}]}, "rule 'r'"),
    ({"rules": [{"id": "r", "model": "dtmi:no;1", "when": "flow > 1"}]}, "rule 'r'"),
    ({"rules": [{"id": "r", "model": PUMP, "when": "flow > 1", "then": {"command": "x"}}]}, "'x'"),
    ({"rules": [{"id": "", "model": PUMP, "when": "flow > 1"}]}, "'id' is empty"),
    ({"rules": "x"}, "rules must be a list"),
    ({"kpis": [{"id": "k"}]}, "kpis.k: needs 'twin'"),
    ({"kpis": [{"id": "k", "twin": "a", "property": "b", "order": "x"}]}, "order must be a number"),
    ({"kpis": [{"id": "k", "twin": "a", "property": "b", "label": 5}]}, "label must be text"),
    ({"kpis": [{"id": "k", "twin": "a", "property": "b", "colour": 5}]}, "colour"),
    ({"scene": [1]}, "scene must be a mapping"),
]


@pytest.mark.parametrize(("plant", "said"), MISTAKES)
def test_a_mistake_is_named_and_nothing_is_imported(plant: Any, said: str, one: Inside) -> None:
    before = one.ask("GET", "/plant")
    good = {"id": "good", "topic": "good/{twin}"}
    if isinstance(plant, dict) and said:
        plant = {"bindings": [good], **plant}
    answer = one.http.post("/plant", json=plant)
    if said or answer.status_code != 200:  # an empty mapping where a list may stand is nothing
        assert 400 <= answer.status_code < 500, answer.text
        assert said in answer.json()["error"]["message"]
    assert one.ask("GET", "/plant") == before


def test_a_model_that_is_there_and_different_is_a_conflict(one: Inside) -> None:
    other = {**MODELS[0], "displayName": "other"}
    answer = one.http.post("/plant", json={"models": [other]})
    assert answer.status_code == 409
    assert ";2" in answer.json()["error"]["hint"]


FILES: list[tuple[str, dict[str, str], str]] = [
    ("a: [1", {}, "plant.yaml, line"),
    ("twins:\n  a: {}\n  b: {}\n  a: {}\n", {}, "plant.yaml, line 4: .*'a' stands twice"),
    ("- 1", {}, "plant.yaml: must be a mapping"),
    ("", {}, "plant.yaml: must be a mapping"),
    ("nmae: x", {}, "plant.yaml: unknown field 'nmae'"),
    ("models: models/*.json", {}, "plant.yaml: models must be a list"),
    ("models: [none.json]", {}, "no file matches 'none.json'"),
    ("models: ['']", {}, "is no pattern"),
    ("models: [/etc/*.json]", {}, "is no pattern"),
    ("models: [m.json]", {"m.json": '{\n"a": 1,\n}'}, "m.json, line 2: not valid JSON"),
    ("scene: s.json", {}, "there is no file .*s.json"),
    ("scene: s.json", {"s.json": "{"}, "s.json, line 1"),
    ("twins: {on: {}}", {}, "the name True is not text"),
    ("twins: {1.5: {}}", {}, "the name 1.5 is not text"),
    ("name: !!binary aGk=", {}, "name: b'hi' is neither"),
    ("name: .nan", {}, "name: nan is neither"),
    ("name: 99999999999999999999999999", {}, "is neither text"),
    ("name: 2026-13-45", {}, "plant.yaml"),
    ("name: !!python/object:os.system {}", {}, "plant.yaml, line 1"),
    ("name: &a [*a]", {}, "plant.yaml"),
    ("name: " + "[" * 200 + "]" * 200, {}, "plant.yaml"),
    ("name: \x00", {}, "plant.yaml"),
]


@pytest.mark.parametrize(("text", "others", "said"), FILES)
def test_a_file_that_cannot_be_read_is_named(
    text: str, others: dict[str, str], said: str, tmp_path: Path
) -> None:
    for name, content in {"plant.yaml": text, **others}.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInput, match=said):
        plant_files.read(tmp_path / "plant.yaml")


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    for file in (tmp_path, tmp_path / "none.yaml", tmp_path / "latin.yaml"):
        with pytest.raises(InvalidInput, match=file.name):
            plant_files.read(file)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written"):
        plant_files.write({"models": []}, tmp_path / "file")


def test_numbers_and_dates_as_yaml_has_them_become_text(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text("twins: {101: {model: x, properties: {since: 2026-01-02}}}")
    found = plant_files.read(file)
    assert found["twins"] == {"101": {"model": "x", "properties": {"since": "2026-01-02"}}}


def test_numbers_with_an_exponent_are_numbers_and_names_stay_text() -> None:
    found = parse_yaml("{a: 1.2e7, b: [1e5, -2E-3, .5e1], c: '1e5', d: 1e5x, 12e4: 3}", "file")
    assert found == {"a": 1.2e7, "b": [1e5, -2e-3, 5.0], "c": "1e5", "d": "1e5x", "12e4": 3}
    assert parse_yaml(as_yaml(found), "file") == found


def test_models_left_from_an_earlier_export_do_not_come_back(tmp_path: Path) -> None:
    plant_files.write({"models": MODELS}, tmp_path)
    plant_files.write({"models": MODELS[:1]}, tmp_path)
    assert plant_files.read(tmp_path / "plant.yaml")["models"] == MODELS[:1]


def test_the_demo_plant_imports(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        plant = plant_files.demo_plant()
        assert server.ask("POST", "/plant", plant)["twins"] > 20
        assert server.ask("POST", "/plant", plant) == {}
        exported = server.ask("GET", "/plant")
        assert server.ask("POST", "/plant", exported) == {}


def test_the_plant_of_recorded_data_imports(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "examples" / "recorded"
    with inside(tmp_path / "data") as server:
        made = server.ask("POST", "/plant", plant_files.read(folder / "plant.yaml"))
        assert (made["services"], made["behaviours"], made["scenarios"]) == (4, 1, 1)


def test_the_demo_services_import_with_the_formulas_that_name_them(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/plant", plant_files.demo_plant())
        learning = plant_files.demo_services()
        idle = [{k: v for k, v in one.items() if k != "schedule"} for one in learning["services"]]
        server.ask("POST", "/plant", {**learning, "services": idle})
        found = server.ask("GET", "/derived")["value"]
        healthy = {one["model"] for one in found if one["property"] == "health"}
        assert len(healthy) == 11
        assert [one["problem"] for one in found if one["problem"]] == []


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, VALUE, max_size=4), TEXT)
@settings(max_examples=100, deadline=None)
def test_whatever_a_plant_says_is_read_back_from_its_files(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], name: str
) -> None:
    folder = tmp_path_factory.mktemp("plant")
    twins = {"t": {"model": "m", "properties": values}} if values else {"t": {"model": "m"}}
    plant = {"name": name, "models": [], "twins": twins, "scene": {"version": 1, "name": name}}
    plant_files.write(plant, folder)
    assert plant_files.read(folder / "plant.yaml") == plant
