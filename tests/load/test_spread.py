"""A load that several processes share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import ConfigInvalid
from gemel.load.generator import Pace, Tally
from gemel.load.plan import Plan
from gemel.load.spread import shares, together

START = 1_763_799_000_000_000


@given(
    devices=st.integers(1, 40), connections=st.integers(1, 40), count=st.integers(1, 8),
    rate=st.sampled_from((0.0, 500.0)),
)  # fmt: skip
def test_every_device_is_in_one_share(
    devices: int, connections: int, count: int, rate: float
) -> None:
    plan = Plan(devices, min(connections, devices), 2, START, 1_000)
    if count > plan.connections:
        with pytest.raises(ConfigInvalid, match="--processes"):
            shares(plan, Pace(rate=rate), count)
        return
    parts = shares(plan, Pace(rate=rate), count)
    names = [part.name(device) for part, _ in parts for device in range(part.devices)]
    assert names == [plan.name(device) for device in range(devices)]
    assert sum(part.connections for part, _ in parts) == plan.connections
    assert sum(pace.rate for _, pace in parts) == pytest.approx(rate)


def test_tallies_are_counted_together_from_the_first_to_the_last_moment() -> None:
    first = Tally(sent=5, acknowledged=5, began=2_000_000_000, seconds=1.0, cpu_s=0.5)
    second = Tally(sent=7, acknowledged=6, began=2_500_000_000, seconds=2.0, cpu_s=0.25)
    second.problem, second.delays = "the server took nothing for 1 s", [0.1]
    both = together([first, second])
    assert (both.sent, both.acknowledged, both.began) == (12, 11, 2_000_000_000)
    assert (both.seconds, both.cpu_s, both.delays) == (2.5, 0.75, [0.1])
    assert both.problem == second.problem
