from __future__ import annotations

from typing import Any

import pytest

from gemel.twins.dtdl.schema import Array, Enum, Map, Object, Primitive


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", True),
        ("byte", -128),
        ("bytes", "aGVsbG8="),
        ("date", "2026-02-28"),
        ("dateTime", "2026-11-22T10:00:00.123456789Z"),
        ("dateTime", "2026-11-22T10:00:00+05:30"),
        ("decimal", "-12.50"),
        ("double", 1e300),
        ("double", 3),
        ("duration", "P3DT4H5M6.5S"),
        ("duration", "PT0.5S"),
        ("float", 3.4e38),
        ("integer", 2**31 - 1),
        ("integer", 20.0),
        ("long", -(2**63)),
        ("short", 32767),
        ("string", ""),
        ("time", "23:59:60"),
        ("unsignedByte", 255),
        ("unsignedInteger", 2**32 - 1),
        ("unsignedLong", 2**64 - 1),
        ("unsignedShort", 65535),
        ("uuid", "01234567-89AB-cdef-0123-456789abcdef"),
    ],
)
def test_values_of_their_kind_are_accepted(kind: str, value: Any) -> None:
    assert Primitive(kind).check(value) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", 1),
        ("byte", 128),
        ("bytes", "not base64!"),
        ("bytes", 5),
        ("date", "2026-02-30"),
        ("date", "22.11.2026"),
        ("dateTime", "2026-11-22"),
        ("dateTime", "2026-13-22T10:00:00Z"),
        ("dateTime", 5),
        ("decimal", "1,5"),
        ("double", "1"),
        ("double", True),
        ("double", float("nan")),
        ("double", 10**400),
        ("duration", "P"),
        ("duration", "5 min"),
        ("duration", "PT"),
        ("float", 1e39),
        ("integer", 2**31),
        ("integer", 1.5),
        ("integer", True),
        ("long", 2**63),
        ("string", 5),
        ("string", None),
        ("time", "24:00:00"),
        ("unsignedByte", -1),
        ("uuid", "no"),
    ],
)
def test_values_of_another_kind_are_refused_in_words(kind: str, value: Any) -> None:
    (problem,) = Primitive(kind).check(value, "a.b")
    assert problem.startswith("a.b: ")


def test_enumerations_tell_numbers_strings_and_booleans_apart() -> None:
    numbers = Enum("integer", {0: "off", 1: "on"})
    assert numbers.check(1) == []
    assert numbers.check(True) == ["True is not one of 0, 1"]
    assert numbers.check("1") == ["'1' is not one of 0, 1"]
    assert Enum("string", {"ON": "on"}).check(["ON"]) == ["['ON'] is not one of 'ON'"]


def test_every_problem_in_an_object_is_named_by_its_path() -> None:
    schema = Object({"points": Array(Primitive("double")), "names": Map(Primitive("string"))})
    assert schema.check({"points": [1, "x"], "names": {"a": 1}, "more": 1}, "p") == [
        "p.points[1]: 'x' is not a number",
        "p.names.a: 1 is not a string",
        "p.more: the schema has no such field (fields: points, names)",
    ]
    assert schema.check([], "p") == ["p: [] is not an object"]
    assert schema.check({"points": 1, "names": 2}) == [
        "points: 1 is not an array",
        "names: 2 is not an object that maps names to values",
    ]
    assert schema.check({}) == []


def test_kinds_name_the_schema() -> None:
    kinds = [Array(Primitive("double")), Map(Primitive("double")), Object({}), Enum("string", {})]
    assert [one.kind for one in kinds] == ["array", "map", "object", "enum"]


def test_a_long_value_is_shown_short() -> None:
    (problem,) = Primitive("double").check("x" * 10_000)
    assert len(problem) < 120
