"""Coded columns at the door: whole, within their bound, and no more of them than is fair."""

from __future__ import annotations

import base64
import zlib

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND
from gemel.core.coded import HEAD, MARK, SUM, coded
from gemel.ingest.evenly import MOST_VALUES
from gemel.ingest.topics import binding_from_json
from ingest.conftest import NOW, Plant

START = NOW // SECOND - 4_000


def message(flow: bytes, **more: object) -> dict[str, object]:
    return {"time": START, "every": 1, "coded": {"flow": base64.b64encode(flow).decode()}} | more


def reason(plant: Plant, payload: object) -> str:
    accepted = plant.send(payload)
    assert len(accepted.batch) == 0
    [one] = accepted.rejects
    return f"{one.reason}: {one.raw}"


def test_a_column_is_as_many_readings_each_within_its_bound(plant: Plant) -> None:
    flow = 40 + 5 * np.sin(np.arange(3600) / 100)
    accepted = plant.send(message(coded(flow, 0.05)))
    assert accepted.rejects == []
    assert np.abs(accepted.batch.value - flow).max() <= 0.05
    times = (START + np.arange(3600)) * SECOND
    np.testing.assert_array_equal(accepted.batch.time, times)
    assert set(accepted.batch.quality.tolist()) == {0}


def test_cbor_takes_the_bytes_as_they_are(plant: Plant) -> None:
    flow = np.linspace(10, 20, 100)
    body = {
        "time": START,
        "every": 0.5,
        "coded": {"flow": coded(flow, 0.1), "pressure": coded(flow, 1)},
    }
    accepted = plant.send(cbor2.dumps(body))
    assert len(accepted.batch) == 200
    assert np.abs(accepted.batch.value[:100] - flow).max() <= 0.1
    assert accepted.batch.time[1] - accepted.batch.time[0] == SECOND // 2


def test_what_is_out_of_range_is_told_as_ever(plant: Plant) -> None:
    payload = message(coded(np.linspace(70, 90, 201), 0.001))
    accepted = plant.send(payload)
    outside = accepted.batch.quality != 0
    np.testing.assert_array_equal(outside, accepted.batch.value > 80)


def test_a_binding_names_the_property_and_its_unit(plant: Plant) -> None:
    document = {
        "topic": "plant/{twin}/raw",
        "fields": {"T1": {"property": "motor.temperature", "unit": "°F"}},
    }
    plant.ingest.set_bindings([binding_from_json({"id": "b", **document})])
    data = base64.b64encode(coded(np.full(5, 212.0), 0.01)).decode()
    accepted = plant.send({"time": START, "every": 1, "coded": {"T1": data}}, "plant/pump-1/raw")
    assert [row[1] for row in plant.rows(accepted)] == ["motor.temperature"] * 5
    assert np.abs(accepted.batch.value - 100).max() <= 0.01


def test_a_whole_number_or_a_text_is_not_within_a_bound(plant: Plant) -> None:
    body = base64.b64encode(coded(np.ones(3), 0.1)).decode()
    payload = {"time": START, "every": 1, "coded": {"starts": body, "label": body, "none": body}}
    found = {r.field: r.reason for r in plant.send(payload).rejects}
    assert found == {"starts": "wrong-type", "label": "wrong-type", "none": "unknown-property"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"every": 1, "coded": {}}, "need the time"),
        (message(b"", time=-5), "need the time"),
        (message(b"", every=0), "'every' must be"),
        (message(b"", every="1"), "'every' must be"),
        (message(b"", every=1e-12), "'every' must be"),
        (message(b"", every=float("inf")), "'every' must be"),
        (message(b"", pressure=3), "'pressure' beside coded columns"),
        (message(b"abc"), "coded.flow: a coded column is damaged"),
        (message(bytes(64)), "not a coded column"),
        (message(b"", coded={"flow": 3}), "coded.flow must be bytes"),
        (message(b"", coded={"flow": "§"}), "coded.flow is no base64"),
        (message(coded(np.ones(10_000), 0.1)), "lies in the future"),
    ],
)
def test_what_is_written_wrongly_is_refused_with_place_and_rule(
    plant: Plant, payload: object, said: str
) -> None:
    assert said in reason(plant, cbor2.dumps(payload))


def bomb(ends: int, gap: int = 1) -> bytes:
    """A few bytes that say they are so many ends, each so many rows on."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    gaps = deflate.compress(bytes([gap]) * max(ends - 1, 0)) + deflate.flush()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    steps = deflate.compress(bytes(max(ends - 1, 0))) + deflate.flush()
    body = HEAD.pack(MARK, 1.0, 0, ends, 1, 1, len(gaps)) + gaps + steps
    return body + SUM.pack(zlib.crc32(body))


def test_few_bytes_do_not_become_many_values(plant: Plant) -> None:
    early = {"time": 10**9, "every": 1}
    assert f"at most {MOST_VALUES} values" in reason(plant, message(bomb(1_000_000), **early))
    assert "126874 values (at most" in reason(plant, message(bomb(1_000, 127), **early))
    half = base64.b64encode(coded(np.zeros(9_000), 0.1)).decode()
    both = {**early, "coded": {"flow": half, "pressure": half}}
    assert f"coded.pressure: a coded column of 9000 values (at most {MOST_VALUES - 9000}" in reason(
        plant, both
    )
    assert len(plant.send(message(bomb(MOST_VALUES), **early)).batch) == MOST_VALUES


def test_a_property_of_that_name_is_a_property(plant: Plant) -> None:
    plant.add("odd", {}, is_open=True)
    accepted = plant.send({"coded": 3, "every": 2}, "devices/odd/telemetry")
    assert plant.readings(accepted) == {"odd/coded": 3.0, "odd/every": 2.0}


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60), place=st.integers(0, 200), to=st.integers(0, 255))
def test_whatever_the_bytes_a_message_is_taken_whole_or_not_at_all(
    plant_class: type[Plant], data: bytes, place: int, to: int
) -> None:
    whole = bytearray(coded(np.sin(np.arange(50) / 5), 0.01))
    whole[place % len(whole)] = to
    for body in (data, bytes(whole)):
        accepted = plant_class().send(message(body))
        assert len(accepted.batch) in (0, 50)
        assert (len(accepted.batch) == 0) == bool(accepted.rejects)
