"""Downtime of a fleet under one crew: run to failure, by age, a limit, the twin, an oracle.

Lives are replayed from engines that the model was not learnt from, and made by a plant of bearings;
each policy is tuned on other lives and other fleets than it is judged on. The oracle of wear knows
when each part would wear out, and no more than others of failures without a sign: the most that a
prediction can come to. Marks are in
studies/marks/downtime.json. A fleet runs through the real server too, day by day over MQTT, alarms
and work orders, and must come to the same jobs on the same days.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gemel.services.rul import learning
from gemel.services.rul.lives import Life, Paths
from gemel.services.rul.model import Model
from studies import Options
from studies._engines import PATHS, load
from studies._fleet import (
    BEARING,
    NEVER,
    Outcome,
    Part,
    Trigger,
    Work,
    bearings,
    fleet,
    share_down,
    simulate,
)

HOLD = 3
TWIN = "twin, two levels"
TUNING, JUDGING = 12, 40
T95 = {5: 2.776, 40: 2.023}
MARKS = Path(__file__).parent / "marks" / "downtime.json"
TURBINE = Paths(PATHS.values, PATHS.settings, "age", "failed")


@dataclass(frozen=True)
class Plant:
    """A plant with its model: lives to learn from, to tune on and to judge on."""

    name: str
    paths: Paths
    learnt: list[Life]
    tuning: list[Life]
    judging: list[Life]


@dataclass(frozen=True)
class Policy:
    """A family of triggers over a parameter that is tuned."""

    name: str
    grid: Sequence[Any]
    make: Callable[[Any], Trigger]


def run(options: Options) -> dict[str, Any]:
    marks = json.loads(MARKS.read_text("utf-8"))["marks"]
    work = Work(horizon=800 if options.small else 2_000)
    tuning, judging = (3, 5) if options.small else (TUNING, JUDGING)
    found: dict[str, Any] = {"work": vars(work), "fleets": {"tuned": tuning, "judged": judging}}
    plants = [turbines(options), bearing_plant(options)]
    for plant in plants:
        model, left_out = learnt(plant, options)
        rows = closed_loop(plant, model, work, tuning, judging, options.seed)
        rows["model"] = left_out
        rows["passed"] = passed(rows, marks[plant.name])
        found[plant.name] = rows
    from studies._downtime_platform import through_platform

    levels = found["turbines"]["policies"][TWIN]["parameter"]
    found["platform"] = through_platform(plants[0], levels, SETTINGS, options)
    return found


def turbines(options: Options) -> Plant:
    engines = load(options.folder("cmapss"), options.set or "FD001").train
    order = np.random.default_rng([options.seed, 5]).permutation(len(engines)).tolist()
    half, more = len(engines) // 2, len(engines) * 3 // 4
    lives = [engines[i] for i in order]
    return Plant("turbines", TURBINE, lives[:half], lives[half:more], lives[more:])


def bearing_plant(options: Options) -> Plant:
    made = bearings(160, options.seed)
    return Plant("bearings", BEARING, made[:60], made[60:110], made[110:])


def learnt(plant: Plant, options: Options) -> tuple[Model, Any]:
    settings = learning.Settings(trees=SETTINGS["trees"], folds=SETTINGS["folds"])
    order = ordered(plant.paths)
    lives = [replace(life, values=life.values[:, order]) for life in named(plant.learnt)]
    return learning.learn(lives, sorted_paths(plant.paths), settings, lambda share, what: None)


SETTINGS = {"trees": 120, "folds": 5}


def named(lives: Sequence[Life]) -> list[Life]:
    """With the names that they have as twins."""
    return [replace(life, twin=f"past-{i:03}") for i, life in enumerate(lives)]


def ordered(paths: Paths) -> list[int]:
    """The places of values in the order in which an instance of the service has them."""
    return [paths.values.index(path) for path in sorted(paths.values)]


def sorted_paths(paths: Paths) -> Paths:
    """As an instance of the service orders them."""
    return replace(paths, values=tuple(sorted(paths.values)))


# ---- policies ------------------------------------------------------------------------------------


def policies(plant: Plant, model: Model, lead: int) -> list[Policy]:
    known = Known(plant, model)
    longest = max(len(life) for life in plant.tuning)
    levels = [6, 9, 12, 15, 18, 21, 25, 30, 35, 40, 50, 60]
    pairs = [(order, due) for order in levels[4:] for due in levels if due <= order]
    return [
        Policy("run to failure", [None], lambda _: lambda part: NEVER),
        Policy("age", range(10, longest, 6), lambda age: lambda part: age),
        Policy("threshold", known.limits(), known.threshold),
        Policy("twin median", levels, lambda level: known.twin(1, level)),
        Policy("twin low end", levels, lambda level: known.twin(0, level)),
        Policy(TWIN, pairs, lambda pair: known.two_levels(*pair)),
        Policy("oracle of wear", range(11), lambda k: lambda part: max(1, part.worn - lead - k)),
        Policy("oracle", range(11), lambda k: lambda part: max(1, len(part) - lead - k)),
    ]


class Known:
    """What policies may know of a life: its readings so far."""

    def __init__(self, plant: Plant, model: Model) -> None:
        self.plant, self.model = plant, model
        order = sorted_paths(plant.paths).values
        self._order = ordered(plant.paths)
        self._keep = np.array([order.index(path) for path in model.paths], np.intp)
        self._days: dict[Any, Any] = {}
        self._smooth: dict[Any, Any] = {}

    def days(self, part: Part) -> tuple[np.ndarray, ...]:
        """Low, median and high at each age."""
        found = self._days.get(part.key)
        if found is None:
            life = replace(part.life, values=part.life.values[:, self._order])
            rows = learning.features_of(self.model, life, self._keep)
            found = self._days[part.key] = self.model.predict(rows)
        return found

    def twin(self, which: int, level: float) -> Trigger:
        def trigger(part: Part) -> int:
            return _held(self.days(part)[which] <= level)

        return trigger

    def two_levels(self, order: float, due: float) -> Trigger:
        """Parts are ordered when little is left, and wait until less is."""

        def trigger(part: Part) -> tuple[int, int]:
            left = self.days(part)[1]
            near = np.flatnonzero(left <= due)
            return _held(left <= order), int(near[0]) + 2 if len(near) else NEVER

        return trigger

    def limits(self) -> list[tuple[int, float, float]]:
        """(sensor, sign, limit) at shares of how far each sensor comes in the lives to tune on."""
        found = []
        for sensor in range(len(self.plant.paths.values)):
            paths = [_smooth(life, sensor) for life in self.plant.tuning]
            begin = np.concatenate([p[10:40] for p in paths])
            ends = np.array([p[-1] for p in paths])
            sign = 1.0 if np.median(ends) > np.median(begin) else -1.0
            gap = sign * (np.median(ends) - np.median(begin))
            if gap > 2 * begin.std():
                found += [
                    (sensor, sign, float(np.median(begin) + sign * share * gap))
                    for share in (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
                ]
        return found

    def threshold(self, given: tuple[int, float, float]) -> Trigger:
        sensor, sign, limit = given

        def trigger(part: Part) -> int:
            key = (part.key, sensor)
            path = self._smooth.get(key)
            if path is None:
                path = self._smooth[key] = _smooth(part.life, sensor)
            return _held(sign * path >= sign * limit)

        return trigger


def _held(is_beyond: np.ndarray) -> int:
    """The age at which it has held for three days, seen on the day after."""
    runs = np.convolve(is_beyond, np.ones(HOLD), "valid") >= HOLD - 1e-9
    at = np.flatnonzero(runs)
    return int(at[0]) + HOLD + 1 if len(at) else NEVER


def _smooth(life: Life, sensor: int) -> np.ndarray:
    """The mean of five days; a day without a reading says nothing."""
    values = life.values[:, sensor]
    there = np.isfinite(values)
    total = np.convolve(np.where(there, values, 0.0), np.ones(5))[: len(values)]
    count = np.convolve(there, np.ones(5))[: len(values)]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


# ---- tuned, then judged --------------------------------------------------------------------------


def closed_loop(
    plant: Plant, model: Model, work: Work, tuning: int, judging: int, seed: int
) -> dict[str, Any]:
    tune = [fleet(plant.tuning, 1_000 * seed + i, len(plant.paths.values)) for i in range(tuning)]
    judge = [
        fleet(plant.judging, 1_000 * seed + 500 + i, len(plant.paths.values))
        for i in range(judging)
    ]
    found: dict[str, Any] = {}
    down: dict[str, np.ndarray] = {}
    for policy in policies(plant, model, work.lead):
        best = min(
            policy.grid,
            key=lambda given: sum(simulate(d, work, policy.make(given)).down for d in tune),
        )
        outcomes = [simulate(d, work, policy.make(best)) for d in judge]
        down[policy.name] = np.array([100 * share_down(o, work) for o in outcomes])
        found[policy.name] = _row(policy.name, best, outcomes, down[policy.name])
    cuts = {
        f"{name} against {other}": cut(down[name], down[other])
        for name in ("twin median", "twin low end", TWIN, "oracle of wear", "oracle")
        for other in ("run to failure", "age", "threshold")
    }
    return {"policies": found, "cuts": cuts}


def _row(name: str, best: Any, outcomes: list[Outcome], down: np.ndarray) -> dict[str, Any]:
    jobs = [job for o in outcomes for job in o.jobs]
    early = [days for o in outcomes for days in o.early]
    wasted = [days for o in outcomes for days in o.wasted]
    failures = sum(job.is_failure for job in jobs)
    return {
        "parameter": best,
        "downPercent": float(down.mean()),
        "interval": half(down),
        "failures": failures / len(outcomes),
        "planned": (len(jobs) - failures) / len(outcomes),
        "wastedDays": float(np.mean(wasted)) if wasted else None,
        "leadDays": [float(np.percentile(early, q)) for q in (5, 50, 95)] if early else None,
        "ordersAFailure": len(early) / max(failures, 1),
    }


def half(values: np.ndarray) -> float:
    """Half of the 95 % interval of a mean, by t."""
    t = T95.get(len(values), 2.0)
    return float(t * values.std(ddof=1) / np.sqrt(len(values)))


def cut(twin: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Percent less, paired by fleet: the ratio of means, its interval by the delta method."""
    ratio = twin.mean() / other.mean()
    spread = half((twin - ratio * other) / other.mean())
    return {
        "cutPercent": float(100 * (1 - ratio)),
        "low": float(100 * (1 - ratio - spread)),
        "high": float(100 * (1 - ratio + spread)),
    }


def passed(rows: dict[str, Any], marks: dict[str, Any]) -> dict[str, bool]:
    names = {
        "againstRunToFailure": "run to failure",
        "againstAge": "age",
        "againstThreshold": "threshold",
    }
    found = {}
    for mark, other in names.items():
        here = rows["cuts"][f"{TWIN} against {other}"]
        wanted = marks[mark]
        found[mark] = here["cutPercent"] >= wanted["least"] and here["low"] >= wanted["lowerBound"]
        if "goal" in wanted:
            found[mark + "Goal"] = (
                here["cutPercent"] >= wanted["goal"] and here["low"] >= wanted["goalLowerBound"]
            )
    return found
