from __future__ import annotations

import orjson
import pytest

from gemel.core.access import Principal
from gemel.core.batch import REASONS
from gemel.core.clock import SECOND
from gemel.core.quality import Quality
from gemel.ingest import accept as accept_module
from gemel.ingest.accept import Ingest
from gemel.ingest.points import Point

NOW = 1_763_800_000 * SECOND


def reasons(accepted):
    return [(r.twin, r.field, r.reason) for r in accepted.rejects]


def test_object_of_numbers_becomes_readings_at_the_moment_of_receipt(plant):
    got = plant.send({"flow": 12.4, "pressure": 3})
    assert plant.rows(got) == [
        ("pump-1", "flow", NOW, 12.4, 0),
        ("pump-1", "pressure", NOW, 3.0, 0),
    ]
    assert got.rejects == []
    assert got.seen == {"pump-1": NOW}
    assert got.readings == 2
    assert got.batch.received == NOW


def test_every_kind_is_taken_with_its_own_value(plant):
    values = {
        "flow": 1.5,
        "pressure": 2,
        "starts": 12.0,
        "energy": 2**53 + 1,
        "running": True,
        "state": "fault",
        "label": "naïve \u20ac",
        "motor": {"temperature": 60},
        "serviced": "2026-11-22",
        "started": "2026-11-22T10:00:00Z",
        "cycle": "PT1H30M",
        "shift": "06:30:00",
        "position": {"x": 1, "y": [2]},
        "spectrum": [1, 2.5],
        "tags": {"a": "b"},
    }
    got = plant.send(values)
    assert reasons(got) == []
    assert plant.readings(got) == {
        "pump-1/flow": 1.5,
        "pump-1/pressure": 2.0,
        "pump-1/starts": 12.0,
        "pump-1/energy": "9007199254740993",
        "pump-1/running": 1.0,
        "pump-1/state": '"fault"',
        "pump-1/label": '"naïve €"',
        "pump-1/motor.temperature": 60.0,
        "pump-1/serviced": '"2026-11-22"',
        "pump-1/started": '"2026-11-22T10:00:00Z"',
        "pump-1/cycle": '"PT1H30M"',
        "pump-1/shift": '"06:30:00"',
        "pump-1/position": '{"x":1,"y":[2]}',
        "pump-1/spectrum": "[1,2.5]",
        "pump-1/tags": '{"a":"b"}',
    }


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("flow", "12.4", "wrong-type"),
        ("flow", True, "wrong-type"),
        ("flow", [1], "wrong-type"),
        ("flow", {"a": 1}, "wrong-type"),
        ("flow", "NaN", "not-a-number"),
        ("flow", "-Infinity", "not-a-number"),
        ("starts", 1.5, "wrong-type"),
        ("starts", 2**31, "wrong-type"),
        ("starts", -(2**31) - 1, "wrong-type"),
        ("energy", 2**63, "wrong-type"),
        ("energy", True, "wrong-type"),
        ("running", 1, "wrong-type"),
        ("running", "true", "wrong-type"),
        ("state", "flying", "wrong-type"),
        ("state", 3, "wrong-type"),
        ("label", 3, "wrong-type"),
        ("serviced", "22.11.2026", "wrong-type"),
        ("serviced", "20261122", "wrong-type"),
        ("started", "yesterday", "wrong-type"),
        ("cycle", "P", "wrong-type"),
        ("cycle", "1h", "wrong-type"),
        ("shift", "25:00:00", "wrong-type"),
        ("position", [1], "wrong-type"),
        ("spectrum", {"a": 1}, "wrong-type"),
        ("colour", 3, "unknown-property"),
    ],
)
def test_bad_value_is_rejected_and_the_others_are_taken(plant, name, value, reason):
    got = plant.send({name: value, "pressure": 1.0})
    assert [(r.twin, r.reason) for r in got.rejects] == [("pump-1", reason)]
    assert got.rejects[0].field.startswith(name)
    assert got.rejects[0].source == "devices/pump-1/telemetry"
    assert got.rejects[0].raw
    assert reason in REASONS
    assert plant.readings(got) == {"pump-1/pressure": 1.0}


def test_numbers_that_only_python_writes_as_json_are_named_and_the_others_taken(plant):
    got = plant.send(b'{"flow": NaN, "pressure": -Infinity, "starts": 3}')
    assert reasons(got) == [
        ("pump-1", "flow", "not-a-number"),
        ("pump-1", "pressure", "not-a-number"),
    ]
    assert plant.readings(got) == {"pump-1/starts": 3.0}


def test_null_is_no_value_and_no_reject(plant):
    got = plant.send({"flow": None, "pressure": 1})
    assert got.rejects == []
    assert plant.readings(got) == {"pump-1/pressure": 1.0}


def test_reading_out_of_range_is_kept_with_its_quality(plant):
    got = plant.send({"flow": 80.5, "starts": -1, "motor.temperature": -40})
    assert [(p, v, q) for _, p, _, v, q in plant.rows(got)] == [
        ("flow", 80.5, Quality.OUT_OF_RANGE),
        ("starts", -1.0, Quality.OUT_OF_RANGE),
        ("motor.temperature", -40.0, Quality.GOOD),
    ]


def test_exact_integer_out_of_range_is_kept_with_its_quality(plant):
    plant.add("meter", {"count": Point("long", 0, 1000)})
    got = plant.send({"count": 2**60 + 1}, "devices/meter/telemetry")
    assert plant.rows(got) == [("meter", "count", NOW, "1152921504606846977", Quality.OUT_OF_RANGE)]


def test_text_is_never_out_of_range(plant):
    plant.add("m", {"s": Point("string", 0, 1), "n": Point("double", 0, 1)})
    got = plant.send({"s": "x", "n": 0.5}, "devices/m/telemetry")
    assert [q for *_, q in plant.rows(got)] == [0, 0]


def test_time_beside_the_values_is_theirs(plant):
    for name in ("time", "timestamp", "ts", "t"):
        got = plant.send({name: 1_763_799_000_123, "flow": 1.0})
        assert plant.rows(got) == [("pump-1", "flow", 1_763_799_000_123_000_000, 1.0, 0)]


def test_a_minute_ahead_is_taken_and_more_is_not(plant):
    limit = NOW + 60 * SECOND
    assert plant.send({"time": limit, "flow": 1}).readings == 1
    got = plant.send({"time": limit + 1, "flow": 1, "pressure": 2})
    assert reasons(got) == [("pump-1", "", "far-future")]
    assert got.rejects[0].time == limit + 1
    assert got.readings == 0
    assert got.seen == {}


@pytest.mark.parametrize("time", [-1, -0.5, "1969-12-31T23:59:59Z", "soon", 2**63, 2**70, True, {}])
def test_time_that_cannot_be_is_rejected(plant, time):
    body = orjson.dumps({"flow": 1}) if time == 2**70 else orjson.dumps({"time": time, "flow": 1})
    if time == 2**70:
        body = b'{"time": 1180591620717411303424, "flow": 1}'
    got = plant.send(body)
    assert reasons(got) == [("pump-1", "flow", "before-1970")]


def test_property_with_the_name_of_a_time_is_a_property(plant):
    plant.add("weather", {"t": Point("double"), "time": Point("double")})
    got = plant.send({"t": 21.5, "time": 3, "ts": 1_763_799_000}, "devices/weather/telemetry")
    assert plant.rows(got) == [
        ("weather", "t", 1_763_799_000 * SECOND, 21.5, 0),
        ("weather", "time", 1_763_799_000 * SECOND, 3.0, 0),
    ]


def test_small_t_of_an_unknown_device_is_a_value(plant):
    got = plant.send({"t": 21.5, "h": 40}, "devices/thermometer/telemetry")
    assert plant.readings(got) == {"thermometer/t": 21.5, "thermometer/h": 40.0}


def test_times_of_several_units_in_one_payload_are_each_read(plant):
    ms = 1_763_799_000_000
    times = [ms // 1000, ms, ms * 1000, ms * 1_000_000]
    for body in (
        {"r": [["flow", t, i] for i, t in enumerate(times)]},
        {"time": times, "flow": [0, 1, 2, 3]},
        [{"time": t, "flow": i} for i, t in enumerate(times)],
    ):
        for _ in range(2):
            got = plant.send(body)
            assert [t for _, _, t, _, _ in plant.rows(got)] == [ms * 1_000_000] * 4


def test_small_t_that_is_no_property_is_an_unknown_property(plant):
    for _ in range(2):
        got = plant.send({"t": 21.5, "flow": 1})
        assert reasons(got) == [("pump-1", "t", "unknown-property")]
        assert plant.rows(got) == [("pump-1", "flow", NOW, 1.0, 0)]


def test_exact_integer_is_kept_where_smaller_ones_were_numbers(plant):
    plant.add("o", {}, is_open=True)
    for value, kept in ((5, 5.0), (6, 6.0), (2**60 + 1, "1152921504606846977"), (7, 7.0)):
        for body in ({"n1": value}, {f"n{i}": value for i in range(1, 12)}):
            got = plant.send(body, "devices/o/telemetry")
            assert plant.readings(got)["o/n1"] == kept
    plant.add("c", {"long": Point("long")})
    for value in (2**53 - 1, 2**53, -(2**53)):
        got = plant.send({"long": value}, "devices/c/telemetry")
        exact = plant.readings(got)["c/long"]
        assert exact == (float(value) if abs(value) < 2**53 else str(value))


def test_rows_with_bad_neighbours_are_taken(plant):
    got = plant.send({"r": [["flow", 1_763_799_000, 1], ["nope", 1_763_799_000, 2], ["x"]]})
    assert reasons(got) == [
        ("pump-1", "nope", "unknown-property"),
        ("pump-1", "", "undecodable"),
    ]
    assert got.readings == 1


def test_columns_of_unequal_length_are_undecodable(plant):
    got = plant.send({"time": [1_763_799_000, 1_763_799_001], "flow": [1.0]})
    assert reasons(got) == [("pump-1", "", "undecodable")]
    assert "flow" in got.rejects[0].raw


def test_gap_in_a_column_is_no_reading(plant):
    got = plant.send({"time": [1_763_799_000, 1_763_799_001], "flow": [1.0, None]})
    assert got.readings == 1
    assert got.rejects == []


def test_bare_scalars_on_a_topic_that_names_the_property(plant):
    topic = "devices/pump-1/telemetry/"
    for payload, name, value in [
        (b"12.4", "flow", 12.4),
        (b" 12\n", "flow", 12.0),
        (b"true", "running", 1.0),
        (b'"fault"', "state", '"fault"'),
        (b"fault", "state", '"fault"'),
        (b"hello world", "label", '"hello world"'),
        (b"007", "label", '"007"'),
        (b"12.50", "label", '"12.50"'),
        (b"2026-11-22", "serviced", '"2026-11-22"'),
        (b"[1,2]", "spectrum", "[1,2]"),
        (b'{"x":1}', "position", '{"x":1}'),
        (b'{"value": 3, "ts": 1763799000}', "flow", 3.0),
        (b"60", "motor/temperature", 60.0),
    ]:
        got = plant.send(payload, topic + name)
        assert plant.readings(got) == {f"pump-1/{name.replace('/', '.')}": value}, payload
        assert got.rejects == []


@pytest.mark.parametrize("payload", [b"12,4", b"ON", b"", b"\xff\xfe", b"{", b"nan"])
def test_bad_bare_scalars_are_rejected(plant, payload):
    got = plant.send(payload, "devices/pump-1/telemetry/flow")
    assert got.readings == 0
    assert len(got.rejects) == 1


def test_bare_scalar_without_a_name_is_undecodable(plant):
    assert reasons(plant.send(b"12.4")) == [("pump-1", "", "undecodable")]


def test_reported_is_as_telemetry(plant):
    got = plant.send({"flow": 1}, "devices/pump-1/reported")
    assert plant.readings(got) == {"pump-1/flow": 1.0}


def test_thingsboard_device_is_the_twin_of_its_token(plant):
    for topic in ("v1/devices/me/telemetry", "v1/devices/me/attributes"):
        for payload in ({"flow": 1}, {"ts": 1_763_799_000_000, "values": {"flow": 1}}):
            got = plant.send(payload, topic, who=plant.pump)
            assert plant.readings(got) == {"pump-1/flow": 1.0}
    got = plant.send([{"ts": 1_763_799_000_000, "values": {"nope": 1}}], topic, who=plant.pump)
    assert got.rejects[0].source == topic
    got = plant.send({"flow": 1}, topic)
    assert reasons(got) == [("", "", "not-allowed")]


def test_thingsboard_topic_follows_each_sender(plant):
    other = Principal("pump-2", "device", ("pump-2",))
    topic = "v1/devices/me/telemetry"
    got = plant.accept(
        [
            plant.message({"flow": 1}, topic, who=plant.pump),
            plant.message({"flow": 2}, topic, who=other),
            plant.message({"flow": 3}, topic, who=plant.pump),
        ]
    )
    assert [(t, v) for t, _, _, v, _ in plant.rows(got)] == [
        ("pump-1", 1.0),
        ("pump-2", 2.0),
        ("pump-1", 3.0),
    ]


def test_sender_that_may_not_write_the_twin_is_refused_every_time(plant):
    topic = "devices/pump-2/telemetry"
    assert plant.send({"flow": 1}, topic).readings == 1
    for _ in range(2):
        got = plant.send({"flow": 1}, topic, who=plant.pump)
        assert reasons(got) == [("pump-2", "", "not-allowed")]
        assert got.seen == {}
    assert plant.send({"flow": 1}, topic).readings == 1
    viewer = Principal("eve", "viewer")
    assert reasons(plant.send({"flow": 1}, topic, who=viewer)) == [("pump-2", "", "not-allowed")]
    got = plant.send({"a": 1}, "devices/nobody/telemetry", who=plant.pump)
    assert reasons(got) == [("nobody", "", "not-allowed")]
    assert plant.points.find("nobody") is None


@pytest.mark.parametrize(
    "topic",
    [
        "devices/pump-1/responses/c-1",
        "devices/pump-1/commands/start/c-1",
        "devices/pump-1/desired",
        "devices/pump-1",
        "devices//telemetry",
        "v1/devices/me/rpc/response/1",
        "$SYS/broker",
        "/",
        "",
    ],
)
def test_topics_without_telemetry_go_to_other(plant, topic):
    got = plant.send({"status": "succeeded"}, topic, who=plant.pump)
    assert [m.topic for m in got.other] == [topic]
    assert (got.rejects, got.readings) == ([], 0)


def test_unknown_twin_keeps_its_readings_and_is_listed(plant):
    topic = "devices/fan-9/telemetry"
    got = plant.send({"rpm": 900, "on": True, "mode": "eco", "deep": {"a": [1]}}, topic)
    assert plant.readings(got) == {
        "fan-9/rpm": 900.0,
        "fan-9/on": 1.0,
        "fan-9/mode": '"eco"',
        "fan-9/deep.a": "[1]",
    }
    assert got.unknown["fan-9"].topic == topic
    assert got.unknown["fan-9"].count == 1
    assert got.unknown["fan-9"].sample == {"rpm": 900, "on": True, "mode": "eco", "deep.a": "[1]"}
    assert plant.send({"rpm": 901}, topic).unknown["fan-9"].sample == {"rpm": 901}


def test_unknown_topic_with_telemetry_names_a_device(plant):
    got = plant.send({"temp": 21}, "factory/line2/temp7")
    assert plant.readings(got) == {"factory.line2.temp7/temp": 21.0}
    assert list(got.unknown) == ["factory.line2.temp7"]
    got = plant.send(b"21.5", "home/kitchen temp")
    assert plant.readings(got) == {"home.kitchen_temp/value": 21.5}
    got = plant.send({"humidity": 40}, "home/kitchen temp")
    assert plant.readings(got) == {"home.kitchen_temp/humidity": 40.0}
    got = plant.send(b"22", "factory/line2/temp7")
    assert plant.readings(got) == {"factory.line2.temp7/value": 22.0}
    plant.add("home.kitchen_temp", {"value": Point("double")})
    got = plant.send(b"23", "home/kitchen temp")
    assert plant.readings(got) == {"home.kitchen_temp/value": 23.0}
    assert got.unknown == {}


@pytest.mark.parametrize("payload", [b"hello", b"", b"\x00\x01", b"[]", b"{}", b"[1,2]", b'"on"'])
def test_unknown_topic_without_telemetry_goes_to_other(plant, payload):
    got = plant.send(payload, "chat/room")
    assert len(got.other) == 1
    assert (got.readings, got.rejects, got.unknown) == (0, [], {})


def test_adopted_device_keeps_its_series(plant):
    topic = "devices/fan-9/telemetry"
    first = plant.send({"rpm": 900}, topic)
    plant.add("fan-9", {"rpm": Point("double", 0, 100)})
    got = plant.send({"rpm": 901, "extra": 1, "time": NOW}, topic)
    assert got.batch.series[0] == first.batch.series[0]
    assert got.batch.quality[0] == Quality.OUT_OF_RANGE
    assert reasons(got) == [("fan-9", "extra", "unknown-property")]
    assert got.unknown == {}


def test_changed_model_counts_from_the_next_call(plant):
    assert plant.send({"flow": 1, "colour": 2}).readings == 1
    plant.add("pump-1", {"colour": Point("double")})
    got = plant.send({"flow": 1, "colour": 2})
    assert plant.readings(got) == {"pump-1/colour": 2.0}
    plant.points.drop_twin("pump-1")
    got = plant.send({"flow": 1, "colour": 2})
    assert list(got.unknown) == ["pump-1"]
    assert got.readings == 2


def test_open_twin_takes_names_beside_its_model(plant):
    plant.add("o", {"flow": Point("double")}, is_open=True)
    got = plant.send({"flow": 1, "more": 2}, "devices/o/telemetry")
    assert plant.readings(got) == {"o/flow": 1.0, "o/more": 2.0}
    assert got.unknown == {}


def test_names_of_an_unknown_device_are_bounded(plant):
    got = plant.send({f"n{i}": i for i in range(1200)}, "devices/wild/telemetry")
    assert got.readings == 1000
    assert [r.reason for r in got.rejects] == ["too-many"] * 200
    odd = plant.send({"a\nb": 1, "": 2, "x" * 300: 3}, "devices/wild2/telemetry")
    assert [r.reason for r in odd.rejects] == ["unknown-property"] * 3


def test_unknown_devices_are_bounded(plant, monkeypatch):
    monkeypatch.setattr("gemel.ingest.accept.MOST_UNKNOWN", 3)
    got = plant.accept([plant.message({"a": 1}, f"devices/u{i}/telemetry") for i in range(5)])
    assert got.readings == 3
    assert [r.reason for r in got.rejects] == ["too-many"] * 2
    plant.points.drop_twin("u0")
    assert plant.send({"a": 1}, "devices/u3/telemetry").readings == 1


def test_rejects_of_one_message_are_bounded_and_counted(plant):
    got = plant.send({f"n{i}": i for i in range(5000)})
    assert len(got.rejects) == 1000
    assert got.rejects[-1].raw == "4001 more like the one before"


def test_routes_are_bounded(plant, monkeypatch):
    monkeypatch.setattr("gemel.ingest.accept.MOST_ROUTES", 10)
    for i in range(35):
        assert plant.send({"flow": i}, f"devices/pump-1/telemetry/x{i}").rejects
        assert plant.send({"flow": i}).readings == 1
    assert len(plant.ingest._routes) <= 10


def test_order_of_messages_is_the_order_of_readings(plant):
    got = plant.accept(
        [
            plant.message({"flow": 1}),
            plant.message({"flow": 2, "nope": 1}),
            plant.message({"flow": 3}),
            plant.message(b"4", "devices/pump-1/telemetry/flow"),
        ]
    )
    assert [v for _, _, _, v, _ in plant.rows(got)] == [1.0, 2.0, 3.0, 4.0]


def test_nothing_in_gives_nothing_out(plant):
    got = plant.accept([])
    assert len(got.batch) == 0
    assert got.readings == 0


def test_exact_duplicates_in_one_call_are_dropped_and_counted(plant):
    body = {"time": NOW - SECOND, "flow": 1.0, "label": "x"}
    got = plant.accept([plant.message(body), plant.message({"flow": 1.0}), plant.message(body)])
    assert (got.readings, got.duplicates) == (3, 2)
    assert sorted(plant.readings(got)) == ["pump-1/flow", "pump-1/label"]


def test_repetition_is_a_duplicate_only_once_the_first_is_durable(plant):
    body = {"time": NOW - SECOND, "flow": 1.0, "label": "x"}
    first = plant.send(body)
    assert plant.send(body).readings == 2
    plant.ingest.remember(first.batch)
    again = plant.send(body)
    assert (again.readings, again.duplicates) == (0, 2)
    assert plant.send(body | {"flow": 2.0}).readings == 1


def test_flaw_in_one_message_costs_no_other_its_data(plant, monkeypatch, caplog):
    real = accept_module.decode_common

    def flawed(messages, start, *rest):
        if any(b"boom" in m.payload for m in messages):
            raise ZeroDivisionError("a flaw")
        return real(messages, start, *rest)

    monkeypatch.setattr(accept_module, "decode_common", flawed)
    plant.ingest = Ingest(plant.series, plant.points)
    messages = [plant.message(m) for m in ({"flow": 1}, {"label": "boom"}, {"pressure": 2})]
    got = plant.accept(messages)
    assert plant.readings(got) == {"pump-1/flow": 1.0, "pump-1/pressure": 2.0}
    assert [(r.reason, r.raw) for r in got.rejects] == [("undecodable", '{"label":"boom"}')]
    assert [r.exc_info[0] for r in caplog.records] == [ZeroDivisionError]


@pytest.mark.parametrize(
    "rows", [[0], [None], ["abc"], [{"a": 1, "b": 2, "c": 3}], [[]], [[1, 2, 3]]]
)
def test_rows_that_are_none_are_rejected(plant, rows):
    for _ in range(2):
        got = plant.send({"r": rows})
        assert got.readings == 0
        assert len(got.rejects) == 1
