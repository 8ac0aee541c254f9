"""Values in JSON text against elements of models, as the language defines them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.twins.dtdl.instances import instance_problems
from gemel.twins.dtdl.parser import check

PRIMITIVE = "dtmi:dtdl:instance:Schema:{};{}"


def conforms(schema: Any, text: str, version: int = 4, below: str = ":_schema") -> bool:
    model = {
        "@context": f"dtmi:dtdl:context;{version}",
        "@id": "dtmi:test:A;1",
        "@type": "Interface",
        "contents": [{"@type": "Telemetry", "name": "t", "schema": schema}],
    }
    checked = check([model])
    assert not checked.problems.found
    subject = f"dtmi:test:A:_contents:__t{below};1"
    if isinstance(schema, str) and below == ":_schema":
        number = 4 if schema not in OLD else 2
        subject = PRIMITIVE.format(schema, number)
    element = checked.find(subject)
    assert element is not None, subject
    return not instance_problems(element, text)


OLD = {"boolean", "date", "dateTime", "double", "duration", "float", "integer", "long", "string"}

GOOD = {
    "boolean": ["true", " false "],
    "integer": ["0", "-2147483648", "2147483647"],
    "long": ["9223372036854775807"],
    "byte": ["-128", "127", "-0"],
    "short": ["-32768"],
    "unsignedByte": ["255", "0"],
    "unsignedShort": ["65535"],
    "unsignedInteger": ["4294967295"],
    "unsignedLong": ["18446744073709551615"],
    "float": ["3.4e38", "1", "-0.5"],
    "double": ["1e308", "1.0", "7"],
    "decimal": ['"1.50"', '"-0"', '"+12."'],
    "string": ['""', '"\\u00e4"'],
    "bytes": ['"YWI="', '""', '"YWJj"'],
    "uuid": ['"01234567-89ab-CDEF-0123-456789abcdef"'],
    "date": ['"2024-02-29"'],
    "time": ['"23:59:59Z"', '"00:00:00.125+14:00"'],
    "dateTime": ['"2026-11-22T10:00:00Z"', '"2026-11-22T10:00:00.123456789-05:30"'],
    "duration": ['"PT5M"', '"P1Y2M3DT4H5M6.7S"', '"P1.5D"', '"P2W"'],
}
BAD = {
    "boolean": ["1", '"true"', "null", "True"],
    "integer": ["2147483648", "1.0", "1e2", '"1"', "true", "null", "NaN", "01", "1,"],
    "long": ["9223372036854775808", "1.5"],
    "byte": ["128", "-129"],
    "short": ["32768"],
    "unsignedByte": ["256", "-1", "-0", "1.0"],
    "unsignedShort": ["65536"],
    "unsignedInteger": ["4294967296"],
    "unsignedLong": ["18446744073709551616", "1" * 5000],
    "float": ["3.5e38", '"1"', "true", "1" * 5000],
    "double": ["1e309", "[1]", "Infinity"],
    "decimal": ["1.5", '"01"', '".5"', '"1e2"', '""'],
    "string": ["1", "null", "'a'"],
    "bytes": ['"YWI"', '"YW!="', "1"],
    "uuid": ['"0123"', '"01234567-89ab-cdef-0123-456789abcdeg"'],
    "date": ['"2023-02-29"', '"2026-1-1"', '"2026-11-22T00:00:00Z"', '"0000-01-01"'],
    "time": ['"10:00:00"', '"24:00:00Z"', '"10:60:00Z"', '"10:00:60Z"', '"10:00:00+15:00"'],
    "dateTime": ['"2026-11-22T10:00:00"', '"2026-11-22 10:00:00Z"', '"2026-02-30T10:00:00Z"'],
    "duration": ['"P"', '"PT"', '"-PT5M"', '"5M"', '"P1Y2W"', "5"],
}


@pytest.mark.parametrize(("schema", "text"), [(k, t) for k, texts in GOOD.items() for t in texts])
def test_values_of_a_primitive_schema_conform(schema: str, text: str) -> None:
    assert conforms(schema, text)


@pytest.mark.parametrize(("schema", "text"), [(k, t) for k, texts in BAD.items() for t in texts])
def test_other_values_do_not_conform(schema: str, text: str) -> None:
    assert not conforms(schema, text)


MODE = {
    "@type": "Enum",
    "valueSchema": "integer",
    "enumValues": [{"name": "off", "enumValue": 0}, {"name": "on", "enumValue": 1}],
}
WHOLE = {
    "@type": "Object",
    "fields": [
        {"name": "mode", "schema": MODE},
        {"name": "points", "schema": {"@type": "Array", "elementSchema": "double"}},
        {
            "name": "rooms",
            "schema": {
                "@type": "Map",
                "mapKey": {"name": "room", "schema": "string"},
                "mapValue": {"name": "area", "schema": "float"},
            },
        },
    ],
}


@pytest.mark.parametrize("version", [2, 3, 4])
def test_complex_values_conform_part_by_part(version: int) -> None:
    good = [
        "{}",
        '{"mode": 1, "points": [1, 2.5], "rooms": {"any name": 3, "": 4}}',
        '{"points":[]}',
    ]
    bad = [
        "[]",
        '{"mode": 2}',
        '{"mode": 1.0}',
        '{"mode": "on"}',
        '{"mode": true}',
        '{"other": 1}',
        '{"points": [1, null]}',
        '{"points": {"a": 1}}',
        '{"rooms": {"a": "b"}}',
        '{"mode": 1, "mode": 5}',
        '{"mode": 5, "mode": 1}',
        '{"mode": 1',
    ]
    assert [conforms(WHOLE, text, version) for text in good] == [True] * len(good)
    assert [conforms(WHOLE, text, version) for text in bad] == [False] * len(bad)


def test_a_shape_of_the_language_is_a_subject_too() -> None:
    checked = check(
        [
            {
                "@context": "dtmi:dtdl:context;4",
                "@id": "dtmi:test:A;1",
                "@type": "Interface",
                "contents": [{"@type": "Telemetry", "name": "t", "schema": "point"}],
            }
        ]
    )
    point = checked.find("dtmi:standard:schema:geospatial:point;4")
    assert point is not None
    assert not instance_problems(point, '{"type": "Point", "coordinates": [4.0, 52]}')
    assert instance_problems(point, '{"type": "Line", "coordinates": [4.0, 52]}')


def test_parts_of_a_schema_are_subjects_by_the_ids_the_language_gives_them() -> None:
    assert conforms(MODE, "1", below=":_schema:_enumValues:__on")
    assert not conforms(MODE, "0", below=":_schema:_enumValues:__on")
    below = ":_schema:_fields:__rooms:_schema:_mapValue"
    assert conforms(WHOLE, "1.5", below=below)
    # a field alone has no name that could be its own
    assert not conforms(WHOLE, "1", below=":_schema:_fields:__mode")


def test_what_is_nested_too_deep_is_refused() -> None:
    nested = {"@type": "Array", "elementSchema": "double"}
    assert not conforms(nested, "[" * 65 + "]" * 65)
    assert not conforms(nested, "[" * 100_000 + "]" * 100_000)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    assert conforms(WHOLE, text) in (True, False)
