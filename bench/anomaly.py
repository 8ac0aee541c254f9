"""What anomaly detection costs: one tick of 10,000 signals, against a plain loop and river.

scripts/bench anomaly [--json] [--signals N]. Medians over ticks, wall and CPU time of this process;
`spaces` has principal components of every twin besides; `mixed` ticks hold readings of two spans in
random order, as from devices that are not in step. river is measured if it is installed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
from against.rows import parser, tell

from gemel.app.memory import keep_freed
from gemel.services.anomaly.kind import KIND
from gemel.services.anomaly.learning import learn
from gemel.services.anomaly.live import AnomalyDetector
from gemel.services.contract import Column, Instance, Job, Readings, Setup, Signal
from gemel.services.schema import completed

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
SIGNALS_A_TWIN = 10
WARM, TICKS, SLOW_TICKS = 150, 60, 5


def detector(signals: int, with_spaces: bool) -> AnomalyDetector:
    twins = tuple(f"twin-{i:05}" for i in range(signals // SIGNALS_A_TWIN))
    every = tuple(Signal(t, f"s{k}") for t in twins for k in range(SIGNALS_A_TWIN))
    instance = Instance("bench", "anomaly", twins, completed(KIND.parameters, {}), every)
    if not with_spaces:
        return AnomalyDetector(Setup(instance))
    random = np.random.default_rng(1)
    stamps = BEGIN - (np.arange(200)[::-1] + 1) * SECOND
    columns = [Column(stamps, random.normal(10, 1, 200)) for _ in every]
    run = KIND.run("learn")
    job = Job(instance, completed(run.parameters, {}), every, columns)
    return AnomalyDetector(Setup(instance, learn(job, lambda *_: None).fit))


def ticks(signals: int, count: int, mixed: bool) -> list[Readings]:
    random = np.random.default_rng(2)
    found = []
    for i in range(count):
        slot = np.arange(signals, dtype=np.int32)
        when = np.full(signals, BEGIN + i * SECOND, np.int64)
        if mixed:
            when += (random.integers(0, 2, signals // SIGNALS_A_TWIN) * SECOND // 2).repeat(
                SIGNALS_A_TWIN
            )
            order = random.permutation(signals)
            slot, when = slot[order], when[order] + SECOND // 2
        found.append(Readings(slot, when, random.normal(10, 1, signals)))
    return found


def measured(act: Callable[[Any], Any], given: list[Any], warm: int) -> dict[str, float]:
    for one in given[:warm]:
        act(one)
    wall, cpu = [], []
    for one in given[warm:]:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        act(one)
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - begin_cpu)
    return {
        "ms": round(median(wall) * 1e3, 4),
        "cpuMs": round(median(cpu) * 1e3, 4),
        "ticks": len(wall),
    }


class Loop:
    """The same two statistics, one signal after another in plain Python."""

    def __init__(self, signals: int) -> None:
        self.state = [[0, 0.0, 0.0, 0.0] for _ in range(signals)]

    def tick(self, readings: Readings) -> float:
        worst = 0.0
        state = self.state
        for slot, value in zip(readings.slot.tolist(), readings.value.tolist(), strict=True):
            one = state[slot]
            one[0] += 1
            rate = max(1 / one[0], 1e-4)
            deviation = math.sqrt(one[2]) or 1e-9
            z = (value - one[1]) / deviation
            one[3] += 0.1 * (z - one[3])
            if one[0] > 120:
                worst = max(worst, abs(z), abs(one[3]) / 0.23)
            step = max(-3.0, min(3.0, z)) * deviation if one[0] > 120 else value - one[1]
            one[1] += rate * step
            one[2] = (1 - rate) * (one[2] + rate * step * step)
        return worst


def river_tick(signals: int) -> Callable[[Readings], None] | None:
    try:
        from river import anomaly
    except ImportError:
        return None
    models = [anomaly.GaussianScorer(grace_period=120) for _ in range(signals)]

    def tick(readings: Readings) -> None:
        for slot, value in zip(readings.slot.tolist(), readings.value.tolist(), strict=True):
            models[slot].score_one(None, value)
            models[slot].learn_one(None, value)

    return tick


def run(signals: int) -> Iterator[dict[str, Any]]:
    keep_freed()  # as the server does
    size = {"signals": signals, "twins": signals // SIGNALS_A_TWIN}
    for name, with_spaces, mixed in (
        ("gemel", False, False),
        ("gemelSpaces", True, False),
        ("gemelMixed", False, True),
        ("gemelSpacesMixed", True, True),
    ):
        live = detector(signals, with_spaces)
        figures = measured(live.update, ticks(signals, WARM + TICKS, mixed), WARM)
        yield {"name": name, **size, **figures}
    some = ticks(signals, 1 + SLOW_TICKS, False)
    yield {"name": "plainLoop", **size, **measured(Loop(signals).tick, some, 1)}
    tick = river_tick(signals)
    river = measured(tick, some, 1) if tick else {"note": "river is not installed"}
    yield {"name": "riverGaussian", **size, **river}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--signals", type=int, default=10_000)
    given = made.parse_args()
    tell(run(given.signals), given.json)


if __name__ == "__main__":
    main()
