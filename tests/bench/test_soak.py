"""The verdict of a soak."""

from __future__ import annotations

import random

import pytest
from bench.against.flat import verdict


def samples(grown_mb: float, grown_lag: float) -> list[dict[str, float]]:
    chance = random.Random(7)
    return [
        {
            "minute": i / 6,
            "rss_mb": 200 + grown_mb * i / 144 + chance.uniform(-8, 8),
            "lag_s": 0.02 + grown_lag * i / 144 + chance.uniform(0, 0.01),
        }
        for i in range(180)
    ]


@pytest.mark.parametrize(
    ("grown_mb", "grown_lag", "is_flat"),
    [(0, 0, (True, True)), (60, 0, (False, True)), (0, 2, (True, False)), (10, 0.1, (True, True))],
)
def test_what_grows_is_not_flat(
    grown_mb: float, grown_lag: float, is_flat: tuple[bool, bool]
) -> None:
    found = verdict(samples(grown_mb, grown_lag))
    assert (found["memory_least"]["is_flat"], found["lag"]["is_flat"]) == is_flat
    assert found["memory_most"]["is_flat"] == is_flat[0]


def test_what_grows_only_at_first_is_flat() -> None:
    first = [{**one, "rss_mb": 100 + 3 * i} for i, one in enumerate(samples(0, 0)[:36])]
    found = verdict(first + samples(0, 0)[36:])
    assert found["memory_least"]["is_flat"]
    assert found["memory_most"]["is_flat"]


@pytest.mark.parametrize("grown_mb", [0, 60])
def test_what_merges_take_and_give_back_is_no_growth(grown_mb: float) -> None:
    """More and more of the samples are taken while a merge runs."""
    found = samples(grown_mb, 0)
    for i, one in enumerate(found):
        one["rss_mb"] += 100 * (i % 10 < i / 20)
    verdicts = verdict(found)
    is_flat = not grown_mb
    assert verdicts["memory_least"]["is_flat"] == is_flat
    assert verdicts["memory_most"]["is_flat"] == is_flat
