"""The plan of a fleet: never two at once, and no worse than any other."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.services.rul.planning import Costs, Left, cost_by_day, plan


def machine(name: str, median: float) -> Left:
    return Left(name, 0.7 * median, median, 1.4 * median)


def test_one_machine_is_served_before_it_is_likely_to_fail() -> None:
    (row,) = plan([machine("a", 40.0)], Costs(unplanned=20.0))
    assert 15 <= row["day"] <= 30
    assert row["failsBefore"] < 0.1
    assert row["day"] == row["alone"]


def test_two_that_want_the_same_day_get_two() -> None:
    rows = plan([machine("a", 40.0), machine("b", 40.0)], Costs(unplanned=20.0))
    assert abs(rows[0]["day"] - rows[1]["day"]) == 1


def test_nothing_begins_before_the_parts_are_there() -> None:
    (row,) = plan([machine("a", 3.0)], Costs(lead=7.0))
    assert row["day"] >= 7


def test_a_machine_that_lasts_beyond_the_horizon_is_left_out() -> None:
    assert plan([machine("a", 4_000.0)], Costs(horizon=60)) == []


def test_too_few_crews_are_said() -> None:
    fleet = [machine(str(i), 5.0) for i in range(40)]
    with pytest.raises(InvalidInput, match="crews"):
        plan(fleet, Costs(horizon=20))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(3, 30), min_size=2, max_size=4), st.sampled_from([1.0, 2.0]))
def test_no_order_of_service_is_cheaper(medians: list[float], days: float) -> None:
    fleet = [machine(str(i), m) for i, m in enumerate(medians)]
    costs = Costs(unplanned=10.0, planned_days=days, horizon=60)
    rows = {row["twin"]: row["day"] for row in plan(fleet, costs)}
    taken = sorted(rows.values())
    assert (np.diff(taken) >= days).all()
    tables = {left.twin: cost_by_day(left, costs) for left in fleet}
    mine = sum(tables[t][d] for t, d in rows.items())
    for order in permutations(rows):
        swapped = sum(tables[t][d] for t, d in zip(order, rows.values(), strict=True))
        assert mine <= swapped + 1e-9
