"""Whatever is sent, the parser answers with interfaces or with a refusal that says why."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import ModelInvalid
from gemel.twins.dtdl.parser import parse

MODEL: dict[str, Any] = {
    "@context": [
        "dtmi:dtdl:context;3",
        "dtmi:dtdl:extension:quantitativeTypes;1",
        "dtmi:dtdl:extension:annotation;1",
        "dtmi:dtdl:extension:overriding;1",
        "dtmi:dtdl:extension:mqtt;1",
    ],
    "@id": "dtmi:test:Pump;1",
    "@type": ["Interface", "Mqtt"],
    "payloadFormat": "Json/ecma/404",
    "displayName": {"en": "Pump"},
    "extends": {"@id": "dtmi:test:Base;1", "@type": "Interface", "contents": []},
    "schemas": [
        {
            "@id": "dtmi:test:Mode;1",
            "@type": "Enum",
            "valueSchema": "string",
            "enumValues": [{"name": "on", "enumValue": "ON"}],
        }
    ],
    "contents": [
        {
            "@type": ["Telemetry", "Temperature", "Indexed"],
            "name": "temperature",
            "schema": "double",
            "unit": "degreeCelsius",
            "index": 1,
        },
        {
            "@type": ["Property", "ValueAnnotation", "Override"],
            "name": "unit",
            "annotates": "temperature",
            "overrides": "unit",
            "schema": "TemperatureUnit",
        },
        {"@type": "Telemetry", "name": "mode", "schema": "dtmi:test:Mode;1"},
        {
            "@type": ["Command", "Idempotent", "Cacheable"],
            "name": "set",
            "ttl": "PT5S",
            "request": {"name": "value", "schema": {"@type": "Array", "elementSchema": "point"}},
        },
        {"@type": "Relationship", "name": "feeds", "minMultiplicity": 0, "properties": []},
        {"@type": "Component", "name": "part", "schema": "dtmi:test:Base;1"},
    ],
}
WORDS = st.sampled_from(
    [
        "@id", "@type", "@context", "@graph", "@value", "@language", "contents", "schema", "name",
        "unit", "extends", "schemas", "fields", "enumValues", "valueSchema", "Telemetry", "Enum",
        "Interface", "double", "point", "kelvin", "dtmi:test:Pump;1", "dtmi:test:Base;1", "dtmi:x",
        "dtmi:dtdl:context;2", "dtmi:dtdl:instance:Schema:double;3", "dtmi:dtdl:instance:x", "",
        "http://x/y", "dtmi:dtdl:class:Unit;2", "Temperature", "annotates", "é\u0000",
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def answered(documents: Any) -> bool:
    refusal = None
    try:
        made = parse(documents)
    except ModelInvalid as error:
        refusal = error
    if refusal is not None:
        assert refusal.message
        assert all(d["code"] and d["message"] for d in refusal.details)
        return False
    for one in made.values():
        assert one.id in one.bases
        for content in one.contents.values():
            schema = getattr(content, "schema", None)
            if schema is not None and not isinstance(schema, str):
                schema.check({"a": [1]})
    return True


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


PLACES = places(MODEL)


def test_the_model_to_be_spoilt_is_valid() -> None:
    assert answered([copy.deepcopy(MODEL)])


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_json_is_answered(value: Any) -> None:
    answered([value])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_a_spoilt_model_is_answered(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    model = copy.deepcopy(MODEL)
    for path, value in changes:
        node: Any = model
        for key in path[:-1]:
            try:
                node = node[key]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(node, dict) or (isinstance(node, list) and path[-1] in range(len(node))):
                node[path[-1]] = value
    answered([model])
