from __future__ import annotations

import contextlib

import cbor2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.ingest.requests import http_messages

NOW = 1_763_800_000 * SECOND
AT = 1_763_799_000


@pytest.fixture
def post(plant):
    def send(body, content_type="application/json", twin=None):
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        got = plant.accept(http_messages(raw, content_type, twin, plant.engineer, NOW))
        assert got.other == []
        return got

    return send


ONE = {"flow": 12.4, "time": AT}
SENML = [{"bn": "pump-1/", "bt": AT, "n": "flow", "v": 12.4}]
TWO = [{"twin": "pump-1", **ONE}, {"twin": "pump-2", **ONE}]


@pytest.mark.parametrize(
    ("body", "content_type", "twin"),
    [
        ({"twin": "pump-1", **ONE}, "application/json", None),
        ([{"twin": "pump-1", **ONE}], "application/json; charset=utf-8", None),
        ({"pump-1": ONE}, "application/json", None),
        ({"pump-1": [ONE]}, "", None),
        ({"twin": "pump-1", "ts": AT, "values": {"flow": 12.4}}, "", None),
        (ONE, "application/json", "pump-1"),
        ([ONE], "", "pump-1"),
        (orjson.dumps(ONE) + b"\n\n" + orjson.dumps({"pressure": 1}), "", "pump-1"),
        (SENML, "application/senml+json", None),
        (SENML, "", None),
        (SENML, "application/senml+json", "pump-1"),
        (cbor2.dumps(SENML), "application/senml+cbor", None),
        (cbor2.dumps(ONE), "application/cbor", "pump-1"),
        (cbor2.dumps({"twin": "pump-1", **ONE}), "application/cbor", None),
    ],
)
def test_every_form_of_a_body_gives_the_reading(plant, post, body, content_type, twin):
    got = post(body, content_type, twin)
    assert got.rejects == []
    assert plant.rows(got)[0] == ("pump-1", "flow", AT * SECOND, 12.4, 0)


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json", ""])
def test_lines_are_taken_one_by_one(plant, post, content_type):
    body = b"\n".join(orjson.dumps(t) for t in TWO) + b"\r\n"
    got = post(body, content_type)
    assert sorted(plant.readings(got)) == ["pump-1/flow", "pump-2/flow"]


def test_pretty_json_over_many_lines_is_one_document(plant, post):
    got = post(orjson.dumps({"pump-1": ONE}, option=orjson.OPT_INDENT_2))
    assert plant.readings(got) == {"pump-1/flow": 12.4}


def test_senml_of_many_devices_goes_to_each(plant, post):
    pack = [
        {"bn": "pump-1/", "bt": AT, "n": "flow", "v": 1},
        {"n": "motor/temperature", "v": 60, "t": 2},
        {"bn": "pump-2/", "n": "flow", "v": 2},
        {"n": "running", "vb": True},
    ]
    got = post(pack, "application/senml+json")
    assert got.rejects == []
    assert plant.readings(got) == {
        "pump-1/flow": 1.0,
        "pump-1/motor.temperature": 60.0,
        "pump-2/flow": 2.0,
        "pump-2/running": 1.0,
    }
    assert plant.rows(got)[1][2] == (AT + 2) * SECOND


def test_time_that_senml_cannot_express_is_rejected_not_dropped(post):
    got = post([{"bn": "pump-1/", "n": "flow", "v": 1, "t": 1e15}])
    assert [r.reason for r in got.rejects] == ["before-1970"]


def test_bad_values_are_rejects_and_not_errors(post):
    got = post({"pump-1": {"flow": "x"}})
    assert [(r.twin, r.field, r.reason) for r in got.rejects] == [("pump-1", "flow", "wrong-type")]


def test_lines_for_one_twin_may_be_in_any_form(plant, post):
    body = b'{"flow": 1}\n[{"pressure": 2}]\n{"ts": 1763799000, "values": {"starts": 3}}\n'
    got = post(body, "application/x-ndjson", "pump-1")
    assert len(plant.readings(got)) == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "the body cannot be read"),
        (b"3", "neither an object nor an array"),
        (b'{"flow": 3}', "'flow' holds a bare value"),
        (b'[{"flow": 3}]', "item 1 names no twin"),
        (b"[3]", "item 1 names no twin"),
        (b'{"twin": "", "flow": 3}', "empty"),
        (b'{"twin": "a", "x": 1}\n{"twin":', "line 2 cannot be read"),
        (b'[{"n": "flow", "v": 1}]', "names no device"),
        (b'[{"bn": "pump-1/", "n": "flow", "x_": 1}]', "must be understood"),
        (b"[" * 1000, "cannot be read"),
    ],
)
def test_bodies_that_cannot_be_taken_say_why(post, body, words):
    with pytest.raises(InvalidInput, match=words):
        post(body)


@given(
    st.binary(max_size=60)
    | st.sampled_from([orjson.dumps(b) for b in (TWO, SENML, {"pump-1": ONE})]),
    st.integers(0, 80),
    st.binary(max_size=4),
    st.sampled_from(["", "application/json", "application/x-ndjson", "application/senml+json"])
    | st.sampled_from(["application/cbor", "application/senml+cbor", "nonsense"]),
    st.none() | st.just("pump-1") | st.text(max_size=5),
)
@settings(max_examples=500, deadline=None)
def test_any_body_is_taken_or_refused_as_bad_input(plant_class, body, at, noise, kind, twin):
    plant = plant_class()
    with contextlib.suppress(InvalidInput):
        plant.accept(http_messages(body[:at] + noise + body[at:], kind, twin, plant.engineer, NOW))
