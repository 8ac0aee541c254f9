from __future__ import annotations

import math

import pytest

from gemel.core.errors import InvalidInput
from gemel.core.series import SeriesTable
from gemel.ingest.points import Layout, Point, PointTable


@pytest.mark.parametrize(
    "point",
    [
        Point("colour"),
        Point("double", 2, 1),
        Point("double", math.nan),
        Point("double", scale=0),
        Point("double", scale=math.inf),
        Point("double", offset=math.nan),
    ],
)
def test_senseless_points_are_refused(point):
    with pytest.raises(InvalidInput, match="property 'x'"):
        Layout({"x": point})


ONE = Layout({"a": Point("double")})
TWO = Layout({"a": Point("double"), "b": Point("long")})


def test_slots_are_used_again():
    table = PointTable()
    for _ in range(100):
        for twin in ("p", "q"):
            table.set_twin(twin, TWO, [0, 1])
            table.open_point(table.find(twin), "more", 2)
            table.set_twin(twin, ONE, [0], open=True)
    assert len(table.slots) == 2
    assert len(table.slots.series) == 64
    table.drop_twin("p")
    table.drop_twin("p")
    assert (len(table.slots), len(table)) == (1, 1)


def test_same_points_again_change_nothing():
    table = PointTable()
    table.set_twin("p", ONE, [0])
    before = table.find("p")
    table.set_twin("p", Layout({"a": Point("double")}), [0])
    assert table.find("p") is before
    table.set_twin("p", Layout({"a": Point("double", 0)}), [0])
    assert table.find("p") is not before


def test_unknown_devices_are_counted_until_they_are_known():
    table = PointTable()
    table.unknown("u")
    table.unknown("u")
    table.unknown("v")
    assert table.unknown_count == 2
    table.set_twin("u", Layout({}), [])
    table.drop_twin("v")
    assert table.unknown_count == 0


def test_columns_grow_with_the_points():
    table = PointTable()
    for i in range(300):
        table.set_twin(f"t{i}", Layout({"a": Point("double", i, i + 1.0)}), [i])
    for i in (0, 63, 64, 299):
        entry = table.find(f"t{i}")
        slot = entry.first + entry.points["a"].slot
        check = table.slots.checks.columns[:, table.slots.check[slot]]
        assert (table.slots.series[slot], check[0]) == (i, i)


def test_name_opened_for_one_twin_is_not_there_for_others_of_its_model():
    table, series = PointTable(), SeriesTable()
    for twin in ("p", "q"):
        table.set_twin(twin, TWO, [series.id(twin, path) for path in TWO.paths])
    p, q = table.find("p"), table.find("q")
    point = table.open_point(p, "a@q0.5", series.id("p", "a@q0.5"), p.points["a"])
    assert set(p.points) == {"a", "b", "a@q0.5"}
    assert set(q.points) == {"a", "b"} == set(TWO.points)
    assert table.slots.series[p.first + point.slot] == 4
    assert table.slots.series[q.first + q.points["b"].slot] == 3
    assert "devices/p/telemetry" in table.stale
