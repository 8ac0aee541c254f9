"""The live part of anomaly detection: samples and rounds, whatever way readings arrive."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.clock import SECOND
from gemel.services.anomaly.kind import KIND
from gemel.services.anomaly.learning import learn
from gemel.services.anomaly.live import AnomalyDetector
from gemel.services.contract import Column, Fit, Found, Instance, Job, Readings, Setup, Signal
from gemel.services.packing import unpack
from gemel.services.schema import completed

TWINS, PATHS = ("a", "b", "c"), ("x", "y")
SIGNALS = tuple(Signal(twin, path) for twin in TWINS for path in PATHS)
BEGIN = 1_700_000_000 * SECOND
QUICK = {"warmup": 10, "hold": 0, "quiet": 0.3, "every": 0.5}
INSTANCE = Instance("watch", "anomaly", TWINS, completed(KIND.parameters, QUICK), SIGNALS)

row = st.tuples(
    st.integers(0, len(SIGNALS) - 1),
    st.integers(0, 40).map(lambda tenths: tenths * SECOND // 10),
    st.integers(-3, 3).map(float) | st.just(1e6),
)


@cache
def learnt() -> Fit | None:
    random = np.random.default_rng(1)
    stamps = BEGIN - (np.arange(200)[::-1] + 1) * SECOND
    columns = [Column(stamps, random.normal(0, 1, 200)) for _ in SIGNALS]
    run = KIND.run("learn")
    assert run is not None
    return learn(
        Job(INSTANCE, completed(run.parameters, {}), SIGNALS, columns), lambda *_: None
    ).fit


def test_samples_are_learnt_as_wide_as_the_service_takes_them() -> None:
    stamps = BEGIN - (np.arange(200)[::-1] + 1) * SECOND
    random = np.random.default_rng(1)
    columns = [Column(stamps, random.normal(0, 1, 200)) for _ in SIGNALS]
    run = KIND.run("learn")
    assert run is not None
    asked = completed(run.parameters, {})
    spaces = []
    for seconds in (1.0, 10.0):
        parameters = completed(KIND.parameters, {**QUICK, "sample": seconds})
        instance = Instance("watch", "anomaly", TWINS, parameters, SIGNALS)
        found = learn(Job(instance, asked, SIGNALS, columns), lambda *_: None)
        spaces.append(found.document["spaces"])
    assert spaces == [3, 0], "200 seconds are 20 samples of 10, too few for a space"


def detector(with_spaces: bool) -> AnomalyDetector:
    if not with_spaces:
        live = AnomalyDetector(Setup(INSTANCE))
        normal = [(slot, -second, slot % 2) for second in range(12, 0, -1) for slot in range(6)]
        live.update(readings([(slot, at * SECOND, float(value)) for slot, at, value in normal]))
        return live
    return AnomalyDetector(Setup(INSTANCE, learnt()))


def readings(rows: list[tuple[int, int, float]]) -> Readings:
    return Readings(
        np.array([slot for slot, _, _ in rows], np.int32),
        np.array([BEGIN + after for _, after, _ in rows], np.int64),
        np.array([value for _, _, value in rows]),
    )


def told(founds: list[Found]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    outputs = [
        (int(twin), int(time), round(float(value), 9))
        for found in founds
        for twin, time, value in zip(
            found.outputs.twin, found.outputs.time, found.outputs.value, strict=True
        )
    ]
    notices = [(n.twin, n.kind, n.time, repr(n.details)) for found in founds for n in found.notices]
    return sorted(outputs), sorted(notices)


@given(st.lists(row, min_size=1, max_size=30), st.lists(st.integers(1, 29)), st.booleans())
def test_cuts_between_updates_change_nothing(
    rows: list[tuple[int, int, float]], cuts: list[int], with_spaces: bool
) -> None:
    whole, parts = detector(with_spaces), detector(with_spaces)
    at = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    once = [whole.update(readings(rows))]
    often = [parts.update(readings(rows[begin:end])) for begin, end in pairwise(at)]
    assert told(once) == told(often)
    before, after = unpack(whole.snapshot())[1], unpack(parts.snapshot())[1]
    for name, column in before.items():
        np.testing.assert_allclose(column, after[name], rtol=1e-9, err_msg=name)


def test_an_excursion_names_the_signals_that_made_it() -> None:
    live = detector(with_spaces=False)
    quiet = [
        (slot, at * SECOND, float(slot % 2)) for at in range(5) for slot in range(len(SIGNALS))
    ]
    loud = [(2, 5 * SECOND, 1e6), (3, 5 * SECOND, 1.0), (2, 6 * SECOND, 0.0)]
    (notice,) = live.update(readings(quiet + loud)).notices
    assert (notice.twin, notice.kind) == ("b", "raise")
    assert notice.details["contributions"][0]["property"] == "x"
