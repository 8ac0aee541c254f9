from __future__ import annotations

from typing import Any

import pytest

from gemel.core.errors import ModelInvalid
from gemel.twins.dtdl.interface import (
    Array,
    Command,
    Component,
    Enum,
    Map,
    Object,
    Primitive,
    Property,
    Relationship,
    Telemetry,
)
from gemel.twins.dtdl.parser import check, parse

V2, V3, V4 = (f"dtmi:dtdl:context;{v}" for v in (2, 3, 4))
QUANTITIES = "dtmi:dtdl:extension:quantitativeTypes;1"
ERROR = "dtmi:dtdl:parsingError:"


def interface(name: str = "Pump", *contents: Any, context: Any = V3, **more: Any) -> dict[str, Any]:
    return {
        "@context": context,
        "@id": f"dtmi:test:{name};1",
        "@type": "Interface",
        "contents": list(contents),
        **more,
    }


def telemetry(name: str = "flow", schema: Any = "double", **more: Any) -> dict[str, Any]:
    return {"@type": "Telemetry", "name": name, "schema": schema, **more}


def refusal(*documents: Any, **options: Any) -> ModelInvalid:
    with pytest.raises(ModelInvalid) as caught:
        parse(list(documents), **options)
    assert caught.value.code in ("DTDLParserError", "InvalidArgument")
    return caught.value


def codes(*documents: Any, **options: Any) -> list[str]:
    return [d["code"].removeprefix(ERROR) for d in refusal(*documents, **options).details]


def test_all_contents_are_read() -> None:
    model = interface(
        "Pump",
        telemetry("flow", unit="litrePerSecond", **{"@type": ["Telemetry", "VolumeFlowRate"]}),
        {"@type": "Property", "name": "target", "schema": "float", "writable": True},
        {
            "@type": "Command",
            "name": "setSpeed",
            "displayName": {"en": "Set speed", "de": "Drehzahl setzen"},
            "request": {
                "@type": ["CommandRequest", "AngularVelocity"],
                "name": "speed",
                "schema": "double",
                "unit": "revolutionPerMinute",
            },
            "response": {"name": "done", "schema": "boolean"},
        },
        {
            "@type": "Relationship",
            "name": "feeds",
            "target": "dtmi:test:Tank;1",
            "maxMultiplicity": 3,
            "properties": [{"@type": "Property", "name": "since", "schema": "date"}],
        },
        {"@type": "Component", "name": "motor", "schema": "dtmi:test:Motor;1"},
        context=[V3, QUANTITIES],
        displayName="Feed pump",
        description={"de": "Pumpe"},
    )
    pump = parse([model, interface("Motor", telemetry("temperature"))])["dtmi:test:Pump;1"]
    assert pump.title == "Feed pump"
    assert pump.description == {"de": "Pumpe"}
    assert pump.dtdl_version == 3
    assert pump.telemetries()["flow"] == Telemetry(
        "flow", Primitive("double"), ("VolumeFlowRate",), "litrePerSecond"
    )
    assert pump.properties() == {"target": Property("target", Primitive("float"), writable=True)}
    command = pump.commands()["setSpeed"]
    assert isinstance(command, Command)
    assert command.display_name["de"] == "Drehzahl setzen"
    assert command.request is not None
    assert command.request.unit == "revolutionPerMinute"
    assert command.response is not None
    assert command.response.schema == Primitive("boolean")
    assert pump.relationships() == {
        "feeds": Relationship(
            "feeds",
            "dtmi:test:Tank;1",
            None,
            3,
            {"since": Property("since", Primitive("date"))},
        )
    }
    assert pump.components() == {"motor": Component("motor", "dtmi:test:Motor;1")}
    assert pump.dependencies() == {"dtmi:test:Motor;1"}
    assert pump.raw is model


def test_all_schemas_are_read() -> None:
    schema = {
        "@type": "Object",
        "fields": [
            {
                "name": "mode",
                "schema": {
                    "@type": "Enum",
                    "valueSchema": "integer",
                    "enumValues": [
                        {"name": "off", "enumValue": 0},
                        {"name": "on", "enumValue": 1},
                    ],
                },
            },
            {"name": "points", "schema": {"@type": "Array", "elementSchema": "dateTime"}},
            {
                "name": "rooms",
                "schema": {
                    "@type": "Map",
                    "mapKey": {"name": "room", "schema": "string"},
                    "mapValue": {"name": "area", "schema": "dtmi:test:Area;1"},
                },
            },
        ],
    }
    area = {"@id": "dtmi:test:Area;1", "@type": "Array", "elementSchema": "long"}
    made = parse([interface("A", telemetry("t", schema), schemas=[area])])["dtmi:test:A;1"]
    assert made.telemetries()["t"].schema == Object(
        {
            "mode": Enum("integer", {0: "off", 1: "on"}),
            "points": Array(Primitive("dateTime")),
            "rooms": Map(Array(Primitive("long"))),
        }
    )


@pytest.mark.parametrize("context", [V2, V3, V4])
def test_geospatial_schemas_are_objects(context: str) -> None:
    made = parse([interface("A", telemetry("where", "point"), context=context)])["dtmi:test:A;1"]
    schema = made.telemetries()["where"].schema
    assert schema.check({"type": "Point", "coordinates": [4.0, 52.0]}) == []
    assert schema.check({"type": "Line", "coordinates": [4.0, "x"]}) == [
        "type: 'Line' is not one of 'Point'",
        "coordinates[1]: 'x' is not a number",
    ]


def test_bases_give_their_contents_once_along_two_ways() -> None:
    top = interface("Top", telemetry("t"))
    left = interface("Left", telemetry("l"), extends="dtmi:test:Top;1")
    right = interface("Right", telemetry("r"), extends=["dtmi:test:Top;1"])
    both = interface("Both", telemetry("b"), extends=["dtmi:test:Left;1", "dtmi:test:Right;1"])
    made = parse([both, left, right, top])["dtmi:test:Both;1"]
    assert list(made.contents) == ["t", "l", "r", "b"]
    assert made.extends == ("dtmi:test:Left;1", "dtmi:test:Right;1")
    assert made.bases == {f"dtmi:test:{n};1" for n in ("Both", "Left", "Right", "Top")}


def test_bases_may_be_known_before() -> None:
    top = interface("Top", telemetry("t"))
    left = interface("Left", telemetry("l"), extends="dtmi:test:Top;1")
    known = parse([top, left])
    made = parse([interface("Low", telemetry("x"), extends="dtmi:test:Left;1")], known)
    assert list(made) == ["dtmi:test:Low;1"]
    assert list(made["dtmi:test:Low;1"].contents) == ["t", "l", "x"]
    clash = interface("Low", telemetry("t"), extends="dtmi:test:Left;1")
    assert codes(clash, known=known) == ["nonUniqueImportedPropertyValue"]


def test_interface_inside_another_is_one_of_its_own_afterwards() -> None:
    inner = interface("Inner", telemetry("i", **{"@type": ["Telemetry", "Length"]}, unit="metre"))
    del inner["@context"]
    outer = interface("Outer", telemetry("o"), extends=inner, context=[V3, QUANTITIES])
    known = parse([outer])
    assert set(known) == {"dtmi:test:Outer;1", "dtmi:test:Inner;1"}
    assert parse([known["dtmi:test:Inner;1"].raw]) == {
        "dtmi:test:Inner;1": known["dtmi:test:Inner;1"]
    }
    both = ["dtmi:test:Inner;1", "dtmi:test:Outer;1"]
    for order in (both, both[::-1]):
        made = parse([interface("Low", extends=order)], known)["dtmi:test:Low;1"]
        assert set(made.contents) == {"i", "o"}


def test_every_problem_is_told_with_place_rule_and_way_out() -> None:
    error = refusal(
        interface(
            "Pump",
            telemetry("1flow"),
            telemetry("speed", "dubble"),
            {"@type": "Property", "schema": "double"},
            {"@type": "Telemetrie", "name": "x", "schema": "double"},
        ),
        {"@context": V3, "@type": "Interface"},
    )
    found = {d["code"].removeprefix(ERROR): d["message"] for d in error.details}
    assert set(found) == {
        "stringInvalid",
        "badDtmiOrTerm",
        "objectCountBelowMin",
        "missingDtmiSegPropertyValue",
        "typeUndefinedTerm",
        "missingTopLevelId",
    }
    assert found["stringInvalid"] == (
        "dtmi:test:Pump;1, contents[0].name: 'name' is '1flow'. It must be of this form: contains "
        "only alphanumerics and underscore, starting with a letter, ending with alphanumeric."
    )
    assert found["badDtmiOrTerm"].startswith("dtmi:test:Pump;1, contents[1].schema: 'schema' is ")
    assert "a term of DTDL, for a Schema" in found["badDtmiOrTerm"]
    assert found["missingTopLevelId"].startswith("document 2: ")
    assert "(and 5 more)" in error.message
    assert error.hint


def test_unresolved_references_are_named_with_their_places() -> None:
    error = refusal(
        interface(
            "A",
            {"@type": "Component", "name": "c", "schema": "dtmi:test:Gone;1"},
            extends="dtmi:test:Away;1",
        )
    )
    assert [d["code"] for d in error.details] == ["UnresolvedReference"] * 2
    texts = " ".join(d["message"] for d in error.details)
    assert "'dtmi:test:Gone;1'" in texts
    assert "dtmi:test:A;1, contents[0].schema" in texts
    assert "'dtmi:test:Away;1'" in texts


def test_reference_to_a_broken_model_is_not_told_twice() -> None:
    broken = interface("Base", telemetry("1"))
    broken["@type"] = "Interfase"
    found = codes(broken, interface("A", extends="dtmi:test:Base;1"))
    assert found == ["typeUndefinedTerm", "typeNotRootable"]


def test_nothing_is_loaded_when_one_model_is_wrong() -> None:
    assert codes(interface("Good"), interface("Bad", telemetry("x", "nope"))) == [
        "badDtmiOrTerm",
        "objectCountBelowMin",
    ]


@pytest.mark.parametrize(
    ("context", "limit"), [(V2, 10), (V3, 10), (V4, 12)], ids=["v2", "v3", "v4"]
)
def test_extends_may_go_only_so_deep(context: str, limit: int) -> None:
    def chain(length: int) -> list[dict[str, Any]]:
        made = [interface("I0", context=context)]
        for n in range(1, length + 1):
            made.append(interface(f"I{n}", context=context, extends=f"dtmi:test:I{n - 1};1"))
        return made

    assert len(parse(chain(limit))) == limit + 1
    assert codes(*chain(limit + 1)) == ["excessiveDepthNarrow"]


def test_very_long_chain_does_no_harm() -> None:
    made = [interface("I0")]
    for n in range(1, 3000):
        made.append(interface(f"I{n}", extends=f"dtmi:test:I{n - 1};1"))
    assert set(codes(*made)) == {"excessiveDepthNarrow"}


def test_circle_of_bases_is_refused() -> None:
    found = codes(
        interface("A", extends="dtmi:test:B;1"),
        interface("B", extends="dtmi:test:C;1"),
        interface("C", extends="dtmi:test:A;1"),
    )
    assert set(found) == {"recursiveStructureNarrow"}


def test_schema_may_contain_itself_only_in_version_4() -> None:
    def tree(context: str) -> dict[str, Any]:
        node = {
            "@id": "dtmi:test:Node;1",
            "@type": "Object",
            "fields": [
                {"name": "value", "schema": "integer"},
                {
                    "name": "children",
                    "schema": {"@type": "Array", "elementSchema": "dtmi:test:Node;1"},
                },
            ],
        }
        return interface("A", telemetry("t", "dtmi:test:Node;1"), schemas=node, context=context)

    schema = parse([tree(V4)])["dtmi:test:A;1"].telemetries()["t"].schema
    assert schema.check({"value": 1, "children": [{"value": 2, "children": []}]}) == []
    assert schema.check({"children": [{"value": "x"}]}) == [
        "children[0].value: 'x' is not an integer"
    ]
    deep: dict[str, Any] = {"value": 1}
    for _ in range(300):
        deep = {"children": [deep]}
    (problem,) = schema.check(deep)
    assert "too deep" in problem
    assert "recursiveStructureWide" in codes(tree(V3))


def test_component_may_not_contain_components_even_inherited_ones() -> None:
    base = interface("Base", {"@type": "Component", "name": "c", "schema": "dtmi:test:Leaf;1"})
    middle = interface("Middle", extends="dtmi:test:Base;1")
    top = interface("Top", {"@type": "Component", "name": "m", "schema": "dtmi:test:Middle;1"})
    assert codes(top, middle, base, interface("Leaf")) == ["excludedType"]


def test_version_3_may_extend_version_2_but_not_the_other_way() -> None:
    old = interface("Old", telemetry("o"), context=V2)
    new = interface("New", telemetry("n"), extends="dtmi:test:Old;1")
    assert set(parse([old, new])["dtmi:test:New;1"].contents) == {"o", "n"}
    newer = interface("Newer", telemetry("n"))
    older = interface("Older", context=V2, extends="dtmi:test:Newer;1")
    assert codes(newer, older) == ["disallowedVersionReference"]


def test_unit_must_fit_the_quantity() -> None:
    def measured(unit: str) -> dict[str, Any]:
        one = telemetry("t", unit=unit, **{"@type": ["Telemetry", "Temperature"]})
        return interface("A", one, context=[V3, QUANTITIES])

    assert parse([measured("kelvin")])["dtmi:test:A;1"].telemetries()["t"].unit == "kelvin"
    error = refusal(measured("bar"))
    assert "one of degreeCelsius, degreeFahrenheit, kelvin" in error.message
    assert codes(measured("degreeC")) == ["badDtmiOrTerm", "objectCountBelowMin"]


def test_quantity_needs_its_extension_in_version_3() -> None:
    one = telemetry("t", unit="kelvin", **{"@type": ["Telemetry", "Temperature"]})
    assert codes(interface("A", one)) == ["typeUndefinedTerm"]


def test_version_2_tells_quantity_and_unit_without_an_extension() -> None:
    one = telemetry("t", unit="degreeCelsius", **{"@type": ["Telemetry", "Temperature"]})
    made = parse([interface("A", one, context=V2)])["dtmi:test:A;1"]
    assert made.telemetries()["t"].unit == "degreeCelsius"
    assert made.telemetries()["t"].semantic_types == ("Temperature",)


def test_other_extensions_are_read() -> None:
    model = interface(
        "A",
        telemetry("t", **{"@type": ["Telemetry", "Historized"]}),
        {
            "@type": ["Property", "ValueAnnotation"],
            "name": "accuracy",
            "annotates": "t",
            "schema": "double",
        },
        context=[V3, "dtmi:dtdl:extension:historization;1", "dtmi:dtdl:extension:annotation;1"],
    )
    made = parse([model])["dtmi:test:A;1"]
    assert made.telemetries()["t"].semantic_types == ("Historized",)
    assert made.properties()["accuracy"].semantic_types == ("ValueAnnotation",)
    model["contents"][1]["annotates"] = "accuracy"
    assert codes(model) == ["disallowedType"]


def test_unknown_extension_is_accepted_in_version_2_unless_told_otherwise() -> None:
    context = "dtmi:vendor:extension;1"
    model = interface("A", telemetry("t", **{"@type": ["Telemetry", "Odd"]}, extra=1))
    model["@context"] = [V2, context]
    assert parse([model])["dtmi:test:A;1"].telemetries()["t"].semantic_types == ("Odd",)
    assert codes(model, undefined_extensions=False) == ["unresolvableContextSpecifier"]
    model["@context"] = [V3, context]
    assert codes(model) == ["unresolvableContextSpecifier"]
    assert set(parse([model], undefined_extensions=True)) == {"dtmi:test:A;1"}


def test_three_faults_of_version_2_can_be_let_pass() -> None:
    model = interface(
        "A",
        telemetry("t"),
        telemetry("t", "integer"),
        context=V2,
        extends=[{"@id": "dtmi:test:B;1"}],
    )
    base = {"@context": V2, "@id": "dtmi:test:B;1", "@type": "Interface"}
    assert codes(model, base) == ["idReference", "nonUniquePropertyValue"]
    made = parse([model, base], tolerant=True)["dtmi:test:A;1"]
    assert made.telemetries()["t"].schema == Primitive("double")
    assert made.extends == ("dtmi:test:B;1",)


def test_model_of_more_than_a_megabyte_is_refused_in_version_3() -> None:
    many = [telemetry(f"t{n}", description="x" * 500) for n in range(2100)]
    assert codes(interface("A", *many)) == ["partitionTooLarge"]


def test_nested_beyond_reason_is_refused_without_harm() -> None:
    schema: Any = "double"
    for _ in range(400):
        schema = {"@type": "Array", "elementSchema": schema}
    assert "excessiveDepthWide" in codes(interface("A", telemetry("t", schema)))
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    assert codes(interface("A", telemetry("t", deep))) == ["excessiveDepthWide"]


@pytest.mark.parametrize(("levels", "expected"), [(62, []), (63, ["excessiveDepthWide"])])
def test_a_document_may_have_as_many_levels_as_the_official_parser_reads(
    levels: int, expected: list[str]
) -> None:
    comment: Any = "seen"
    for _ in range(levels):
        comment = [comment]
    found = check([interface(comment=comment)]).problems.found
    assert [one["code"].removeprefix(ERROR) for one in found] == expected


@pytest.mark.parametrize("context", [V2, V3, V4], ids=["v2", "v3", "v4"])
def test_arrays_inside_an_array_stand_for_their_own_items(context: str) -> None:
    link = {"@type": "Relationship", "name": [["feeds"]], "minMultiplicity": [[], [0]]}
    mode = {"@type": "Property", "name": "on", "schema": [["boolean"]], "writable": [[True]]}
    pump = interface("Pump", link | {"target": [["dtmi:test:Tank;1"]]}, mode, context=context)
    found = parse([pump])["dtmi:test:Pump;1"]
    assert found.contents["feeds"].target == "dtmi:test:Tank;1"
    assert found.contents["on"].writable
    two = interface(comment=[["one", "two"]], context=context)
    assert codes(two) == ["stringMultipleValues"]


def test_models_may_lie_in_arrays_however_deep_and_arrays_may_be_empty() -> None:
    assert list(parse([[], [[[interface("Pump")]]], [[]]])) == ["dtmi:test:Pump;1"]
    assert parse([[]]) == {}


def test_an_interface_that_is_extended_twice_counts_once() -> None:
    bases = [interface(name, context=V2) for name in ("A", "B", "C")]
    ids = [base["@id"] for base in bases]
    top = interface("Top", context=V2, extends=[ids[0], ids[1], ids[0]])
    assert "dtmi:test:Top;1" in parse([top, *bases])
    assert codes({**top, "extends": ids}, *bases) == ["objectCountAboveMax"]


def test_contexts_of_version_2_have_no_minor_version() -> None:
    def with_context(version: str, extension: str) -> Any:
        return interface(context=[version, extension])

    assert codes(with_context(V2, "dtmi:acme:ext;1.5")) == ["invalidContextSpecifierForVersion"]
    assert "dtmi:test:Pump;1" in parse([with_context(V2, "dtmi:acme:ext;1")])
    assert codes(with_context(V3, "dtmi:acme:ext;1.5")) == ["unresolvableContextSpecifier"]


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ({"@value": "x", "@language": "en"}, "langTagValueInLangMap"),
        ({"@value": "x", "@language": "en", "de": "y"}, "langMapObjKeyword"),
    ],
)
def test_a_tagged_text_is_no_map_of_languages(texts: Any, code: str) -> None:
    assert set(codes(interface(displayName=texts))) == {code}


@pytest.mark.parametrize("document", [None, 1, "x", True, {}, [[5]], [{}], {"@context": 5}])
def test_what_is_no_model_is_refused(document: Any) -> None:
    assert codes(document)


def test_no_document_at_all_is_refused() -> None:
    assert refusal().code == "InvalidArgument"


def test_a_primitive_schema_is_the_same_under_its_ids_of_other_versions() -> None:
    double, new = (f"dtmi:dtdl:instance:Schema:{name};4" for name in ("double", "decimal"))
    found = parse([interface("Pump", telemetry(schema=double), context=V2)])["dtmi:test:Pump;1"]
    assert found.contents["flow"].schema.kind == "double"
    assert codes(interface("Pump", telemetry(schema=new), context=V2)) == [
        "disallowedVersionReference"
    ]


@pytest.mark.parametrize(("own", "inherited", "fits"), [(299, 1, True), (299, 2, False)])
def test_inherited_contents_count_with_own_ones(own: int, inherited: int, fits: bool) -> None:
    base = interface("Base", *(telemetry(f"b{n}") for n in range(inherited)), context=V2)
    top = interface(
        "Top", *(telemetry(f"t{n}") for n in range(own)), context=V2, extends=base["@id"]
    )
    if fits:
        assert "dtmi:test:Top;1" in parse([top, base])
    else:
        assert codes(top, base) == ["objectCountAboveMax"]


def test_texts_are_as_long_as_in_utf_16() -> None:
    wide = "\N{GRINNING FACE}"
    for name, code in (("displayName", "langStringValueTooLong"), ("comment", "stringTooLong")):
        most = 512 if name == "comment" else 64
        parse([interface(context=V2, **{name: wide * (most // 2)})])
        assert codes(interface(context=V2, **{name: wide * (most // 2) + "x"})) == [code]
