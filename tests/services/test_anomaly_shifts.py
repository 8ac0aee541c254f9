"""T2 of running means: small shifts that last, of several signals at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.services.anomaly.kind import KIND
from gemel.services.anomaly.learning import learn
from gemel.services.anomaly.live import AnomalyDetector
from gemel.services.anomaly.multivariate import STATISTICS, Multivariate, learn_space
from gemel.services.anomaly.shifts import ewma
from gemel.services.contract import Column, Fit, Instance, Job, Readings, Setup, Signal
from gemel.services.packing import pack, unpack
from gemel.services.schema import completed

WEIGHT = 0.1
BEGIN = 1_700_000_000 * SECOND
PATHS = tuple("abcdef")
INSTANCE = Instance(
    "watch",
    "anomaly",
    ("pump",),
    completed(KIND.parameters, {}),
    tuple(Signal("pump", path) for path in PATHS),
)
ONLY = np.zeros(1, np.intp)


def normal(seed: int, count: int) -> F64:
    """Six signals that share one cause."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(count, 1))
    return 20 + 0.7 * shared + 0.7 * random.normal(size=(count, len(PATHS)))


def learnt() -> Fit:
    table = normal(1, 1000)
    stamps = BEGIN - (np.arange(len(table))[::-1] + 1) * SECOND
    run = KIND.run("learn")
    assert run is not None
    columns = [Column(stamps, column.copy()) for column in table.T]
    given = completed(run.parameters, {"falseAlarms": 0.002})
    fit = learn(Job(INSTANCE, given, INSTANCE.signals, columns), lambda *_: None).fit
    assert fit is not None
    return fit


def readings(table: F64) -> Readings:
    count, width = table.shape
    times = BEGIN + np.repeat(np.arange(count), width) * SECOND
    return Readings(np.tile(np.arange(width, dtype=np.int32), count), times, table.reshape(-1))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200),
    st.floats(0.001, 1),
    st.floats(-10, 10),
)
def test_running_means_are_those_of_a_plain_loop(
    values: list[float], weight: float, start: float
) -> None:
    level, expected = start, []
    for value in values:
        level += weight * (value - level)
        expected.append(level)
    found = ewma(np.array(values), weight, start)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)
    table = ewma(np.array(values)[:, None], weight, start)
    np.testing.assert_allclose(table[:, 0], expected, rtol=1e-9, atol=1e-6)


def test_a_small_shift_of_one_signal_is_told_by_name() -> None:
    live = AnomalyDetector(Setup(INSTANCE, learnt()))
    table = normal(2, 200)
    table[100:, 3] += 1.2  # a bit more than one deviation
    (notice, *_) = live.update(readings(table)).notices
    assert notice.kind == "raise"
    assert notice.time >= BEGIN + 100 * SECOND
    assert notice.details["statistic"] == "t2-ewma"
    assert notice.details["contributions"][0]["property"] == "d"


def test_step_by_step_it_is_what_a_table_at_once_gives() -> None:
    space = learn_space(normal(1, 1000), 0.01, WEIGHT)
    together = Multivariate([space], [np.arange(len(PATHS))], WEIGHT)
    table = normal(3, 150)
    found = np.array([together.step(ONLY, sample)[0] for sample in table])
    np.testing.assert_allclose(found * space.limits, space.judged(table, WEIGHT), rtol=1e-9)
    last = found[-1, STATISTICS.index("t2-ewma")] * space.limits[-1]
    assert together.parts(0, "t2-ewma", table[-1]).sum() == pytest.approx(last)


def test_a_missing_signal_counts_as_its_mean() -> None:
    space = learn_space(normal(1, 1000), 0.01, WEIGHT)
    together = Multivariate([space], [np.arange(len(PATHS))], WEIGHT)
    sample = space.shifts.mean.copy()
    sample[2] = np.nan
    assert together.step(ONLY, sample)[0, -1] == pytest.approx(0, abs=1e-12)


def test_a_version_and_a_snapshot_from_before_are_read() -> None:
    fit = learnt()
    arrays = {n: a for n, a in fit.arrays.items() if n.split("/")[0] not in ("usual", "whitening")}
    arrays["limits/0"] = arrays["limits/0"][:3]
    old = AnomalyDetector(Setup(INSTANCE, replace(fit, arrays=arrays)))
    table = normal(2, 50)
    old.update(readings(table))
    assert old.together.shape == (1, len(STATISTICS))
    assert old.together[0, -1] == 0
    keys, columns = unpack(old.snapshot())
    before = {n: a for n, a in columns.items() if n != "m.shift"}
    before["together"] = before["together"][:, :3]
    new = AnomalyDetector(Setup(INSTANCE, fit))
    new.restore(pack(keys, before))
    np.testing.assert_array_equal(new.together[:, :3], before["together"])
    np.testing.assert_array_equal(new.statistics.ewma, old.statistics.ewma)
