from __future__ import annotations

import numpy as np
import pytest

from gemel.core.errors import ConfigInvalid
from gemel.load.plan import ROWS, Plan

START = 1_763_799_000_000_000


def test_values_are_four_characters_and_exact() -> None:
    values = Plan(3, 2, 12, START, 1_000, seed=5).values()
    assert values.shape == (ROWS, 12)
    texts = {f"{value:.1f}" for value in values.flat}
    assert {len(text) for text in texts} == {4}
    assert {float(text) for text in texts} == set(values.flat)
    assert len(texts) > 700


def test_a_seed_changes_the_values() -> None:
    first, second = (Plan(1, 1, 4, START, 1, seed=s).values() for s in (1, 2))
    assert (first != second).any()


@pytest.mark.parametrize("devices", [1, 5, 7])
def test_every_device_belongs_to_one_connection(devices: int) -> None:
    plan = Plan(devices, min(3, devices), 1, START, 1)
    found = [d for c in range(plan.connections) for d in plan.devices_of(c)]
    assert sorted(found) == list(range(devices))
    for device in found:
        connection, place, count = plan.connection_of(device)
        assert plan.devices_of(connection)[place] == device
        assert count == len(plan.devices_of(connection))


def test_times_at_a_rate_follow_each_other_over_all_connections() -> None:
    plan = Plan(4, 4, 1, START, 4_000, 1_000)
    times = np.concatenate([plan.times(c, np.arange(3)) for c in range(4)])
    assert sorted(times.tolist()) == list(range(START, START + 12_000, 1_000))


@pytest.mark.parametrize(
    ("devices", "connections", "readings", "start"),
    [(0, 1, 1, START), (1, 2, 1, START), (1, 1, 0, START), (1, 1, 1, 5), (100_001, 1, 1, START)],
)
def test_a_plan_that_cannot_be_is_refused(
    devices: int, connections: int, readings: int, start: int
) -> None:
    with pytest.raises(ConfigInvalid):
        Plan(devices, connections, readings, start, 1)
