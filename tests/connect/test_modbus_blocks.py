"""Which registers are read in one request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connect.test_modbus_values import register
from gemel.connect.modbus.blocks import Block, Point, blocks_of


def points(*places: tuple[str, str, int]) -> list[Point]:
    return [
        Point(register("bool" if table == "coil" else kind, at, table=table), "t")
        for table, kind, at in places
    ]


def spans(blocks: list[Block]) -> list[tuple[str, int, int]]:
    return [(b.points[0].register.table, b.first, b.end) for b in blocks]


def test_neighbours_are_read_together_over_small_gaps() -> None:
    found = points(*(("holding", "f32", at) for at in (0, 2, 4, 12, 30, 200)))
    assert spans(blocks_of(found, 125, 10)) == [
        ("holding", 0, 14),
        ("holding", 30, 32),
        ("holding", 200, 202),
    ]
    assert spans(blocks_of(found, 125, 0)) == [
        ("holding", 0, 6),
        ("holding", 12, 14),
        ("holding", 30, 32),
        ("holding", 200, 202),
    ]
    assert [b.end - b.first for b in blocks_of(found, 4, 10)] == [4, 2, 2, 2, 2]


def test_tables_units_and_periods_are_read_apart() -> None:
    found = points(("holding", "u16", 0), ("input", "u16", 1), ("coil", "bool", 2))
    found.append(Point(register("u16", 3, unit_id=2), "t"))
    found.append(Point(register("u16", 4, every=5.0), "t"))
    assert len(blocks_of(found, 125, 10)) == 5


def test_bits_are_read_by_the_thousand() -> None:
    found = points(*(("coil", "bool", at) for at in range(3000)))
    assert [b.end - b.first for b in blocks_of(found, 125, 10)] == [2000, 1000]


PLACES = st.lists(
    st.tuples(
        st.sampled_from(["holding", "input", "coil"]),
        st.sampled_from(["u16", "f32", "f64"]),
        st.integers(0, 600),
    ),
    min_size=1,
    max_size=60,
)


@given(PLACES, st.integers(4, 125), st.integers(0, 50))
def test_every_register_is_in_one_request_that_is_not_too_long(
    places: list[tuple[str, str, int]], largest: int, gap: int
) -> None:
    found = points(*places)
    blocks = blocks_of(found, largest, gap)
    held = [point for block in blocks for point in block.points]
    assert {id(one) for one in held} == {id(one) for one in found}
    assert len(held) == len(found)
    for block in blocks:
        is_of_bits = block.points[0].register.table == "coil"
        assert block.end - block.first <= largest * (16 if is_of_bits else 1)
        for point in block.points:
            assert block.first <= point.register.address < point.register.end <= block.end


@given(PLACES)
def test_what_is_parted_again_and_again_is_single_registers(
    places: list[tuple[str, str, int]],
) -> None:
    for block in blocks_of(points(*places), 125, 10):
        parts = [block]
        while any(len(part.points) > 1 for part in parts):
            parts = [half for part in parts for half in part.split()]
        assert {id(p.points[0]) for p in parts} == {id(p) for p in block.points}


def test_a_request_is_parted_where_most_lies_unused() -> None:
    [block] = blocks_of(points(*(("holding", "u16", at) for at in (0, 1, 2, 3, 9, 10))), 125, 10)
    assert spans(block.split()) == [("holding", 0, 4), ("holding", 9, 11)]
