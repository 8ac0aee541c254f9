"""The examples of RFC 8428, section 5 and 6, and the rules around them."""

from __future__ import annotations

import cbor2
import pytest

from gemel.core.clock import SECOND
from gemel.ingest.senml import Problem, Record, device_of, resolve

NOW = 1_763_800_000 * SECOND
URN = "urn:dev:ow:10e2073a01080063"


def short(records):
    return [(r.base + r.name, r.value, r.unit, r.time) for r in records]


def test_single_datapoint_is_now():
    pack = [{"n": URN, "u": "Cel", "v": 23.1}]
    assert short(resolve(pack, NOW)) == [(URN, 23.1, "°C", NOW)]


def test_multiple_datapoints_with_base_values_and_relative_times():
    pack = [
        {
            "bn": f"{URN}:",
            "bt": 1.276020076001e9,
            "bu": "A",
            "bver": 5,
            "n": "voltage",
            "u": "V",
            "v": 120.1,
        },
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
    ]
    start = 1_276_020_076_001_000_000
    assert short(resolve(pack, NOW)) == [
        (f"{URN}:voltage", 120.1, "V", start),
        (f"{URN}:current", 1.2, "A", start - 5 * SECOND),
        (f"{URN}:current", 1.3, "A", start - 4 * SECOND),
    ]


def test_all_kinds_of_values():
    pack = [
        {"bn": f"{URN}:", "n": "temp", "u": "Cel", "v": 23.1},
        {"n": "label", "vs": "Machine Room"},
        {"n": "open", "vb": False},
        {"n": "nfc-reader", "vd": "aGkgCg"},
    ]
    values = [r.value for r in resolve(pack, NOW)]
    assert values == [23.1, "Machine Room", False, "aGkgCg"]


def test_base_value_is_added_and_stands_alone():
    pack = [{"bv": 20, "bn": "x/", "n": "a", "v": 1.5}, {"n": "b"}]
    assert [r.value for r in resolve(pack, NOW)] == [21.5, 20]


def test_sums_are_told_apart():
    pack = [{"bs": 100, "n": "energy", "s": 5}, {"n": "power", "v": 2, "s": 1}]
    assert [(r.name, r.value, r.is_sum) for r in resolve(pack, NOW)] == [
        ("energy", 105, True),
        ("power", 2, False),
        ("power", 101, True),
    ]


@pytest.mark.parametrize(
    "pack",
    [
        {},
        [3],
        [{"n": "a", "v": 1, "must_": 2}],
        [{"n": "a", "bver": 11, "v": 1}],
        [{"n": 3, "v": 1}],
        [{"n": "a", "v": 1, "t": "now"}],
        [{"n": "a", "v": 1, "t": float("nan")}],
        [{"n": "a", "bt": True, "v": 1}],
        [{"n": "a", "bv": 2**70, "v": 1}],
    ],
)
def test_broken_packs_are_problems(pack):
    with pytest.raises(Problem):
        resolve(pack, NOW)


@pytest.mark.parametrize(
    ("base", "name", "expected"),
    [
        ("pump-1/", "flow", ("pump-1", "flow")),
        ("", "pump-1/flow", ("pump-1", "flow")),
        (f"{URN}:", "voltage", (URN, "voltage")),
        ("", f"{URN}:voltage", (URN, "voltage")),
        ("pump-1/", "motor/temperature", ("pump-1", "motor.temperature")),
        ("pump-1", "flow", ("pump-1", "flow")),
        ("", "flow", ("", "flow")),
        ("flow", "", ("", "flow")),
    ],
)
def test_device_and_path_of_a_name(base, name, expected):
    assert device_of(Record(base, name, 1, "", 0)) == expected


def test_names_find_their_property_whatever_the_base(plant):
    for record in (
        {"n": "flow"},
        {"bn": f"{URN}:", "n": "flow"},
        {"bn": "pump-1/flow"},
        {"n": f"{URN}:flow"},
        {"bn": "x/", "n": "motor/temperature"},
        {"bn": "motor.", "n": "temperature"},
    ):
        got = plant.send([record | {"v": 5}])
        assert got.rejects == []
        assert list(plant.readings(got).values()) == [5.0]
        assert next(iter(plant.readings(got))) in ("pump-1/flow", "pump-1/motor.temperature")


def test_relative_times_count_from_receipt(plant):
    got = plant.send([{"n": "flow", "v": 1, "t": -10}, {"n": "flow", "v": 2, "t": 5}])
    assert [t for _, _, t, _, _ in plant.rows(got)] == [NOW - 10 * SECOND, NOW + 5 * SECOND]
    got = plant.send([{"n": "flow", "v": 1, "t": -3e9}, {"n": "flow", "v": 2, "t": 1e12}])
    assert [r.reason for r in got.rejects] == ["before-1970", "before-1970"]


def test_cbor_labels_of_the_rfc_are_read(plant):
    pack = [{-2: f"{URN}:", -3: 1_763_799_000, -4: "1", -1: 5, 0: "flow", 2: 12.5}]
    pack += [{0: "flow", 6: -5, 2: 1.25}, {0: "running", 4: True}, {0: "label", 3: "hi"}]
    for content_type in ("application/senml+cbor", ""):
        body = cbor2.dumps([{k: v for k, v in r.items() if k != -4} for r in pack])
        got = plant.send(body, content_type=content_type)
        assert got.rejects == []
        assert [(p, v) for _, p, _, v, _ in plant.rows(got)] == [
            ("flow", 12.5),
            ("flow", 1.25),
            ("running", 1.0),
            ("label", '"hi"'),
        ]


def test_cbor_nan_is_not_a_number(plant):
    got = plant.send(cbor2.dumps([{0: "flow", 2: float("nan")}, {0: "pressure", 2: 1}]))
    assert [r.reason for r in got.rejects] == ["not-a-number"]
    assert got.readings == 1


def test_sum_without_a_property_for_it_is_left_out(plant):
    got = plant.send([{"n": "flow", "v": 1, "s": 10}])
    assert plant.readings(got) == {"pump-1/flow": 1.0}
    assert got.rejects == []
    got = plant.send([{"n": "power", "v": 1, "s": 10}], "devices/new/telemetry")
    assert plant.readings(got) == {"new/power": 1.0, "new/power.sum": 10.0}


def test_record_without_any_name_is_undecodable(plant):
    got = plant.send([{"v": 1}, {"n": "flow", "v": 2}], content_type="application/senml+json")
    assert [r.reason for r in got.rejects] == ["undecodable"]
    assert got.readings == 1


def test_future_is_rejected_record_by_record(plant):
    plant.send({"flow": 0})
    ahead = NOW // SECOND + 61
    got = plant.send([{"n": "flow", "v": 1, "t": ahead}, {"n": "flow", "v": 2, "t": ahead - 2}])
    assert [r.reason for r in got.rejects] == ["far-future"]
    assert [v for _, _, _, v, _ in plant.rows(got)] == [2.0]
    got = plant.send([{"n": "flow", "v": 1, "t": 61}, {"n": "flow", "v": 2, "t": -(2**31)}])
    assert [r.reason for r in got.rejects] == ["far-future", "before-1970"]
