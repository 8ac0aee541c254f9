from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import Damaged
from gemel.history.block import pieces_of
from gemel.history.codec import (
    ROWS_A_RUN,
    Codec,
    compress,
    decode,
    encode_numbers,
    encode_pieces,
    encode_runs,
)
from gemel.history.gather import gathered
from gemel.history.scaled import LARGEST, scaled, unscaled
from gemel.history.table import (
    NO_ROWS,
    Table,
    concatenate,
    sort,
    text_codes,
    text_values,
    without_duplicates,
)

any_bits = st.integers(-(2**63), 2**63 - 1)


@given(
    bits=st.lists(any_bits, min_size=1, max_size=200),
    codec=st.sampled_from([Codec.PCODEC, Codec.PLANES]),
    is_float=st.booleans(),
    is_ordered=st.booleans(),
)
def test_any_bits_come_back(bits, codec, is_float, is_ordered):
    column = np.array(bits, np.int64)
    if is_float:
        column = column.view(np.float64)
    kind, data = encode_numbers(column, codec=codec, level=6, is_ordered=is_ordered)
    found = decode(kind, data, len(bits), column.dtype)
    assert found.dtype == column.dtype
    assert np.ascontiguousarray(found).view(np.int64).tolist() == bits


few_digits = st.tuples(st.integers(-(10**7), 10**7), st.integers(0, 7))


@given(
    numbers=st.lists(few_digits, min_size=1, max_size=40),
    odd=st.lists(st.sampled_from([math.nan, -0.0, 1e300, math.inf, 0.1 + 0.2, 1 / 3]), max_size=2),
    times=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=40),
    unit=st.sampled_from([1, 10**3, 10**6, 10**9]),
)
def test_whole_numbers_stand_for_exactly_what_they_came_from(numbers, odd, times, unit):
    values = np.array([n / 10**digits for n, digits in numbers] + odd, np.float64)
    column = 1_700_000_000 * 10**9 + np.array(times, np.int64) * unit
    for one in (values, column):
        found = scaled(one)
        if found is not None:
            back = unscaled(found, one.dtype)
            assert back.dtype == one.dtype
            assert back.view(np.int64).tolist() == one.view(np.int64).tolist()
    if not odd and all(digits <= 2 for _, digits in numbers):
        assert scaled(values) is not None
    assert scaled(column) is not None or (max(times) - min(times)) * unit > LARGEST


@given(
    places=st.sets(st.integers(0, 6399), max_size=101),
    odd=st.sampled_from([math.nan, -0.0, 1e300, math.inf, 1 / 3]),
)
def test_some_odd_numbers_among_decimals_stand_beside_them(places, odd):
    column = np.round(np.sin(np.arange(6400) / 50) * 40 + 50, 2)
    column[list(places)] = odd
    kind, data = encode_numbers(column, codec=Codec.PCODEC, level=5)
    assert (kind == Codec.SCALED) == (len(places) <= 100)
    found = decode(kind, data, 6400, np.float64)
    assert found.view(np.int64).tolist() == column.view(np.int64).tolist()
    if kind == Codec.SCALED and places:
        assert len(data) < 6400 + 12 * len(places) + 100
        with pytest.raises(Damaged):
            decode(kind, data, min(places), np.float64)


@pytest.mark.parametrize("codec", [Codec.PCODEC, Codec.PLANES])
def test_regular_columns_get_small(codec):
    time = 1_700_000_000_000_000_000 + np.arange(16_384) * 1_000_000_000
    value = np.round(np.sin(np.arange(16_384) / 500), 2)
    for column in (time, value):
        kind, data = encode_numbers(column, codec=codec, level=6)
        assert kind == Codec.SCALED
        assert data[1] == codec
        assert len(data) < 8 * len(column) / 9
    assert encode_numbers(value[:1].repeat(99), codec=codec, level=6)[0] == Codec.CONSTANT


@given(
    pieces=st.lists(st.lists(any_bits, min_size=1, max_size=30), min_size=1, max_size=6),
    codec=st.sampled_from([Codec.PCODEC, Codec.PLANES]),
)
def test_pieces_come_back_as_one_column(pieces, codec):
    bits = [bit for piece in pieces for bit in piece]
    column = np.array(bits, np.int64).view(np.float64)
    kind, data = encode_pieces(column, [len(piece) for piece in pieces], codec=codec, level=6)
    assert (kind == Codec.PIECES) == (len(pieces) > 1 and len(set(bits)) > 1)
    found = decode(kind, data, len(bits), np.float64)
    assert np.ascontiguousarray(found).view(np.int64).tolist() == bits
    if kind == Codec.PIECES:
        for cut in range(4 + 9 * len(pieces)):
            with pytest.raises(Damaged):
                decode(kind, data[:cut], len(bits), np.float64)


@given(
    runs=st.lists(st.tuples(any_bits, st.integers(1, 40)), min_size=1, max_size=30),
    codec=st.sampled_from([Codec.PCODEC, Codec.PLANES]),
)
def test_runs_come_back_as_one_column(runs, codec):
    bits = [bit for bit, often in runs for _ in range(often)]
    column = np.array(bits, np.int64)
    kind, data = encode_runs(column, column[1:] != column[:-1], codec=codec, level=0)
    changes = sum(one != other for one, other in pairwise(bits))
    assert (kind == Codec.RUNS) == (0 < changes < len(bits) // ROWS_A_RUN)
    assert decode(kind, data, len(bits), np.int64).tolist() == bits
    if kind == Codec.RUNS:
        for cut in range(len(data)):
            with pytest.raises(Damaged):
                decode(kind, data[:cut], len(bits), np.int64)


def test_values_of_different_series_are_smaller_apart():
    rng = np.random.default_rng(4)
    kinds = [np.round(rng.normal(10.0**k, 1, 1000), 3 - k) * 7 for k in range(4)]
    column = np.concatenate(kinds)
    together = encode_numbers(column, codec=Codec.PCODEC, level=8)[1]
    apart = encode_pieces(column, [1000] * 4, codec=Codec.PCODEC, level=8)[1]
    assert len(apart) < 0.9 * len(together)


def test_only_parts_of_many_rows_are_pieces_of_their_own():
    counts = np.array([3, 1200, 1024, 5, 6, 1023, 9000], np.int32)
    assert pieces_of(counts) == [3, 1200, 1024, 1034, 9000]
    assert pieces_of(counts[3:6]) == [1034]
    assert pieces_of(counts[-1:]) == [9000]


def test_columns_that_do_not_fit_are_damage():
    column = np.arange(1000)
    kind, data = encode_numbers(column, codec=Codec.PCODEC, level=6)
    assert kind == Codec.SCALED
    for cut in range(len(data)):
        with pytest.raises(Damaged):
            decode(kind, data[:cut], 1000, np.int64)
    for rows, dtype in ((999, np.int64), (1000, np.int32)):
        with pytest.raises(Damaged):
            decode(kind, data, rows, dtype)
    kind, data = encode_numbers(column[:200] ** 3, codec=Codec.PCODEC, level=6)
    for rows, dtype in ((199, np.int64), (200, np.float64)):
        with pytest.raises(Damaged):
            decode(kind, data, rows, dtype)
    with pytest.raises(Damaged, match="not known"):
        decode(99, data, 1000, np.int64)
    with pytest.raises(Damaged):
        decode(Codec.ZSTD, b"no zstd", 3, np.uint8)
    with pytest.raises(Damaged):
        decode(Codec.ZSTD, compress(bytes(1 << 20)), 3, np.uint8)


rows = st.lists(
    st.tuples(st.integers(0, 200_000), st.integers(-3, 3), st.sampled_from([0.0, -0.0, 1.0])),
    max_size=80,
)


def table_of(rows: list[tuple[int, int, float]]) -> Table:
    n = len(rows)
    return Table(
        np.array([r[0] for r in rows], np.int32),
        np.array([r[1] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float64),
        np.zeros(n, np.uint8),
        np.arange(n),
    )


@given(rows=rows, few=st.booleans())
def test_order_is_by_series_and_time_and_stable(rows, few):
    table = table_of([(s % 3 if few else s, t, v) for s, t, v in rows])
    expected = sorted(range(len(rows)), key=lambda i: (table.series[i], table.time[i]))
    assert sort(table).received.tolist() == expected


@pytest.mark.parametrize("step", [1, 10**9, 2**54])
def test_runs_that_overlap_are_laid_together_in_order(step):
    rng = np.random.default_rng(5)
    runs = []
    for first in (0, 90, 200):
        when = [(s, int(t), 0.0) for s in range(3) for t in np.sort(rng.integers(0, 120, 40))]
        runs.append(sort(table_of([(s, (first + t) * step, v) for s, t, v in when])))
    found = gathered(runs)
    flat = [(int(s), int(t)) for s, t in zip(found.series, found.time, strict=True)]
    assert flat == sorted(flat)
    arrived = concatenate(runs)
    expected = np.lexsort((np.arange(len(arrived)), arrived.time, arrived.series))
    assert found.received.tolist() == arrived.received[expected].tolist()


@given(rows=rows)
def test_of_equal_readings_the_last_to_arrive_stays_with_the_first_receipt(rows):
    table = sort(table_of([(s % 2, t, v) for s, t, v in rows]))
    kept: dict[tuple[int, int, bytes], int] = {}
    for i in range(len(table)):
        key = (int(table.series[i]), int(table.time[i]), table.value[i].tobytes())
        kept.setdefault(key, int(table.received[i]))
    found = without_duplicates(table)
    assert sorted(found.received.tolist()) == sorted(kept.values())
    assert sort(found) is found


def test_texts_of_several_tables_get_one_list():
    def with_texts(codes: list[int], texts: list[str]) -> Table:
        n = len(codes)
        values = np.where(np.array(codes) < 0, 5.0, text_values(np.maximum(codes, 0)))
        zeros = np.zeros(n, np.int64)
        return Table(np.zeros(n, np.int32), zeros, values, np.zeros(n, np.uint8), zeros, texts)

    found = concatenate(
        [with_texts([0, -1, 1], ["a", "b"]), NO_ROWS, with_texts([1, 1, 0], ["a", "c"])]
    )
    codes = text_codes(found.value)
    assert codes is not None
    assert [found.texts[c] if c >= 0 else None for c in codes] == ["a", None, "b", "c", "c", "a"]
    assert len(set(found.texts)) == len(found.texts)
