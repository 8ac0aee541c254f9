"""Models in the short form turn into DTDL and back without loss."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.app.model_files import models_text, parse_models
from gemel.core.errors import InvalidInput
from gemel.interchange.expand import expand, is_short
from gemel.interchange.short_form import PRIMITIVES, quantity_of, unit_text
from gemel.interchange.shorten import same, shorten
from gemel.twins.dtdl.metamodel import metamodel
from gemel.twins.dtdl.parser import parse

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/twins/dtdl"))

import agreement  # noqa: E402
from mutations import cases  # noqa: E402

PAGE = (ROOT / "docs/formats/models.md").read_text("utf-8")
MODELS = ROOT / "src/gemel/simulate/plants/demo/models"
OTHERS = ("Asset", "Motor", "Bearing")


def example() -> dict[str, Any]:
    text = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert text
    return parse_models(text[1], "models.md")[0]


def comes_back(model: dict[str, Any]) -> bool:
    """Through the text of a file, as people pass it on."""
    return same(parse_models(models_text([model], "yaml"), "x"), [model])


def test_the_example_of_the_page_is_valid_and_says_what_it_seems_to_say() -> None:
    bases = [
        {"@context": "dtmi:dtdl:context;4", "@id": f"dtmi:plant:{n};1", "@type": "Interface"}
        for n in OTHERS
    ]
    pump = parse([example(), *bases])["dtmi:plant:Pump;1"]
    assert pump.title == "Pump"
    flow = pump.telemetries()["flow"]
    assert (flow.schema.kind, flow.unit) == ("double", "cubicMetrePerHour")
    assert "VolumeFlowRate" in str(flow.semantic_types)
    assert pump.telemetries()["speed"].schema.kind == "integer"
    assert pump.properties()["speedSetpoint"].writable
    assert pump.properties()["speedSetpoint"].unit == "percent"
    assert pump.commands()["setSpeed"].request.unit == "revolutionPerMinute"  # type: ignore[union-attr]
    assert pump.relationships()["contains"].target == "dtmi:plant:Asset;1"
    assert list(pump.relationships()["contains"].properties) == ["since"]
    assert pump.components()["bearing"].schema == "dtmi:plant:Bearing;1"
    assert comes_back(example())


@pytest.mark.parametrize("file", sorted(MODELS.glob("*.json")), ids=lambda f: f.stem)
def test_models_of_the_demo_are_short_and_come_back(file: Path) -> None:
    (model,) = parse_models(file.read_text("utf-8"), str(file))
    short = shorten(model)
    assert is_short(short)
    assert not short.get("contents")
    assert comes_back(model)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_models_of_every_version_come_back_however_they_were_changed(version: int) -> None:
    bases = agreement.bases(version)
    models = [m for one in bases for m in one if isinstance(m, dict) and "@id" in m]
    changed = [case.models for case in cases(7, version, bases, 200)]
    models += [m for one in changed for m in one if isinstance(m, dict) and "@id" in m]
    short = [shorten(model) for model in models]
    assert all(same(expand(s) if is_short(s) else s, m) for s, m in zip(short, models, strict=True))
    assert sum(map(is_short, short)) > 0.8 * len(models)
    for model in models[:: max(1, len(models) // 40)]:
        assert comes_back(model)


# ---- models made at random -------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z][A-Za-z0-9]{0,6}", fullmatch=True) | st.sampled_from(
    ["on", "no", "title", "types", "order", "schema", "null", "to", "value", "key"]
)
TEXTS = st.text(max_size=12) | st.sampled_from(["1e3", "12:30", "~", "2026-01-01", "0x1f", "<<"])
LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**53) | st.floats(-1e30, 1e30) | TEXTS
JSONS = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3)
)
UNITS = st.sampled_from(sorted(name for name, _, _ in metamodel().units.values()))
WORDS = st.sampled_from(sorted(PRIMITIVES)) | st.just("dtmi:x:S;1")


def named(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    more = {
        k: st.one_of(TEXTS, st.dictionaries(NAMES, TEXTS, max_size=2))
        for k in ("displayName", "description", "comment", "@id")
    }
    return st.fixed_dictionaries(
        {"name": NAMES, **body}, optional={**more, "title": JSONS, "odd": JSONS}
    )


SCHEMAS = st.deferred(lambda: WORDS | ENUMS | OBJECTS | ARRAYS | MAPS | JSONS)
ENUMS = st.fixed_dictionaries(
    {
        "@type": st.just("Enum"),
        "valueSchema": st.sampled_from(["integer", "string"]),
        "enumValues": st.lists(named({"enumValue": LEAVES}), max_size=3),
    }
)
FIELDS = named({"schema": SCHEMAS})
OBJECTS = st.fixed_dictionaries(
    {"@type": st.just("Object"), "fields": st.lists(FIELDS, max_size=3)}
)
ARRAYS = st.fixed_dictionaries({"@type": st.just("Array"), "elementSchema": SCHEMAS})
MAPS = st.fixed_dictionaries(
    {"@type": st.just("Map"), "mapKey": named({"schema": WORDS}), "mapValue": FIELDS}
)


def content(kind: str, **members: Any) -> st.SearchStrategy[dict[str, Any]]:
    types = st.just(kind) | st.lists(TEXTS, max_size=2).map(lambda more: [kind, *more])
    return named({"@type": types, **members})


def quantity(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """With a unit and, mostly, the type that goes with it."""
    return st.tuples(named({"schema": WORDS}), UNITS, st.booleans()).map(
        lambda found: {
            "@type": [kind, quantity_of(found[1])] if found[2] else [kind],
            "unit": found[1],
            **found[0],
        }
    )


CONTENTS = st.one_of(
    quantity("Telemetry"),
    quantity("Property"),
    content("Telemetry", schema=SCHEMAS),
    content("Property", schema=SCHEMAS, writable=st.booleans()),
    content("Command", request=FIELDS | JSONS, response=FIELDS),
    content("Relationship", target=WORDS, properties=st.lists(quantity("Property"), max_size=2)),
    content("Component", schema=WORDS),
    JSONS,
)
INTERFACES = st.fixed_dictionaries(
    {
        "@id": st.just("dtmi:x:M;1"),
        "@type": st.just("Interface") | st.just(["Interface", "Odd"]) | st.just("Other"),
        "@context": st.sampled_from(
            [
                "dtmi:dtdl:context;2",
                ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
                ["dtmi:dtdl:context;4", "dtmi:dtdl:extension:historization;2", "dtmi:x:y;1"],
                ["dtmi:dtdl:context;4"],
                None,
            ]
        ),
        "contents": st.lists(CONTENTS, max_size=5),
    },
    optional={
        "extends": WORDS | st.lists(WORDS, max_size=2),
        "schemas": st.lists(SCHEMAS, max_size=2),
        "displayName": JSONS,
        "order": JSONS,
        "model": JSONS,
    },
)


@settings(max_examples=60, deadline=None)
@given(model=INTERFACES)
def test_any_model_comes_back_from_the_short_form_and_its_text(model: dict[str, Any]) -> None:
    short = shorten(model)
    assert same(expand(short) if is_short(short) else short, model)
    assert comes_back(model)


# ---- words -----------------------------------------------------------------------------------


def test_every_unit_has_words_that_are_read_as_it() -> None:
    for name, _, _ in metamodel().units.values():
        model = {"model": "dtmi:x:M;1", "telemetry": {"a": f"integer in {unit_text(name)}"}}
        assert expand(model)["contents"][0]["unit"] == name


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"model": 1}, "model: must be a DTMI"),
        ({"model": "dtmi:x:M;1", "dtdl": 5}, "'5' is no version"),
        ({"model": "dtmi:x:M;1", "telemetries": {}}, "telemetries: not known"),
        ({"model": "dtmi:x:M;1", "telemetry": ["a"]}, "telemetry: must be a mapping"),
        ({"model": "dtmi:x:M;1", "telemetry": {"a": "furlong"}}, "telemetry.a: 'furlong' is not"),
        ({"model": "dtmi:x:M;1", "telemetry": {"a": 7}}, "telemetry.a: 7 is neither"),
        ({"model": "dtmi:x:M;1", "telemetry": {"a": None}, "order": ["b"]}, "order: does not name"),
        ({"model": "dtmi:x:M;1", "properties": {"a": {"enum": 3}}}, "properties.a.enum: must be"),
    ],
)
def test_what_is_not_of_the_form_is_named_with_its_place(model: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        expand(model)
