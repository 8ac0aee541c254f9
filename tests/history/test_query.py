from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.batch import Batch, Columns
from gemel.core.errors import InvalidInput
from gemel.history import reader
from gemel.history.query import bucket, m4, pixel_edges

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
ALL = (-(2**63), 2**63)


def columns_of(time: list[int], value: list[float]) -> Columns:
    n = len(time)
    return Columns(
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.zeros(n, np.uint8),
        np.zeros(n, np.int64),
    )


def pixel(time: int, start: int, end: int, px: int) -> int:
    return next(i for i in range(px) if time < start + (i + 1) * (end - start) // px)


numbers = st.floats(-5, 5, allow_nan=False).map(lambda v: round(v, 1))
rows = st.lists(st.tuples(st.integers(0, 99), st.one_of(numbers, st.just(np.nan))), max_size=60)


@given(rows=rows, px=st.integers(1, 30))
def test_m4_has_first_last_lowest_and_highest_of_each_pixel(rows, px):
    rows = sorted(rows, key=lambda row: row[0])
    whole = columns_of([t for t, _ in rows], [v for _, v in rows])
    found = m4(whole, pixel_edges(0, 100, px))
    assert len(found) <= 4 * px
    for i in range(px):
        inside = [r for r in range(len(rows)) if pixel(rows[r][0], 0, 100, px) == i]
        chosen = [r for r in range(len(found)) if pixel(int(found.time[r]), 0, 100, px) == i]
        assert bool(inside) == bool(chosen)
        if not inside:
            continue
        mine, theirs = whole.value[inside], found.value[chosen]
        assert np.array_equal(mine[[0, -1]], theirs[[0, -1]], equal_nan=True)
        assert found.time[chosen[0]] == whole.time[inside[0]]
        assert found.time[chosen[-1]] == whole.time[inside[-1]]
        if not np.isnan(mine).all():
            assert np.nanmin(mine) == np.nanmin(theirs)
            assert np.nanmax(mine) == np.nanmax(theirs)
    assert (np.diff(found.time) >= 0).all()


@settings(max_examples=50)
@given(rows=rows, width=st.integers(1, 40))
def test_buckets_equal_plain_arithmetic(rows, width):
    rows = sorted(((t - 30, v) for t, v in rows), key=lambda row: row[0])
    found = bucket(columns_of([t for t, _ in rows], [v for _, v in rows]), width, reader.AGGREGATES)
    groups: dict[int, list[float]] = {}
    for time, value in rows:
        groups.setdefault(time // width * width, []).append(value)
    assert found["time"].tolist() == list(groups)
    assert found["count"].tolist() == [len(group) for group in groups.values()]
    for i, group in enumerate(groups.values()):
        some = [v for v in group if not np.isnan(v)]
        got = [found[name][i] for name in ("avg", "min", "max", "sum", "first", "last")]
        if not some:
            assert np.isnan(got).all()
        else:
            expected = [np.mean(some), min(some), max(some), sum(some), some[0], some[-1]]
            assert got == pytest.approx(expected)


@pytest.fixture
def walk(opened, monkeypatch):
    """A series in several segments and the memory, with late data, read in many slices."""
    monkeypatch.setattr(reader, "ROWS_A_SLICE", 5_000)
    history = opened(2, segment_rows=10**9)
    rng = np.random.default_rng(7)
    value = np.round(np.cumsum(rng.normal(size=60_000)), 2)
    time = T0 + np.arange(60_000) * SECOND + rng.integers(0, SECOND, 60_000)
    shuffled = rng.permutation(60_000)
    for i, part in enumerate(np.array_split(shuffled, 6)):
        batch = Batch(
            np.zeros(len(part), np.int32),
            time[part],
            value[part],
            np.where(part % 100 == 0, 129, 0).astype(np.uint8),
            T0,
        )
        assert opened.store(history, batch) is None
        if i in (0, 1, 3):
            history.seal()
    good = np.arange(60_000) % 100 != 0
    return history, time, value, good


def test_downsample_over_segments_equals_m4_of_everything(walk):
    history, time, value, good = walk
    whole = columns_of(time[good].tolist(), value[good].tolist())
    for start, end, px in ((T0, T0 + 60_000 * SECOND, 800), (T0 + 777, T0 + 5 * 10**12, 13)):
        inside = (whole.time >= start) & (whole.time < end)
        some = columns_of(whole.time[inside].tolist(), whole.value[inside].tolist())
        expected = m4(some, pixel_edges(start, end, px))
        found = history.downsample(0, start, end, px)
        assert found.time.tolist() == expected.time.tolist()
        assert found.value.tolist() == expected.value.tolist()


def test_buckets_over_segments_equal_buckets_of_everything(walk):
    history, time, value, good = walk
    whole = columns_of(time[good].tolist(), value[good].tolist())
    for width in (SECOND * 60, SECOND * 3600, 10**18, 7):
        span = slice(0, 2000) if width == 7 else slice(None)
        start, end = T0, int(time[good][span][-1]) + 1
        some = columns_of(time[good][span].tolist(), value[good][span].tolist())
        expected = bucket(some, width, reader.AGGREGATES)
        found = history.buckets(0, start, end, width)
        assert found["time"].tolist() == expected["time"].tolist()
        for name in reader.AGGREGATES:
            assert found[name] == pytest.approx(expected[name], nan_ok=True)
    assert len(whole) == good.sum()


def test_reads_with_and_without_bad_readings_and_limits(walk):
    history, time, value, good = walk
    assert history.read(0, *ALL).time.tolist() == time[good].tolist()
    found = history.read(0, *ALL, bad=True)
    assert found.time.tolist() == time.tolist()
    assert found.value.tolist() == value.tolist()
    assert set(found.quality[~good]) == {129}
    assert history.read(0, *ALL, limit=7).time.tolist() == time[good][:7].tolist()
    assert history.read(0, *ALL, limit=0).time.tolist() == []
    one, two, three = history.read_many([0, 1, 5], T0, T0 + 100 * SECOND)
    assert len(one) > 90
    assert len(two) == len(three) == 0
    at = int(time[30_000])
    assert history.last(0, at)[:2] == (at, value[30_000])
    assert history.last(0, at - 1)[:2] == (int(time[29_999]), value[29_999])
    assert history.last(0)[:2] == (int(time[-1]), value[-1])
    assert history.last(0, T0 - 1) is None
    assert history.last(1) is None
    assert history.last(99) is None


def test_texts_survive_downsampling(opened, rows_batch):
    history = opened(1)
    opened.store(history, rows_batch(*((0, i, f'"{i}"') for i in range(50))))
    found = history.downsample(0, T0, T0 + 50 * SECOND, 5)
    assert list(found.text.values()) == [f'"{i}"' for i in range(50)]
    assert list(found.text) == list(range(50))
    counts = history.buckets(0, T0, T0 + 50 * SECOND, 10**10, ("count", "avg"))
    assert counts["count"].tolist() == [10] * 5
    assert np.isnan(counts["avg"]).all()


def test_empty_spans_have_no_rows(opened, rows_batch):
    history = opened(1)
    opened.store(history, rows_batch((0, 0, 1.0)))
    for start, end in ((T0 + 1, T0 + 9), (T0 + 9, T0 - 9), (2**70, 2**71), (-(2**70), T0)):
        assert len(history.read(0, start, end)) == 0
        assert len(history.read(0, start, end, limit=5)) == 0
        assert len(history.downsample(0, start, end, 10)) == 0
        assert len(history.buckets(0, start, end, 10**9)["time"]) == 0


def test_questions_without_sense_are_refused(opened):
    history = opened(1)
    with pytest.raises(InvalidInput, match="median"):
        history.buckets(0, 0, 1, 1, ("median",))
    with pytest.raises(InvalidInput, match="width"):
        history.buckets(0, 0, 1, 0)
    with pytest.raises(InvalidInput, match="pixels"):
        history.downsample(0, 0, 1, 0)


def test_sealed_columns_of_one_value_come_as_plain_arrays(opened, rows_batch):
    history = opened(names=1)
    opened.store(history, rows_batch((0, 1, 5.0), (0, 2, 5.0), (0, 3, 5.0)))
    history.seal()
    for found in (history.read(0, 0, 1 << 62), history.downsample(0, T0, T0 + 9 * SECOND, 100)):
        columns = (found.time, found.value, found.quality, found.received)
        assert [column.flags.c_contiguous for column in columns] == [True] * 4


@given(
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=40),
    st.integers(1, 6),
)
@settings(max_examples=100, deadline=None)
def test_outline_has_every_text_of_each_pixel(texts: list[str], px: int) -> None:
    time = np.arange(len(texts), dtype=np.int64)
    text = {i: one for i, one in enumerate(texts) if one}
    value = np.array([np.nan if one else float(i) for i, one in enumerate(texts)])
    columns = Columns(time, value, np.zeros(len(texts), np.uint8), time, text)
    edges = pixel_edges(0, len(texts), px)
    found = m4(columns, edges)
    met = {
        (int(np.searchsorted(edges, t, "right")), found.text.get(i))
        for i, t in enumerate(found.time)
    }
    every = {(int(np.searchsorted(edges, t, "right")), one) for t, one in text.items()}
    assert every <= met
