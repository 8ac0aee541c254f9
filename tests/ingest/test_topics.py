from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.ingest.points import Point
from gemel.ingest.topics import Binding, BindingIndex, FieldMap, binding_from_json, device_id

NOW = 1_763_800_000 * SECOND


@pytest.mark.parametrize(
    ("pattern", "twin", "topic", "expected"),
    [
        ("plant/{twin}/{property}", "{twin}", "plant/p7/flow", ("p7", "flow")),
        ("plant/{twin}/{property}", "{twin}", "plant/p7", None),
        ("plant/{twin}/{property}", "{twin}", "plant/p7/a/b", None),
        ("plant/{twin}/{property}", "{twin}", "plant//flow", None),
        ("spBv1/+/{twin}/#", "{twin}", "spBv1/g/p7", ("p7", "")),
        ("spBv1/+/{twin}/#", "{twin}", "spBv1/g/p7/a/b", ("p7", "")),
        ("spBv1/+/{twin}/#", "{twin}", "spBv1/g", None),
        ("{site}/{line}/m", "{site}-{line}", "s1/l2/m", ("s1-l2", "")),
        ("a.b/{twin}", "{twin}", "axb/p7", None),
        ("#", "all", "any/thing", ("all", "")),
        ("+/{twin}", "{twin}", "/p7", ("p7", "")),
        ("a/{twin}", "x {twin}", "a/p/7", None),
        ("a/{twin}", "x {twin}", "a/p 7", ("x_p_7", "")),
    ],
)
def test_patterns_capture_levels(pattern, twin, topic, expected):
    assert Binding("b", pattern, twin).match(topic) == expected


@pytest.mark.parametrize(
    ("pattern", "twin", "words"),
    [
        ("a/{twin}x", "{twin}", "level '{twin}x'"),
        ("a/#/{twin}", "{twin}", "level '#'"),
        ("a/b+", "t", "level 'b+'"),
        ("a/{x}", "{twin}", "has no '{twin}'"),
        ("{twin}/{twin}", "{twin}", "occurs twice"),
        ("a\n/{twin}", "{twin}", "level"),
    ],
)
def test_bad_patterns_name_the_place(pattern, twin, words):
    with pytest.raises(InvalidInput, match=re.escape(words)) as caught:
        Binding("b7", pattern, twin)
    assert "b7" in caught.value.message


def test_binding_is_read_from_json():
    doc = {
        "id": "b",
        "topic": "line/{twin}",
        "fields": {"T": {"property": "temperature", "unit": "°F"}, "F": "flow"},
        "only": True,
        "time": "when",
    }
    assert binding_from_json(doc) == Binding(
        "b",
        "line/{twin}",
        "{twin}",
        {"T": FieldMap("temperature", "°F"), "F": FieldMap("flow")},
        True,
        "when",
    )


@pytest.mark.parametrize(
    "doc",
    [
        {},
        {"id": "b"},
        {"id": "b", "topic": 3},
        {"id": "b", "topic": "a/{twin}", "only": "yes"},
        {"id": "b", "topic": "a/{twin}", "fields": []},
        {"id": "b", "topic": "a/{twin}", "fields": {"x": 3}},
        {"id": "b", "topic": "a/{twin}", "fields": {"x": {"unit": "m"}}},
        {"id": "b", "topic": "a/{twin}", "fields": {"x": ""}},
        {"id": "b", "topic": "a/{twin}", "field": {}},
    ],
)
def test_bad_binding_documents_are_refused(doc):
    with pytest.raises(InvalidInput, match="binding '"):
        binding_from_json(doc)


def test_first_binding_in_order_wins():
    index = BindingIndex(
        [Binding("1", "+/{twin}"), Binding("2", "a/{twin}"), Binding("3", "b/{twin}/#")]
    )
    assert index.find("a/x")[0].id == "1"
    assert index.find("b/x/y")[0].id == "3"
    assert index.find("c/d/e") is None
    assert index.find("$SYS/x") is None


@given(st.text())
def test_device_ids_hold_only_what_ids_may(text):
    found = device_id(text)
    assert len(found) <= 128
    assert not re.search(r"[\s/\"<>&\\]", found)
    assert found not in (".", "..")
    assert device_id(found) == found


@pytest.fixture
def bound(plant):
    plant.ingest.set_bindings(
        [
            Binding("one", "plant/{twin}/{property}", fields={"Fl": FieldMap("flow")}),
            Binding(
                "some",
                "line/{twin}/state",
                fields={"Q": FieldMap("flow"), "m.T": FieldMap("motor.temperature")},
                only=True,
                time="when",
            ),
            Binding("rest", "rest/{n}", "pump-{n}", fields={"Q": FieldMap("flow")}),
        ]
    )
    return plant


def test_property_of_the_topic_takes_a_bare_value_or_an_object(bound):
    for payload in (b"12.5", b'{"value": 12.5}', b'{"v": 12.5, "ts": 1763799000}'):
        for name in ("flow", "Fl"):
            got = bound.send(payload, f"plant/pump-1/{name}")
            assert bound.readings(got) == {"pump-1/flow": 12.5}


def test_only_mapped_fields_are_taken_where_the_binding_says_so(bound):
    body = {"when": 1_763_799_000, "Q": 2, "m": {"T": 50, "x": 1}, "time": "odd", "pressure": 1}
    for _ in range(2):
        got = bound.send(body, "line/pump-1/state")
        assert got.rejects == []
        assert bound.rows(got) == [
            ("pump-1", "flow", 1_763_799_000 * SECOND, 2.0, 0),
            ("pump-1", "motor.temperature", 1_763_799_000 * SECOND, 50.0, 0),
        ]
        got = bound.send({"Q": 3, "zz": 4}, "line/pump-1/state")
        assert bound.readings(got) == {"pump-1/flow": 3.0}


def test_other_fields_keep_their_name_where_it_does_not(bound):
    for _ in range(2):
        got = bound.send({"Q": 2, "pressure": 3, "zz": 4}, "rest/2")
        assert bound.readings(got) == {"pump-2/flow": 2.0, "pump-2/pressure": 3.0}
        assert [r.field for r in got.rejects] == ["zz"]


def test_binding_comes_before_the_defaults(bound):
    bound.ingest.set_bindings([Binding("x", "devices/pump-1/telemetry", "pump-2")])
    assert bound.readings(bound.send({"flow": 1})) == {"pump-2/flow": 1.0}
    bound.ingest.set_bindings([])
    assert bound.readings(bound.send({"flow": 1})) == {"pump-1/flow": 1.0}


def test_bound_twin_is_told(bound):
    assert bound.ingest.bound_twin("plant/p7/flow") == "p7"
    assert bound.ingest.bound_twin("elsewhere/p7") is None


def test_binding_to_an_unknown_twin_discovers_it(bound):
    got = bound.send({"Q": 2}, "rest/99")
    assert bound.readings(got) == {"pump-99/flow": 2.0}
    assert list(got.unknown) == ["pump-99"]


def test_sender_is_checked_against_the_bound_twin(bound):
    got = bound.send({"Q": 2}, "rest/2", who=Principal("pump-1", "device", ("pump-1",)))
    assert [(r.twin, r.reason) for r in got.rejects] == [("pump-2", "not-allowed")]


def test_units_of_fields_and_payloads_are_converted(plant):
    plant.ingest.set_bindings(
        [Binding("f", "f/{twin}", fields={"T": FieldMap("motor.temperature", "°F")})]
    )
    for _ in range(2):
        got = plant.send({"T": 212, "flow": 1}, "f/pump-1")
        assert plant.readings(got)["pump-1/motor.temperature"] == pytest.approx(100)
    hot = plant.send({"T": 1000}, "f/pump-1")
    assert list(hot.batch.quality) == [129]
    got = plant.send([{"n": "motor.temperature", "u": "K", "v": 373.15}])
    assert plant.readings(got)["pump-1/motor.temperature"] == pytest.approx(100)
    got = plant.send({"motor": {"temperature": {"value": 212, "unit": "°F"}}})
    assert plant.readings(got)["pump-1/motor.temperature"] == pytest.approx(100)
    got = plant.send([{"n": "motor.temperature", "u": "kg", "v": 3}, {"n": "flow", "v": 1}])
    assert [(r.field, r.reason) for r in got.rejects] == [("motor.temperature", "wrong-unit")]
    assert got.readings == 1


def test_field_with_a_unit_that_does_not_fit_is_rejected_each_time(plant):
    plant.ingest.set_bindings([Binding("f", "f/{twin}", fields={"T": FieldMap("flow", "kg")})])
    for _ in range(2):
        got = plant.send({"T": 5, "pressure": 1}, "f/pump-1")
        assert [(r.field, r.reason) for r in got.rejects] == [("flow", "wrong-unit")]
        assert got.readings == 1


def test_conversion_of_a_point_is_applied_once(plant):
    plant.add("c", {"x": Point("double", 0, 10, scale=2.0, offset=1.0)})
    got = plant.send({"x": 4.5}, "devices/c/telemetry")
    assert [r[3:] for r in plant.rows(got)] == [(10.0, 0)]
    got = plant.send({"x": 5.0}, "devices/c/telemetry")
    assert [r[3:] for r in plant.rows(got)] == [(11.0, 129)]


def test_conversion_that_overflows_stays_finite_and_out_of_range(plant):
    plant.add("c", {"x": Point("double", scale=1e300)})
    got = plant.send({"x": -1e300}, "devices/c/telemetry")
    assert [r[3:] for r in plant.rows(got)] == [(-1.7976931348623157e308, 129)]
