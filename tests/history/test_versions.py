"""Values that are not measured: the last to arrive for a time counts, the others stay on record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.batch import Batch
from gemel.history.table import Table, latest_versions, sort, without_duplicates
from history.conftest import SECOND, T0, Opened


def table_of(rows: list[tuple[int, int, int]]) -> Table:
    series, time, value = (np.array(column) for column in zip(*rows, strict=True))
    return sort(
        Table(
            series.astype(np.int32),
            time.astype(np.int64),
            value.astype(float),
            np.zeros(len(rows), np.uint8),
            np.arange(len(rows)),
        )
    )


ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40
)


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_copies_of_revised_series_are_repetitions_of_the_one_before(
    rows: list[tuple[int, int, int]],
) -> None:
    revised = {1}
    kept = without_duplicates(table_of(rows), revised)
    expected: list[tuple[int, int, int]] = []
    for one in rows:
        before = [r for r in expected if r[:2] == one[:2]]
        if one[0] in revised and before and before[-1] == one:
            continue
        if one[0] not in revised and one in before:
            expected.remove(one)
        expected.append(one)
    expected.sort(key=lambda r: r[:2])
    columns = zip(kept.series.tolist(), kept.time.tolist(), kept.value.tolist(), strict=True)
    assert list(columns) == expected


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_latest_version_is_the_last_to_arrive(rows: list[tuple[int, int, int]]) -> None:
    kept = latest_versions(table_of(rows))
    expected = {(series, time): value for series, time, value in rows}
    columns = zip(kept.series.tolist(), kept.time.tolist(), kept.value.tolist(), strict=True)
    assert {(s, t): v for s, t, v in columns} == expected


@pytest.mark.parametrize("way", ["memory", "sealed", "compacted"])
def test_what_is_taken_back_counts_again(
    opened: Opened, rows_batch: Callable[..., Batch], way: str
) -> None:
    history = opened()
    history.series.id("pump", "flow", "predicted")
    for minute, value in enumerate([1.0, 2.0, 1.0, 1.0]):
        batch = rows_batch((0, 60, value), received=T0 + minute * SECOND)
        opened.store(history, batch)
        if way != "memory":
            history.seal()
    if way == "compacted":
        history.compact()
        assert history.statistics().readings == 3
    end = T0 + 120 * SECOND
    assert history.read(0, T0, end).value.tolist() == [1.0]
    found = history.read(0, T0, end, versions=True)
    assert found.value.tolist()[:3] == [1.0, 2.0, 1.0]
    assert found.received.tolist()[:3] == [T0, T0 + SECOND, T0 + 2 * SECOND]
    assert history.buckets(0, T0, end, 60 * SECOND, ("count",))["count"].tolist() == [1]
    latest = history.last(0)
    assert latest is not None
    assert latest.value == 1.0
