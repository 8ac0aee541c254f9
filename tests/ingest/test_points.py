from __future__ import annotations

import math

import pytest

from gemel.core.errors import InvalidInput
from gemel.ingest.points import Point, PointTable


@pytest.mark.parametrize(
    "point",
    [
        Point(0, "colour"),
        Point(0, "double", 2, 1),
        Point(0, "double", math.nan),
        Point(0, "double", scale=0),
        Point(0, "double", scale=math.inf),
        Point(0, "double", offset=math.nan),
    ],
)
def test_senseless_points_are_refused_and_change_nothing(point):
    table = PointTable()
    table.set_twin("p", {"a": Point(0, "double")})
    with pytest.raises(InvalidInput, match="'x' of twin 'p'"):
        table.set_twin("p", {"x": point})
    assert list(table.find("p").points) == ["a"]


def test_slots_are_used_again():
    table = PointTable()
    for _ in range(100):
        for twin in ("p", "q"):
            table.set_twin(twin, {"a": Point(0, "double"), "b": Point(1, "long")})
            table.set_twin(twin, {"a": Point(0, "double")}, open=True)
    assert len(table.slots) == 2
    table.drop_twin("p")
    table.drop_twin("p")
    assert (len(table.slots), len(table)) == (1, 1)


def test_same_points_again_change_nothing():
    table = PointTable()
    table.set_twin("p", {"a": Point(0, "double")})
    before = table.find("p")
    table.set_twin("p", {"a": Point(0, "double")})
    assert table.find("p") is before
    table.set_twin("p", {"a": Point(0, "double", 0)})
    assert table.find("p") is not before


def test_unknown_devices_are_counted_until_they_are_known():
    table = PointTable()
    table.unknown("u")
    table.unknown("u")
    table.unknown("v")
    assert table.unknown_count == 2
    table.set_twin("u", {})
    table.drop_twin("v")
    assert table.unknown_count == 0


def test_columns_grow_with_the_points():
    table = PointTable()
    for i in range(300):
        table.set_twin(f"t{i}", {"a": Point(i, "double", i, i + 1.0)})
    for i in (0, 63, 64, 299):
        slot = table.find(f"t{i}").points["a"].slot
        assert (table.slots.series[slot], table.slots.minimum[slot]) == (i, i)
