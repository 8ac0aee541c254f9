"""Wishes against reports: a table of who wins."""

from __future__ import annotations

import pytest

from gemel.commands.desired import asked, delta, judged
from gemel.core.clock import SECOND

NOW = 1_700_000_000 * SECOND


def wish(state: str = "pending", before: object = 20.0) -> dict[str, object]:
    return {**asked(70, "ann", NOW, before, 0.5), "state": state}


@pytest.mark.parametrize(
    ("state", "before", "value", "age", "outcomes"),
    [
        ("pending", 20.0, 70.3, 1, ("settled", "settled", "settled")),
        ("pending", 20.0, 20.2, 1, ("pending", "pending", "pending")),
        ("pending", None, 20.0, 1, ("pending", "pending", "pending")),
        ("pending", 20.0, 40.0, 1, ("pending", "overruled", "overruled")),
        ("pending", 20.0, 40.0, -1, ("pending", "overruled", "pending")),
        ("settled", 70.0, 40.0, 1, ("pending", "overruled", "overruled")),
        ("settled", 70.0, 40.0, -1, ("pending", "overruled", "pending")),
        ("settled", 70.0, 70.0, 1, ("settled", "settled", "settled")),
    ],
)
def test_who_wins(state, before, value, age: int, outcomes: tuple[str, str, str]) -> None:
    rules = ("platform", "device", "newest")
    time = NOW + age * SECOND
    assert tuple(judged(wish(state, before), value, time, r, 0.5) for r in rules) == outcomes


def test_the_device_is_told_what_it_does_not_report() -> None:
    found = {"a": asked(1, "ann", NOW, 1.0, 0), "b": asked("x", "ann", NOW, None, 0)}
    assert [w["state"] for w in found.values()] == ["settled", "pending"]
    assert delta(found) == {"b": "x"}
