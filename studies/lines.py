"""Bottlenecks of 50 random lines: does the chosen change raise throughput, and what is lost by it?

The plant is richer than the twin's model: lognormal cycles and stops of two kinds, against gamma
cycles and exponential stops. The twin sees one run of telemetry (2,000 jobs), estimates its
stations from it, tries every change on common draws and picks one. The truth is every change on
long runs of the plant. Baseline: the station that is at work or down most (for buffers: its side
with the busier neighbour), from the same telemetry.

Marks, written before the first run: the chosen change raises throughput (95 % interval of the
paired gain above 0) on >= 95 % of the lines; mean regret <= 2 % of the best gain's throughput; not
worse than the utilisation rule in both. Regret is (best gain - gain of the choice) / throughput.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.services.lines import Change, Draws, Line, Station, changes, draw, tried
from gemel.services.lines.serial import Variant, simulate
from studies import Options

STATIONS = 5
MARKS = {"raises": 0.95, "regret": 0.02}
AMOUNTS = {"station": 0.10, "buffer": 4}
TELEMETRY_JOBS = 2_000
TWO_KINDS = (0.85, 0.5, 3.8333)
"""Share of short stops, and how long short and long ones are in means: together a mean of 1."""


def run(options: Options) -> dict[str, Any]:
    lines = 5 if options.small else 50
    jobs, repetitions = (600, 10) if options.small else (3_000, 30)
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in AMOUNTS}
    for number in range(lines):
        seeds = np.random.SeedSequence([options.seed, number]).spawn(4)
        random = [np.random.default_rng(seed) for seed in seeds]
        plant = random_line(random[0])
        twin, load = _learnt(plant, random[1])
        truth_draws = rich(plant, jobs, repetitions, random[2])
        twin_draws = draw(twin, jobs // 2, 20, random[3])
        for kind, amount in AMOUNTS.items():
            choices = changes(plant, kind, amount)
            base, truth = tried(plant, truth_draws, choices, jobs // 10)
            _, guess = tried(twin, twin_draws, choices, jobs // 20)
            rule = by_load(load, kind, amount)
            found[kind].append(_judged(base, truth, guess[0].change, rule))
    kinds = {kind: _summary(rows) for kind, rows in found.items()}
    return {
        "lines": lines,
        "stations": STATIONS,
        "telemetryJobs": TELEMETRY_JOBS,
        "marks": MARKS,
        **kinds,
        "met": all(
            one["twin"]["raises"] >= MARKS["raises"] and one["twin"]["regret"] <= MARKS["regret"]
            for one in kinds.values()
        ),
    }


def random_line(random: np.random.Generator) -> Line:
    """Five stations within 15 % of each other, stops of 2 to 12 % of the time, 0 to 8 places."""
    stations = []
    for i in range(STATIONS):
        cycle = 10 * random.uniform(0.85, 1.15)
        stop = random.uniform(20, 120)
        share = random.uniform(0.02, 0.12)
        stations.append(
            Station(f"s{i + 1}", cycle, random.uniform(0.1, 0.5), stop * (1 - share) / share, stop)
        )
    return Line(tuple(stations), tuple(int(b) for b in random.integers(0, 9, STATIONS - 1)))


def rich(line: Line, jobs: int, repetitions: int, random: np.random.Generator) -> Draws:
    """The plant's own times: lognormal cycles, short and long stops."""
    shape = (jobs, repetitions)
    work, stops = [], []
    share, short, long = TWO_KINDS
    for one in line.stations:
        width = np.sqrt(np.log1p(one.spread**2))
        cycles = one.cycle * np.exp(random.normal(-(width**2) / 2, width, shape))
        count = random.poisson(cycles / one.between)
        few = random.binomial(count, share)
        times = short * random.standard_gamma(few) + long * random.standard_gamma(count - few)
        work.append(cycles)
        stops.append(times * one.stop)
    return Draws(np.stack(work, axis=1), np.stack(stops, axis=1))


def _learnt(plant: Line, random: np.random.Generator) -> tuple[Line, np.ndarray]:
    """The line as telemetry tells it, and how much each station was at work or down."""
    seen = rich(plant, TELEMETRY_JOBS, 1, random)
    ran = simulate(seen, [Variant(plant.buffers, (1.0,) * STATIONS)], TELEMETRY_JOBS // 10)
    load = (ran.busy + ran.down)[0, :, 0]
    stations = []
    for i, one in enumerate(plant.stations):
        work, stops = seen.work[:, i, 0], seen.stops[:, i, 0]
        number = max(int((stops > 0).sum()), 1)
        stations.append(
            Station(
                one.name,
                float(work.mean()),
                float(work.std() / work.mean()),
                float(work.sum() / number),
                float(stops.sum() / number),
            )
        )
    return Line(tuple(stations), plant.buffers), load


def by_load(load: np.ndarray, kind: str, amount: float) -> Change:
    """The station at work or down most; for buffers the side of its busier neighbour."""
    at = int(np.argmax(load))
    if kind == "buffer":
        front, behind = (load[k] if 0 <= k < len(load) else -1.0 for k in (at - 1, at + 1))
        at = at - 1 if front >= behind else at
    return Change(kind, at, amount)


def _judged(base: Any, truth: Any, guess: Any, rule: Any) -> dict[str, float]:
    throughput = float(base.throughput[0].mean())
    by_place = {row.change.at: row for row in truth}
    best = truth[0].gain
    row: dict[str, float] = {"bestGain": best / throughput}
    for name, choice in (("twin", guess), ("rule", rule)):
        made = by_place[choice.at]
        row[f"{name}Raises"] = float(made.low > 0)
        row[f"{name}Regret"] = (best - made.gain) / throughput
        row[f"{name}Best"] = float(made is truth[0])
        row[f"{name}Gain"] = made.gain / throughput
    anything = np.mean([r.gain for r in truth])
    return row | {"anyRegret": (best - float(anything)) / throughput}


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    def mean(name: str) -> float:
        return float(np.mean([row[name] for row in rows]))

    difference = np.array([row["ruleRegret"] - row["twinRegret"] for row in rows])
    half = 1.96 * difference.std(ddof=1) / np.sqrt(len(rows))
    return {
        "bestGain": mean("bestGain"),
        "anyChangeRegret": mean("anyRegret"),
        **{
            name: {
                "raises": mean(f"{key}Raises"),
                "isTheBest": mean(f"{key}Best"),
                "gain": mean(f"{key}Gain"),
                "regret": mean(f"{key}Regret"),
                "worstRegret": max(row[f"{key}Regret"] for row in rows),
            }
            for name, key in (("twin", "twin"), ("highestUtilisation", "rule"))
        },
        "regretSaved": [float(difference.mean() - half), float(difference.mean() + half)],
    }
