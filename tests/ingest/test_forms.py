"""Whatever the form, the same readings; whatever the path through the code, the same readings."""

from __future__ import annotations

import datetime

import cbor2
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND, to_iso
from gemel.ingest import accept as accept_module
from gemel.ingest.points import Point

NOW = 1_763_800_000 * SECOND
POINTS = {
    "a": Point("double", -1e5, 1e5),
    "b": Point("double"),
    "c.d": Point("double", scale=0.5, offset=1.0),
    "count": Point("integer"),
    "big": Point("long", 0, 2**60),
    "on": Point("boolean"),
    "name": Point("string"),
    "mode": Point("enum", values=frozenset({"x", "y", 3})),
}
TOPIC = "devices/m/telemetry"

floats = st.floats(-1e12, 1e12, allow_nan=False)
VALUES = {
    "a": floats | st.integers(-(10**6), 10**6),
    "b": floats,
    "c.d": floats,
    "count": st.integers(-(2**31), 2**31 - 1),
    "big": st.integers(-(2**63), 2**63 - 1),
    "on": st.booleans(),
    "name": st.text(max_size=20),
    "mode": st.sampled_from(["x", "y", 3]),
}
milliseconds = st.integers(1_500_000_000_000, NOW // 1_000_000)
objects = st.fixed_dictionaries({}, optional=VALUES).filter(bool)
rows = st.lists(st.tuples(milliseconds, objects), min_size=1, max_size=6, unique_by=lambda r: r[0])


def nest(obj):
    flat = {k: v for k, v in obj.items() if "." not in k}
    return flat | ({"c": {"d": obj["c.d"]}} if "c.d" in obj else {})


def columns(sets):
    names = sorted({n for _, obj in sets for n in obj})
    return {"time": [t for t, _ in sets]} | {n: [o.get(n) for _, o in sets] for n in names}


def triples(sets):
    return [[n, t, v] for t, obj in sets for n, v in obj.items()]


def senml(sets):
    field = {str: "vs", bool: "vb"}
    return [{"n": n, field.get(type(v), "v"): v, "t": t / 1000} for n, t, v in triples(sets)]


def senml_with_bases(sets):
    start = sets[0][0] / 1000
    pack = [
        dict(r, t=(t - sets[0][0]) / 1000)
        for r, (_, t, _) in zip(senml(sets), triples(sets), strict=True)
    ]
    return [{"bn": "urn:dev:m:", "bt": start, **pack[0]}, *pack[1:]]


def senml_labels(sets):
    labels = {"n": 0, "v": 2, "vs": 3, "vb": 4, "t": 6}
    return [{labels[k]: v for k, v in r.items()} for r in senml(sets)]


def moment(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)


def whole(messages, **more):
    return [(m if isinstance(m, bytes) else orjson.dumps(m), TOPIC, more) for m in messages]


FORMS = {
    "objects": lambda s: whole([{"time": t, **o} for t, o in s]),
    "time last": lambda s: whole([{**o, "ts": t} for t, o in s]),
    "iso": lambda s: whole([{"timestamp": to_iso(t * 1_000_000), **o} for t, o in s]),
    "iso with offset": lambda s: whole(
        [
            {
                "time": moment(t)
                .astimezone(datetime.timezone(datetime.timedelta(hours=2)))
                .isoformat(),
                **o,
            }
            for t, o in s
        ]
    ),
    "seconds": lambda s: whole([{"t": t / 1000, **o} for t, o in s]),
    "microseconds": lambda s: whole([{"t": t * 1000, **o} for t, o in s]),
    "nanoseconds": lambda s: whole([{"t": t * 1_000_000, **o} for t, o in s]),
    "time as text": lambda s: whole([{"ts": str(t), **o} for t, o in s]),
    "nested": lambda s: whole([{"time": t, **nest(o)} for t, o in s]),
    "array": lambda s: whole([[{"time": t, **o} for t, o in s]]),
    "thingsboard": lambda s: whole([{"ts": t, "values": o} for t, o in s]),
    "thingsboard array": lambda s: whole([[{"ts": t, "values": o} for t, o in s]]),
    "columns": lambda s: whole([columns(s)]),
    "rows": lambda s: whole([{"r": triples(s)}]),
    "rows with id": lambda s: whole([{"id": "m", "r": triples(s)}]),
    "senml": lambda s: whole([senml(s)]),
    "senml told": lambda s: whole([senml(s)], content_type="application/senml+json"),
    "senml bases": lambda s: whole([senml_with_bases(s)]),
    "senml cbor": lambda s: whole([cbor2.dumps(senml_labels(s))]),
    "senml cbor told": lambda s: whole(
        [cbor2.dumps(senml_labels(s))], content_type="application/senml+cbor"
    ),
    "cbor": lambda s: whole([cbor2.dumps({"time": t, **o}) for t, o in s]),
    "cbor dates": lambda s: whole([cbor2.dumps({"time": moment(t), **o}) for t, o in s]),
    "cbor tagged": lambda s: whole([b"\xd9\xd9\xf7" + cbor2.dumps({"time": t, **o}) for t, o in s]),
    "topic by name": lambda s: [
        (orjson.dumps({"value": v, "time": t}), f"{TOPIC}/{n}", {}) for n, t, v in triples(s)
    ],
    "spaces": lambda s: whole([b" \n" + orjson.dumps({"time": t, **o}) + b"\r\n" for t, o in s]),
}


def taken(plant, messages):
    got = plant.accept([plant.message(b, topic, **more) for b, topic, more in messages])
    assert got.rejects == []
    assert list(got.seen) == ["m"]
    return sorted(plant.rows(got), key=repr)


@pytest.fixture(scope="module")
def make_plant(request):
    plant_class = request.getfixturevalue("plant_class")

    def make():
        plant = plant_class()
        plant.add("m", POINTS)
        return plant

    return make


@given(rows)
@settings(max_examples=60, deadline=None)
def test_every_form_gives_the_same_readings(make_plant, sets):
    plant = make_plant()
    expected = taken(plant, FORMS["objects"](sets))
    assert len(expected) == sum(len(o) for _, o in sets)
    for name, form in FORMS.items():
        assert taken(plant, form(sets)) == expected, name


@given(rows, st.sampled_from(sorted(FORMS)))
@settings(max_examples=150, deadline=None)
def test_common_and_careful_path_give_the_same_readings(make_plant, sets, name):
    messages = FORMS[name](sets)
    fast = taken(make_plant(), messages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accept_module, "decode_common", lambda messages, start, *_: start)
        careful = taken(make_plant(), messages)
    assert fast == careful


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([*VALUES, "nope", "time", "ts", "t", "r", "id", "values"]),
            st.none()
            | st.booleans()
            | st.integers(-(2**70), 2**70)
            | floats
            | st.sampled_from(["x", "2026-11-22", NOW, NOW + 10**18, 1_763_000_000])
            | st.lists(st.integers(0, 3), max_size=3)
            | st.dictionaries(st.sampled_from(["a", "d", "value"]), st.integers(0, 9), max_size=2),
            max_size=12,
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=300, deadline=None)
def test_common_path_never_differs_on_odd_objects(make_plant, bodies):
    import json

    for body in (json.dumps(b).encode() for b in [*bodies, bodies]):
        results = []
        for stop in (False, True):
            plant = make_plant()
            with pytest.MonkeyPatch.context() as patch:
                if stop:
                    patch.setattr(accept_module, "decode_common", lambda m, start, *_: start)
                both = [plant.accept([plant.message(body, TOPIC)]) for _ in range(2)]
            results.append([(plant.rows(g), g.rejects, g.seen, g.unknown, g.other) for g in both])
        assert results[0] == results[1]
