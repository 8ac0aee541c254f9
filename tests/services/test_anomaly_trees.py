"""Half-space trees: combinations that no signal alone shows, and a state that goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.anomaly import trees
from gemel.services.anomaly.kind import KIND
from gemel.services.anomaly.live import AnomalyDetector
from gemel.services.contract import Found, Instance, Readings, Setup, Signal
from gemel.services.schema import completed

pytest.importorskip("river", reason="needs river (scripts/setup dev)")
SECOND = 10**9
TWINS = ("a", "b")
SIGNALS = tuple(Signal(t, p) for t in TWINS for p in ("flow", "head"))
GIVEN = {"trees": True, "hold": 0, "warmup": 20, "every": 0, "sigmas": 8}


def made(**given: Any) -> AnomalyDetector:
    parameters = completed(KIND.parameters, {**GIVEN, **given})
    KIND.check(parameters, {})
    return AnomalyDetector(Setup(Instance("watch", "anomaly", TWINS, parameters, SIGNALS)))


def readings(samples: int, odd: range = range(0), seed: int = 1) -> Readings:
    """Two ways of running: both low or both high; `odd` ones of twin a are low and high."""
    random = np.random.default_rng(seed)
    mode = random.integers(0, 2, (samples, 2))
    value = np.repeat(10.0 * mode, 2, axis=1)
    value[odd, 0], value[odd, 1] = 0.0, 10.0
    value += random.normal(0, 0.5, value.shape)
    time = np.repeat(np.arange(samples), 4) * SECOND
    return Readings(np.tile(np.arange(4, dtype=np.int32), samples), time, value.reshape(-1))


def part(given: Readings, begin: int, end: int) -> Readings:
    cut = slice(begin, end)
    return Readings(given.slot[cut], given.time[cut], given.value[cut])


def rows(founds: list[Found]) -> list[tuple[int, int, float]]:
    return sorted(
        (int(t), int(when), float(v))
        for f in founds
        for t, when, v in zip(f.outputs.twin, f.outputs.time, f.outputs.value, strict=True)
    )


def test_a_combination_that_never_was_is_told_and_no_signal_alone_shows_it() -> None:
    odd = range(980, 990)
    found = made().update(readings(1_000, odd))
    raised = [n for n in found.notices if n.kind == "raise"]
    assert [n.twin for n in raised] == ["a"]
    assert raised[0].details["statistic"] == "trees"
    assert raised[0].time // SECOND in odd
    assert not made(trees=False).update(readings(1_000, odd)).notices


def test_what_stays_as_it_was_is_left_alone() -> None:
    assert not made().update(readings(1_500, seed=2)).notices


def test_cuts_and_restarts_change_nothing() -> None:
    given = readings(560)
    whole = rows([made().update(given)])
    live, founds = made(), []
    for begin in range(0, len(given), 601):
        founds.append(live.update(part(given, begin, begin + 601)))
        again = made()
        again.restore(live.snapshot())
        live = again
    assert rows(founds) == whole


def test_a_twin_that_is_new_begins_anew_and_the_others_go_on() -> None:
    before = made()
    before.update(readings(300))
    parameters = completed(KIND.parameters, GIVEN)
    signals = tuple(Signal(t, p) for t in ("b", "c") for p in ("flow", "head"))
    live = AnomalyDetector(Setup(Instance("watch", "anomaly", ("b", "c"), parameters, signals)))
    live.restore(before.snapshot())
    assert live.forests is not None
    assert before.forests is not None
    assert live.forests.seen.tolist() == [before.forests.seen[1], 0]
    np.testing.assert_array_equal(
        live.forests.arrays()["masses"][0], before.forests.arrays()["masses"][1]
    )


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="river") as raised:
        KIND.check(completed(KIND.parameters, GIVEN), {})
    assert "gemel[river]" in raised.value.hint
