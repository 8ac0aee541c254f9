"""Of each series the first reading of each period goes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemel.core.batch import make_batch
from gemel.exports.thin import Thinner

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND


def passing(every: float, *batches: list[tuple[int, float]]) -> list[tuple[int, float]]:
    thinner = Thinner(every)
    found = []
    for rows in batches:
        made = make_batch([(s, T0 + round(t * SECOND), 1.0, 0) for s, t in rows], 0)
        out = thinner.passing(made)
        found += [
            (int(s), (int(t) - T0) / SECOND) for s, t in zip(out.series, out.time, strict=True)
        ]
    return found


def test_one_reading_of_a_period_passes_be_it_in_one_batch_or_in_several() -> None:
    rows = [(0, 0.0), (0, 1.0), (1, 1.0), (0, 9.9), (0, 10.0), (1, 12.0), (0, 12.0)]
    expected = [(0, 0.0), (1, 1.0), (0, 10.0), (1, 12.0)]
    assert passing(10, rows) == expected
    assert passing(10, *([row] for row in rows)) == expected


def test_without_a_period_all_pass() -> None:
    rows = [(0, 0.0), (0, 0.5), (0, 0.6)]
    assert passing(0, rows) == rows


def test_a_late_reading_of_an_earlier_period_passes() -> None:
    assert passing(10, [(0, 50.0)], [(0, 3.0)], [(0, 51.0)]) == [(0, 50.0), (0, 3.0)]


def test_series_beyond_those_known_so_far_are_taken() -> None:
    assert passing(10, [(0, 0.0), (5_000, 0.0)], [(5_000, 1.0), (20_000, 1.0)]) == [
        (0, 0.0), (5_000, 0.0), (20_000, 1.0),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=40), st.integers(1, 20))
def test_in_order_of_time_exactly_one_of_each_period_passes(
    rows: list[tuple[int, int]], every: int
) -> None:
    ordered = sorted(rows, key=lambda row: row[1])
    found = passing(every, *([(s, float(t))] for s, t in ordered))
    periods = [(s, (T0 // SECOND + t) // every) for s, t in ordered]
    assert [(s, (T0 // SECOND + t) // every) for s, t in found] == list(dict.fromkeys(periods))
