from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gemel.ingest import columns as columns_module
from gemel.ingest.columns import NAN, Columns
from gemel.ingest.slots import Check, Slots

RANGES = [
    (-np.inf, np.inf, 1.0, 0.0),
    (0.0, 10.0, 1.0, 0.0),
    (-np.inf, 10.0, 0.5, -3.0),
    (-np.inf, np.inf, 1e300, 0.0),
    (5.0, np.inf, -2.0, 1.0),
]
rows = st.lists(
    st.tuples(
        st.integers(0, len(RANGES) - 1),
        st.floats(allow_nan=False, allow_infinity=False) | st.just("text") | st.floats(-30, 30),
    ),
    max_size=columns_module.FEW,
)


def fill(found):
    slots, columns = Slots(), Columns()
    checks = [slots.checks.number(Check(*numbers)) for numbers in RANGES]
    slots.add([100 + number for number in range(len(RANGES))], checks)
    for slot, value in found:
        if value == "text":
            columns.text[len(columns)] = '"x"'
            value = NAN
        columns.slots.append(slot)
        columns.times.append(7)
        columns.values.append(value)
    return columns.finish(slots, 9)


@given(rows)
def test_few_rows_are_finished_as_many_are(found):
    few = fill(found)
    # the same rows again and again, so that there are too many to be finished one by one
    many = fill(found * (columns_module.FEW + 1))
    for name in ("series", "time", "value", "quality"):
        column = getattr(few, name)
        assert getattr(many, name)[: len(found)].tobytes() == column.tobytes()
        assert getattr(many, name).dtype == column.dtype
    assert {r: t for r, t in many.text.items() if r < len(found)} == dict(few.text)
    assert not np.isinf(few.value).any()


def test_cut_takes_back_rows_and_what_belongs_to_them():
    columns = Columns()
    for row in range(4):
        columns.slots.append(row)
        columns.values.append(NAN)
        columns.text[row] = "1"
        columns.quality[row] = 1
    columns.fill_times(5)
    columns.cut(2)
    assert (len(columns.slots), len(columns.times), len(columns.values)) == (2, 2, 2)
    assert list(columns.text) == list(columns.quality) == [0, 1]
    columns.cut(0)
    assert len(columns) == len(columns.text) == 0


def test_times_are_filled_only_where_they_are_missing():
    columns = Columns()
    columns.slots.append(0)
    columns.fill_times(1)
    columns.slots.extend([1, 2])
    columns.fill_times(2)
    columns.fill_times(3)
    assert list(columns.times) == [1, 2, 2]
