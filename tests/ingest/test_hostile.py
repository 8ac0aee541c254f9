"""Nothing that anyone sends makes `accept` raise, and what it gives is always sound."""

from __future__ import annotations

import json
import os
import random

import cbor2
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.access import Principal
from gemel.core.batch import REASONS
from gemel.core.clock import SECOND
from gemel.core.message import Message
from gemel.ingest.points import Layout
from gemel.ingest.topics import Binding, FieldMap

NOW = 1_763_800_000 * SECOND
FUZZ = int(os.environ.get("GEMEL_FUZZ", "100000"))
TOPICS = [
    "devices/pump-1/telemetry",
    "devices/pump-1/telemetry/flow",
    "devices/pump-1/telemetry/label",
    "devices/pump-1/telemetry/position",
    "devices/open/telemetry",
    "devices/stranger/telemetry",
    "devices/stranger/reported",
    "v1/devices/me/telemetry",
    "plant/pump-2/flow",
    "lines/pump-2/all",
    "some/where",
    "devices/pump-1/responses/1",
]
TYPES = ["", "", "", "application/json", "application/cbor", "application/senml+json"]
TYPES += ["application/senml+cbor", "text/plain", "\x00"]


@pytest.fixture
def wild(plant):
    plant.points.set_twin("open", Layout({}), [], open=True)
    plant.ingest.set_bindings(
        [
            Binding("1", "plant/{twin}/{property}"),
            Binding(
                "2",
                "lines/{twin}/#",
                fields={"f": FieldMap("flow"), "m.t": FieldMap("motor.temperature")},
                only=True,
                time="when",
            ),
        ]
    )
    return plant


def check(plant, accepted, messages):
    batch = accepted.batch
    count = len(batch)
    for column in (batch.series, batch.time, batch.value, batch.quality):
        assert len(column) == count
    assert accepted.readings == count
    assert (batch.time >= 0).all()
    assert (batch.time <= NOW + 60 * SECOND).all()
    text = np.zeros(count, bool)
    text[list(batch.text)] = True
    assert (np.isfinite(batch.value) == ~text).all()
    for value in batch.text.values():
        value.encode()
        assert orjson.loads(value) is not None
    assert ((batch.series >= 0) & (batch.series < len(plant.series))).all()
    for reject in accepted.rejects:
        assert reject.reason in REASONS
        assert len(reject.raw) <= 1000
        orjson.dumps([reject.raw, reject.field, reject.twin])
        assert -(2**63) <= reject.time < 2**63
    assert len(accepted.other) <= len(messages)
    orjson.dumps({k: u.sample for k, u in accepted.unknown.items()})


@given(
    st.sampled_from(TOPICS) | st.text(max_size=30), st.binary(max_size=200), st.sampled_from(TYPES)
)
@settings(max_examples=1500, deadline=None)
def test_any_bytes_on_any_topic(plant_class, topic, payload, content_type):
    plant = plant_class()
    message = Message(topic, payload, NOW, plant.pump, content_type)
    check(plant, plant.accept([message]), [message])


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.decimals()
    | st.datetimes(timezones=st.just(__import__("datetime").UTC)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "flow",
                    "state",
                    "motor",
                    "temperature",
                    "time",
                    "t",
                    "ts",
                    "values",
                    "r",
                    "value",
                    "n",
                    "bn",
                    "v",
                    "vs",
                    "vb",
                    "vd",
                    "bt",
                    "bu",
                    "u",
                    "s",
                    "bs",
                    "unit",
                    "position",
                ]
            )
            | st.text(max_size=4)
            | st.integers(-10, 10),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json_like, st.sampled_from(TOPICS), st.sampled_from(TYPES))
@settings(max_examples=700, deadline=None)
def test_any_cbor_tree_on_any_topic(plant_class, tree, topic, content_type):
    plant = plant_class()
    message = plant.message(cbor2.dumps(tree), topic, content_type=content_type)
    check(plant, plant.accept([message]), [message])


@given(json_like, st.sampled_from(TOPICS))
@settings(max_examples=1500, deadline=None)
def test_any_json_tree_on_any_topic(plant_class, tree, topic):
    plant = plant_class()
    body = json.dumps(tree, default=str).encode()
    for _ in range(2):
        message = plant.message(body, topic)
        check(plant, plant.accept([message, message]), [message, message])


SEEDS: list[bytes] = [
    orjson.dumps(seed)
    for seed in [
        {"flow": 12.4, "time": 1_763_799_000_123, "starts": 3, "running": True, "state": "off"},
        {"ts": 1_763_799_000, "values": {"flow": 1, "motor.temperature": 70.5}},
        {"time": [1_763_799_000, 1_763_799_001], "flow": [1.5, 2], "pressure": [1, 2]},
        {"r": [0, None, ["a"], {"b": 1}]},
        [{"bn": "x/", "n": "flow", "v": 1}, {"n": "pressure", "v": 2}],
        {"time": [None, 1], "flow": [None]},
        {"r": [["flow", 1_763_799_000, 1.5], ["pressure", 1_763_799_001, 2]]},
        [{"time": "2026-11-22T10:00:00.123Z", "flow": 1}, {"flow": 2, "label": "é"}],
        [
            {"bn": "urn:x:", "bt": 1_763_799_000, "bu": "m3/h", "n": "flow", "v": 1},
            {"n": "x", "vb": True},
        ],
        {"motor": {"temperature": {"value": 30, "unit": "Cel"}}, "position": {"x": [1, {"y": 2}]}},
        {f"s{i:02d}": i * 1.5 for i in range(12)},
        {"f": 1, "m": {"t": 2}, "when": 1_763_799_000},
        12.4,
        "text",
    ]
] + [
    cbor2.dumps({"flow": 12.4, "time": 1_763_799_000, "spectrum": [1.5, 2]}),
    cbor2.dumps([{-2: "d", -3: 1_763_799_000, 0: "flow", 2: 5.5}, {0: "pressure", 2: 1}]),
    b'{"flow": NaN, "pressure": Infinity}',
]
PARTS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"-", b"1e999", b"1e308"]
PARTS += [b"NaN", b"Infinity", b"\\ud800", b"\xff", b"\x00", b"9" * 25, b"\xc3\x28", b"[" * 40]
PARTS += [
    b'"time":',
    b'"t":1',
    b"\xd8\x1c",
    b"\xd8\x1d\x00",
    b"\xc2\x49" + b"\xff" * 9,
    b"\xf9\x7e\x00",
]


def mutate(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        act = rng.randrange(5)
        if act == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif act == 1:
            data[at:at] = rng.choice(PARTS)
        elif act == 2:
            del data[at : at + rng.randrange(1, 6)]
        elif act == 3:
            other = rng.choice(SEEDS)
            cut = rng.randrange(len(other))
            data[at:at] = other[cut : cut + rng.randrange(30)]
        else:
            del data[at:]
    return bytes(data)


def test_mutated_payloads(wild):
    rng = random.Random(20)
    senders = [wild.engineer, wild.pump, Principal("eve", "viewer")]
    taken = rejected = 0
    for _ in range(max(1, FUZZ // 100)):
        messages = [
            Message(
                rng.choice(TOPICS),
                mutate(rng.choice(SEEDS), rng),
                NOW,
                senders[0] if rng.random() < 0.9 else rng.choice(senders),
                rng.choice(TYPES) if rng.random() < 0.3 else "",
            )
            for _ in range(100)
        ]
        accepted = wild.accept(messages)
        check(wild, accepted, messages)
        taken += accepted.readings
        rejected += len(accepted.rejects)
    assert taken > FUZZ // 20
    assert rejected > FUZZ // 20


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"[" * 40 + b"]" * 40,
        b'{"flow":' + b"9" * 5000 + b"}",
        b'{"flow": NaN, "x": ' + b"9" * 5000 + b"}",
        b'{"flow": NaN, "x": ' + b"[" * 5000 + b"}",
        b'{"flow": NaN, "x": "\\ud800"}',
        b'{"\\ud800": 1}',
        b"\x81" * 5000,
        b"\x9b\x7f" + b"\xff" * 7,
        b"\xbf" * 300,
        cbor2.dumps({"flow": 2**2000}),
        cbor2.dumps({b"\x00": 1}),
        cbor2.dumps({(1, 2): 1}),
        orjson.dumps({f"n{i}": i for i in range(10_001)}),
        b"\xef\xbb\xbf{}",
        b"",
        b" ",
        b"\x00",
    ],
)
def test_known_bombs_make_rejects(wild, payload):
    for topic in TOPICS[:2]:
        message = wild.message(payload, topic)
        accepted = wild.accept([message])
        check(wild, accepted, [message])
        assert accepted.rejects
        assert accepted.readings == 0


def test_shared_parts_that_multiply_are_bounded(wild):
    shared: list[object] = [1.0]
    for _ in range(30):
        shared = [shared] * 10
    payload = cbor2.dumps({"spectrum": shared}, value_sharing=True)
    accepted = wild.send(payload)
    assert [r.reason for r in accepted.rejects] == ["undecodable"]


def test_part_that_holds_itself_is_refused(wild):
    accepted = wild.send(b"\xd8\x1c\x81\xd8\x1d\x00")
    assert [r.reason for r in accepted.rejects] == ["undecodable"]


def test_duplicate_names_count_once_with_the_last(wild):
    got = wild.send(b'{"flow": 1, "flow": 2}')
    assert wild.readings(got) == {"pump-1/flow": 2.0}


def test_32_levels_are_taken_and_33_are_not(wild):
    for depth, taken in ((31, 1), (32, 0)):
        tree: object = 1
        for _ in range(depth):
            tree = {"a": tree}
        assert wild.send({"position": tree}).readings == taken
