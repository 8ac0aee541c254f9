"""Readings as events: each twin and time once, with every value, however rows follow each other."""

from __future__ import annotations

import math
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gemel.app.twin_events import of_readings
from gemel.core.batch import make_batch
from gemel.core.clock import SECOND, to_iso
from gemel.core.series import DERIVED, SeriesTable
from gemel.twins.graph import Graph

MIXED: list[tuple[str, str]] = [
    *(("a", f"s{n}") for n in range(5)),
    *(("b", f"s{n}") for n in range(5)),
    ("a", "late"),
    ("c", "s0"),
    ("b", "late"),
]
"""Series in the order in which they came: some of a twin do not follow its first ones."""


def table() -> SeriesTable:
    made = SeriesTable()
    for twin, path in MIXED:
        made.id(twin, path)
    made.id("c", "sum", DERIVED)
    return made


VALUES = st.one_of(st.floats(), st.sampled_from(['"text"', "[1, 2]", "12345678901234567890"]))
ROWS = st.lists(
    st.tuples(st.integers(0, len(MIXED)), st.integers(1, 3), VALUES), min_size=1, max_size=40
)


def one_by_one(rows: list[tuple[int, int, Any]], series: SeriesTable) -> dict[Any, Any]:
    """What is expected, row by row."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for number, second, value in rows:
        key = series.keys[number]
        if isinstance(value, str):
            value = orjson.loads(value)
        elif not math.isfinite(value):
            value = None
        found.setdefault((key.twin, to_iso(second * SECOND)), {})[key.path] = value
    return found


@given(ROWS, st.booleans())
def test_events_hold_every_value_of_their_twin_and_time(
    rows: list[tuple[int, int, Any]], in_order: bool
) -> None:
    if in_order:
        rows = sorted(rows, key=lambda row: (row[1], row[0]))
    series = table()
    numbers = [math.nan if isinstance(value, str) else value for _, _, value in rows]
    text = {n: value for n, (_, _, value) in enumerate(rows) if isinstance(value, str)}
    batch = make_batch(
        [(s, t * SECOND, v, 0) for (s, t, _), v in zip(rows, numbers, strict=True)], 1, text
    )
    events = of_readings(batch, series, Graph(), "urn:x", lambda: "id")
    found = {(event["subject"], event["time"]): event["data"] for event in events}
    assert len(found) == len(events)
    assert found == one_by_one(rows, series)
