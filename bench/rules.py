"""What rules cost: `react` a batch and `tick`, for 1,000 to 50,000 instances.

python bench/rules.py [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

import numpy as np

from gemel.core.batch import Batch
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.rule import load_rule
from gemel.services.rules.whole import Span

SIGNALS = 50_000
SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
WHEN = "temperature > 80 °C deadband 2 °C for 5 minutes off for 30 s"
PROPERTIES = {"temperature": PropertyShape("number", "degreeCelsius")}


def engine_with(instances: int) -> RuleEngine:
    document = {"model": "dtmi:bench:Motor;1", "when": WHEN, "priority": 2, "title": "hot"}
    engine = RuleEngine()
    rule = load_rule("hot", document, PROPERTIES)
    engine.set_rule(rule, [(f"motor-{i}", {"temperature": i}) for i in range(instances)])
    return engine


def batch_at(second: int, low: float, high: float, size: int = SIGNALS) -> Batch:
    chance = np.random.default_rng(second)
    now = BEGIN + second * SECOND
    series = np.arange(SIGNALS, dtype=np.int32)
    if size < SIGNALS:
        series = chance.choice(series, size, replace=False)
    return Batch(
        series,
        np.full(size, now, np.int64),
        chance.uniform(low, high, size),
        np.zeros(size, np.uint8),
        now,
    )


def milliseconds(act, arguments) -> float:
    taken = []
    for argument in arguments:
        begin = time.perf_counter()
        act(argument)
        taken.append(time.perf_counter() - begin)
    return 1_000 * median(taken)


def ticked_when_all_are_due(engine: RuleEngine, second: int) -> float:
    """One tick that must look at every instance: all have run out of time, their twins silent."""
    engine.react(batch_at(second, 20, 70))
    engine.react(batch_at(second + 60, 81, 100))
    return milliseconds(engine.tick, [BEGIN + (second + 400) * SECOND])


def measure(instances: int) -> dict[str, float]:
    engine = engine_with(instances)
    engine.react(batch_at(0, 20, 70))
    quiet = milliseconds(engine.react, [batch_at(s, 20, 70) for s in range(1, 21)])
    few = milliseconds(engine.react, [batch_at(s, 20, 70, 100) for s in range(21, 41)])
    pending = milliseconds(engine.react, [batch_at(s, 60, 100) for s in range(41, 61)])
    engine.react(batch_at(61, 81, 100))
    tick = milliseconds(engine.tick, [BEGIN + s * SECOND for s in range(62, 82)])
    begin = time.perf_counter()
    flips = len(engine.react(batch_at(400, 81, 100)))
    storm = 1_000 * (time.perf_counter() - begin)
    stale = [ticked_when_all_are_due(engine, 1_000 * i) for i in range(1, 6)]
    backfill = Batch(
        np.tile(np.arange(50, dtype=np.int32), 1_000),
        np.repeat(BEGIN + np.arange(9_500, 10_500) * SECOND, 50),
        np.random.default_rng(1).uniform(20, 90, 50_000),
        np.zeros(50_000, np.uint8),
        BEGIN + 10_500 * SECOND,
    )
    late = milliseconds(engine.react, [backfill])
    begin = time.perf_counter()
    size = len(engine.snapshot())
    return {
        "instances": instances,
        "react_50k_quiet_ms": round(quiet, 3),
        "react_50k_quiet_ns_per_instance": round(1e6 * quiet / instances, 1),
        "react_50k_half_hot_ms": round(pending, 3),
        "react_100_readings_ms": round(few, 3),
        "tick_none_due_ms": round(tick, 3),
        "tick_all_due_ms": round(median(stale), 3),
        "tick_all_due_ns_per_instance": round(1e6 * median(stale) / instances, 1),
        "storm_raises": flips,
        "storm_ms": round(storm, 1),
        "backfill_50_series_x_1000_ms": round(late, 1),
        "snapshot_ms": round(1_000 * (time.perf_counter() - begin), 1),
        "snapshot_mb": round(size / 1e6, 2),
    }


CLOCKED = {
    "mean over 10 min": "mean of temperature over 10 min > 80 °C for 1 min",
    "mean over 1 min": "mean of temperature over 1 min > 80 °C",
    "rises within 10 min": "temperature rises by more than 60 °C within 10 min",
    "rate over 1 min": "rate of temperature > 3000 °C/min",
    "rate, many alarms": "rate of temperature > 300 °C/min",
    "no data for 5 min": "no temperature for 5 min",
    "p95 over 10 min": "95th percentile of temperature over 10 min > 80 °C",
}


def clocked_tick(when: str, instances: int, seconds: int = 40) -> dict[str, float]:
    """What a second costs, all in: 50,000 readings taken in and all instances judged."""
    document = {"model": "dtmi:bench:Motor;1", "when": when}
    engine = RuleEngine()
    rule = load_rule("clocked", document, PROPERTIES)
    engine.set_rule(rule, [(f"motor-{i}", {"temperature": i}) for i in range(instances)])
    engine.react(batch_at(0, 20, 70))
    taken = []
    for second in range(1, seconds + 1):
        batch = batch_at(second, 20, 70)
        begin = time.perf_counter()
        engine.react(batch)
        engine.tick(batch.received)
        taken.append(1_000 * (time.perf_counter() - begin))
    return {
        "median_ms": round(median(taken), 2),
        "mean_ms": round(sum(taken) / len(taken), 2),
        "worst_ms": round(max(taken), 1),
    }


def backtest_rate(when: str, readings: int = 2_000_000) -> float:
    """Readings a second of one core, without reading the history."""
    rule = load_rule("tested", {"model": "m", "when": when}, PROPERTIES)
    at = BEGIN + np.arange(readings) * SECOND
    value = np.random.default_rng(1).normal(60, 10, readings)
    best = 0.0
    for _ in range(3):
        span = Span(lambda *_: (at, value), int(at[0]), int(at[-1]))
        begin = time.perf_counter()
        span.judge(rule, "x")
        best = max(best, readings / (time.perf_counter() - begin))
    return best


def print_clocked() -> None:
    names = ("median_ms", "mean_ms", "worst_ms")
    head = "".join(f"{name.replace('_', ' '):>10}" for name in names)
    print(f"\n{'a second of 50,000 readings':36}{'instances':>10}{head}")
    for name, when in CLOCKED.items():
        for instances in (1_000, 10_000, 50_000):
            found = clocked_tick(when, instances)
            figures = "".join(f"{found[one]:>10}" for one in names)
            print(f"{name:36}{instances:>10,}{figures}")
    print(f"\n{'back-test, one core':36}{'million readings/s':>20}")
    for name, when in {"threshold for 5 min": WHEN, **CLOCKED}.items():
        print(f"{name:36}{backtest_rate(when) / 1e6:>20.2f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    as_json = arguments.parse_args().json
    results = [measure(n) for n in (1_000, 10_000, 50_000)]
    if as_json:
        print(json.dumps(results))
        return
    for name in results[0]:
        print(f"{name:36}" + "".join(f"{r[name]:>14,}" for r in results))
    print_clocked()


if __name__ == "__main__":
    main()
