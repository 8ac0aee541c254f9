"""Roll-ups answer what the readings themselves would: late readings, copies and damage included."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History, reader, rolling, sealer
from gemel.history.keep import EARLIEST, Keep
from gemel.history.query import AGGREGATES
from gemel.history.rollup import HOUR, MINUTE
from history.conftest import SECOND, T0, Opened

START = T0 // HOUR * HOUR
Row = tuple[int, int, float, int]
"""Series, seconds after START, value, quality."""
ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 3 * 3600 - 1),
        st.sampled_from([0.0, 1.5, -2.25, 7.0]),
        st.sampled_from([0, 0, 0, 64, 128]),
    ),
    min_size=1,
    max_size=60,
)


@pytest.fixture(autouse=True)
def rolls_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "ROWS_THAT_PAY", 0)
    monkeypatch.setattr(sealer, "ROWS_TO_ROLL", 0)
    monkeypatch.setattr(reader, "ROWS_WORTH_ROLLS", 0)


def batch_of(rows: list[Row], received: int = T0) -> Batch:
    series, time, value, quality = (np.array(c) for c in zip(*rows, strict=True))
    return Batch(
        series.astype(np.int32),
        START + time.astype(np.int64) * SECOND,
        value.astype(np.float64),
        quality.astype(np.uint8),
        received,
    )


def plain(rows: list[Row], series: int, width: int, revised: bool) -> dict[int, list[float]]:
    """Good values by bucket, in order of time, from nothing but the rows."""
    mine = [(t, v, q) for s, t, v, q in rows if s == series]
    if revised:
        mine = list({t: (t, v, q) for t, v, q in mine}.values())
    else:
        last: dict[tuple[int, float, int], None] = {}
        for row in mine:  # of copies the last to arrive stays, at its place
            last.pop(row, None)
            last[row] = None
        mine = list(last)
    found: dict[int, list[float]] = {}
    for t, v, q in sorted(mine, key=lambda row: row[0]):
        if q < 128:
            found.setdefault((START + t * SECOND) // width * width, []).append(v)
    return found


FIGURES: dict[str, Callable[[list[float]], float]] = {
    "avg": lambda v: sum(v) / len(v),
    "min": min,
    "max": max,
    "sum": sum,
    "count": len,
    "first": lambda v: v[0],
    "last": lambda v: v[-1],
    "sd": lambda v: math.sqrt(sum((x - sum(v) / len(v)) ** 2 for x in v) / len(v)),
}


def check(history: History, rows: list[Row]) -> None:
    end = START + 4 * HOUR
    for series, revised in ((0, False), (1, True)):
        for width in (MINUTE, 5 * MINUTE, HOUR, 2 * HOUR):
            found = history.buckets(series, START, end, width)
            expected = plain(rows, series, width, revised)
            assert found["time"].tolist() == sorted(expected)
            for name in AGGREGATES:
                wanted = [FIGURES[name](expected[t]) for t in sorted(expected)]
                assert found[name].tolist() == pytest.approx(wanted, rel=1e-6, abs=1e-6), (
                    name,
                    width,
                )


@example([[(0, 0, 0.0, 0)], [(0, 0, 0.0, 128)]], 1, False)
@example([[(1, 0, 0.0, 0), (1, 0, 0.0, 128)]], 1, False)
@example([[(1, 0, 0.0, 0)], [(1, 0, 0.0, 128)]], 1, False)
@example([[(1, 0, 0.0, 0)], [(1, 0, 0.0, 128)]], 2, False)
@given(st.lists(ROWS, min_size=1, max_size=4), st.integers(0, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_buckets_from_roll_ups_equal_plain_arithmetic(
    arrivals: list[list[Row]], sealed: int, is_merged: bool
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="gemel-rollups-"))
    history = History(folder, SeriesTable(), ballast_bytes=0)
    try:
        history.series.id("pump", "flow")
        history.series.id("pump", "flow", "derived")
        rows: list[Row] = []
        for number, arrival in enumerate(arrivals):
            rows += arrival
            Opened.store(history, batch_of(arrival))
            if number < sealed:
                history.seal()
        if is_merged:
            history.compact()
        check(history, rows)
        assert history.statistics().damage == ()
    finally:
        history.close()
        shutil.rmtree(folder)


def test_few_readings_get_their_roll_ups_when_they_are_merged(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "ROWS_TO_ROLL", 1_000)
    history = opened(names=2)
    for first, count in ((0, 400), (400, 1_200)):
        opened.store(history, batch_of(wave(count, first=first)))
        history.seal()
    small, large = history._views.now.segments
    assert not small.rolls
    assert large.rolls[MINUTE].rows == 21
    wanted = history.buckets(0, START, START + HOUR, MINUTE, ("avg",))["avg"]
    history.compact()
    (merged,) = history._views.now.segments
    assert merged.rolls[MINUTE].rows == 27
    found = history.buckets(0, START, START + HOUR, MINUTE, ("avg",))["avg"]
    assert found.tolist() == pytest.approx(wanted.tolist())
    assert history.check() == []


def wave(count: int, series: int = 0, first: int = 0) -> list[Row]:
    return [(series, first + i, math.sin(i / 50) * 10 + i % 7, 0) for i in range(count)]


@pytest.fixture
def sealed(opened: Opened) -> History:
    history = opened(names=2)
    opened.store(history, batch_of(wave(7200)))
    history.seal()
    return history


def test_outline_from_roll_ups_holds_readings_and_their_extremes(sealed: History) -> None:
    end = START + 2 * HOUR
    coarse = sealed.downsample(0, START, end, 12)
    exact = sealed.downsample(0, START, end, 12, exact=True)
    assert coarse.time.tolist() == exact.time.tolist()  # the edges of pixels cut no minute
    assert coarse.value.tolist() == exact.value.tolist()
    odd = sealed.downsample(0, START, end, 13)
    raw = sealed.read(0, START, end)
    there = set(zip(raw.time.tolist(), raw.value.tolist(), strict=True))
    assert set(zip(odd.time.tolist(), odd.value.tolist(), strict=True)) <= there
    assert (odd.value.min(), odd.value.max()) == (raw.value.min(), raw.value.max())


def test_late_readings_correct_what_was_rolled_up(opened: Opened, sealed: History) -> None:
    late = [(0, 100, 1000.0, 0), (0, 5000, -1000.0, 0)]
    opened.store(sealed, batch_of(late))
    check(sealed, wave(7200) + late)
    sealed.seal()
    check(sealed, wave(7200) + late)
    sealed.compact()
    check(sealed, wave(7200) + late)


def test_damaged_roll_up_is_named_and_the_readings_answer(opened: Opened, sealed: History) -> None:
    sealed.close()
    (path,) = (opened.folder / "segments").glob("*.1m")
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(bytes(data))
    again = opened()
    check(again, wave(7200))
    assert [d.file for d in again.statistics().damage] == [f"segments/{path.name}"]


def test_missing_roll_up_is_named_and_the_readings_answer(opened: Opened, sealed: History) -> None:
    sealed.close()
    (path,) = (opened.folder / "segments").glob("*.1h")
    path.unlink()
    again = opened()
    check(again, wave(7200))
    assert "roll-ups are missing" in again.statistics().damage[0].what


def test_texts_and_sparse_series_have_no_roll_ups(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "ROWS_THAT_PAY", 30)
    history = opened(names=2)
    text = {3: '"on"'}
    found = batch_of(wave(600))
    value = found.value.copy()
    value[3] = math.nan
    opened.store(history, Batch(found.series, found.time, value, found.quality, T0, text))
    opened.store(history, batch_of([(1, 60 * i, 1.0, 0) for i in range(20)]))
    history.seal()
    (path,) = (opened.folder / "segments").glob("*.1m")
    assert history._views.now.segments[0].rolls[MINUTE].rows == 0
    assert path.stat().st_size < 300
    assert history.buckets(0, START, START + HOUR, MINUTE, ("count",))["count"].sum() == 600


def keep(raw: int, minute: int, hour: int) -> Keep:
    return Keep(np.array([[raw], [minute], [hour]], np.int64))


def expire(history: History) -> None:
    history.expire()
    history.compact()


def test_minutes_and_hours_outlive_the_readings(
    opened: Opened, rows_batch: Callable[..., Batch]
) -> None:
    limits = [keep(EARLIEST, EARLIEST, EARLIEST)]
    history = opened(names=2, keep_from=lambda: limits[0])
    rows = wave(7200) + wave(7200, series=1)
    opened.store(history, batch_of(rows))
    history.seal()
    end = START + 3 * HOUR
    whole: dict[str, Any] = history.buckets(0, START, end, MINUTE)
    hours = history.buckets(0, START, end, HOUR)
    limits[0] = keep(START + HOUR + 600 * SECOND, EARLIEST, EARLIEST)  # goes by whole hours
    expire(history)
    assert len(history.read(0, START, end)) == 3600
    assert len(history.read(1, START, end)) == 7200
    for again in (history, None):
        if again is None:
            history.close()
            again = opened(keep_from=lambda: limits[0])
            opened.store(again, rows_batch((0, 9999, 1.0)))
            again.seal()
            again.compact()
        now = again.buckets(0, START, START + 2 * HOUR, MINUTE)
        assert now["time"].tolist() == whole["time"].tolist()
        for name in AGGREGATES:
            assert now[name].tolist() == pytest.approx(whole[name].tolist(), abs=1e-5)
        outline = again.downsample(0, START, START + HOUR, 60)
        assert outline.value.min() == min(v for _, t, v, _ in wave(3600))
    limits[0] = keep(START + 2 * HOUR, START + HOUR, EARLIEST)
    expire(again)
    now = again.buckets(0, START, START + 2 * HOUR, MINUTE, ("sum",))
    assert now["time"].tolist() == [START, *(START + HOUR + i * MINUTE for i in range(60))]
    assert now["sum"][0] == pytest.approx(hours["sum"][0])
    limits[0] = keep(START + 4 * HOUR, START + 4 * HOUR, START + HOUR)
    expire(again)
    assert again.buckets(0, START, START + 2 * HOUR, HOUR, ("sum",))["time"].tolist() == [
        START + HOUR
    ]
    assert len(again.read(1, START, end)) == 7200


def test_sparse_readings_are_rolled_up_when_they_go(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "ROWS_THAT_PAY", 30)
    limits = [keep(EARLIEST, EARLIEST, EARLIEST)]
    history = opened(names=1, keep_from=lambda: limits[0])
    rows: list[Row] = [(0, 300 * i, float(i), 0) for i in range(24)]
    opened.store(history, batch_of(rows))
    history.seal()
    limits[0] = keep(START + HOUR, EARLIEST, EARLIEST)
    expire(history)
    assert len(history.read(0, START, START + 2 * HOUR)) == 12
    found = history.buckets(0, START, START + 2 * HOUR, HOUR, ("sum", "count"))
    assert found["count"].tolist() == [12, 12]
    assert found["sum"].tolist() == [sum(range(12)), sum(range(12, 24))]
