"""Downtime of a fleet under one crew: run to failure, by age, a limit, the twin, an oracle.

Lives are replayed from engines that the model was not learnt from, and made by a plant of bearings;
each policy is tuned on other lives and other fleets than it is judged on. What the model was learnt
from is what policies are tuned on too, crosswise: each life is then predicted by a model that was
learnt from the others. The oracle of wear knows when each part would wear out, and no more than
others of failures without a sign: the most that a prediction can come to. All of it twice: with
sensors that fail and failures without a sign (the hard conditions), and without them (the easy
ones, `clean`); `againstAge` has for each plant both, with the mark, the interval and the oracles of
each. Marks are in studies/marks/downtime.json. A fleet runs through the real server too, day by
day over MQTT, alarms and work orders, and must come to the same jobs on the same days.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gemel.services.rul import conditions, learning
from gemel.services.rul.conditions import Scaling
from gemel.services.rul.lives import Life, Paths
from gemel.services.rul.model import Model
from studies import Options, StudyError
from studies._engines import PATHS, load, sets_of
from studies._fleet import (
    BEARING,
    NEVER,
    Draw,
    Outcome,
    Part,
    Trigger,
    Trouble,
    Work,
    bearings,
    fleet,
    share_down,
    simulate,
)

HOLD = 3
TWIN = "twin, two levels"
TUNING, JUDGING = 36, 40
SMALL = 50
"""Lives of a plant in the small version, or a few more."""
FIRST, FINALISTS = 8, 10
"""All settings are tried on so many fleets, and so many of them on all."""
FOLDS = 3
HARD, CLEAN = Trouble(), Trouble(0.0, 0.0)
T95 = {5: 2.776, 40: 2.023}
MARKS = Path(__file__).parent / "marks" / "downtime.json"
TURBINE = Paths(PATHS.values, PATHS.settings, "age", "failed")


@dataclass(frozen=True)
class Plant:
    """A plant: lives to learn from and tune on, and lives to judge on."""

    name: str
    paths: Paths
    own: list[Life]
    judging: list[Life]
    scaling: Scaling | None = None
    """Where it runs in several conditions: what each sensor reads in each, from its own lives."""

    def alike(self, life: Life) -> np.ndarray:
        """The readings of a life as if it had run in one condition, as a limit needs them."""
        if self.scaling is None:
            return life.values
        return self.scaling.apply(life.settings, life.values)


@dataclass(frozen=True)
class Policy:
    """A family of triggers over a parameter that is tuned."""

    name: str
    grid: Sequence[Any]
    make: Callable[[Any, Known], Trigger]
    pick: Callable[[Sequence[Any], np.ndarray], Any] | None = None
    """The setting, from days of standstill (settings, fleets); without, that with the least."""


def sets(options: Options) -> list[str]:
    return sets_of(options.folder("cmapss"))


def run(options: Options) -> dict[str, Any]:
    marks = json.loads(MARKS.read_text("utf-8"))["marks"]
    work = Work(horizon=800 if options.small else 2_000)
    tuning, judging = (4, 5) if options.small else (TUNING, JUDGING)
    found: dict[str, Any] = {"work": vars(work), "fleets": {"tuned": tuning, "judged": judging}}
    plants = [turbines(options), bearing_plant(options)]
    for plant in plants:
        model, left_out = learnt(plant, options)
        known = Known(plant, [model])
        crossed = Known(plant, *crosswise(plant, options))
        size = tuning, judging, options.seed
        rows = closed_loop(plant, known, crossed, work, HARD, *size)
        rows["model"] = left_out
        rows["passed"] = passed(rows, marks[plant.name])
        rows["clean"] = closed_loop(plant, known, crossed, work, CLEAN, *size)
        rows["clean"]["passed"] = passed(rows["clean"], marks["clean"])
        found[plant.name] = rows
    found["againstAge"] = [
        row
        for plant in plants
        for row in (
            against_age(plant.name, "hard", found[plant.name], marks[plant.name]),
            against_age(plant.name, "easy", found[plant.name]["clean"], marks["clean"]),
        )
    ]
    from studies._downtime_platform import through_platform

    levels = found["turbines"]["policies"][TWIN]["parameter"]
    found["platform"] = through_platform(plants[0], levels, SETTINGS, options)
    return found


def against_age(
    plant: str, conditions: str, rows: dict[str, Any], marks: dict[str, Any]
) -> dict[str, Any]:
    """What the twin and the oracles cut against age, and the mark of these conditions."""
    cuts = rows["cuts"]
    return {
        "plant": plant,
        "conditions": conditions,
        "twin": cuts[f"{TWIN} against age"],
        "mark": marks["againstAge"],
        "passed": rows["passed"]["againstAge"],
        "oracleOfWear": cuts["oracle of wear against age"],
        "oracle": cuts["oracle against age"],
    }


def turbines(options: Options) -> Plant:
    engines = load(options.folder("cmapss"), options.set).train
    if options.small:
        engines = engines[:: max(1, len(engines) // SMALL)]
    order = np.random.default_rng([options.seed, 5]).permutation(len(engines)).tolist()
    count = len(engines) * 3 // 4
    own, judging = [engines[i] for i in order[:count]], [engines[i] for i in order[count:]]
    scaling = conditions.learn(
        np.concatenate([life.settings for life in own]), np.concatenate([x.values for x in own])
    )
    one = len(scaling.centres) == 1
    return Plant("turbines", TURBINE, own, judging, None if one else scaling)


def bearing_plant(options: Options) -> Plant:
    count, own = (SMALL, SMALL * 3 // 4) if options.small else (160, 110)
    made = bearings(count, options.seed)
    return Plant("bearings", BEARING, made[:own], made[own:])


def learnt(plant: Plant, options: Options) -> tuple[Model, Any]:
    return _learnt(plant.own, plant.paths)


def _learnt(lives: Sequence[Life], paths: Paths) -> tuple[Model, Any]:
    settings = learning.Settings(trees=SETTINGS["trees"], folds=SETTINGS["folds"])
    order = ordered(paths)
    lives = [replace(life, values=life.values[:, order]) for life in named(lives)]
    return learning.learn(lives, sorted_paths(paths), settings, lambda share, what: None)


def crosswise(plant: Plant, options: Options) -> tuple[list[Model], list[int]]:
    """Models of all but one part of the lives each, and the part of each life."""
    order = np.random.default_rng([options.seed, 6]).permutation(len(plant.own))
    part: list[int] = (order % FOLDS).tolist()
    rest = [
        [life for life, mine in zip(plant.own, part, strict=True) if mine != k]
        for k in range(FOLDS)
    ]
    return [_learnt(lives, plant.paths)[0] for lives in rest], part


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


LEVELS = (6, 9, 12, 15, 18, 21, 25, 30, 35, 40, 50, 60)


def policies(plant: Plant, lead: int) -> list[Policy]:
    longest = max(len(life) for life in plant.own)
    pairs = [(order, due) for order in LEVELS[4:] for due in LEVELS if due <= order]
    return [
        Policy("run to failure", [None], lambda _, known: lambda part: NEVER),
        Policy("age", range(10, longest, 6), lambda age, known: lambda part: age),
        Policy("threshold", limits(plant), lambda given, known: known.threshold(given)),
        Policy("twin median", LEVELS, lambda level, known: known.twin(1, level)),
        Policy("twin low end", LEVELS, lambda level, known: known.twin(0, level)),
        Policy(TWIN, pairs, lambda pair, known: known.two_levels(*pair), robust),
        Policy(
            "oracle of wear",
            range(11),
            lambda k, known: lambda part: max(1, part.worn - lead - k),
        ),
        Policy("oracle", range(11), lambda k, known: lambda part: max(1, len(part) - lead - k)),
    ]


def robust(pairs: Sequence[Any], down: np.ndarray) -> Any:
    """Two levels where they surely gain over the best single one, and no bolder than they must.

    The pair whose gain over one level has the highest lower end; of those that are as good as it
    within one standard error, paired by fleet, the one that renews first: a day too late costs
    more than a day too early.
    """
    fleets = down.shape[1]
    single = [i for i, (order, due) in enumerate(pairs) if order == due]
    one = single[int(down[single].mean(axis=1).argmin())]
    gain = down[one] - down
    error = gain.std(axis=1, ddof=1) / np.sqrt(fleets)
    lower = gain.mean(axis=1) - 2 * error
    best = int(lower.argmax())
    behind = down - down[best]
    near = behind.mean(axis=1) <= behind.std(axis=1, ddof=1) / np.sqrt(fleets)
    fit = np.flatnonzero(near & (lower >= 0)).tolist()
    return max((pairs[i] for i in fit), key=lambda pair: (pair[1], pair[0]))


class Known:
    """What policies may know of a life: its readings so far, and what a model says of them."""

    def __init__(self, plant: Plant, models: Sequence[Model], part: Sequence[int] = ()) -> None:
        """With several models, `part` says which of them has not seen a life."""
        self._plant, self._models, self._part = plant, models, part
        order = sorted_paths(plant.paths).values
        self._order = ordered(plant.paths)
        self._keep = [np.array([order.index(p) for p in m.paths], np.intp) for m in models]
        self._days: dict[Any, Any] = {}
        self._smooth: dict[Any, Any] = {}

    def days(self, part: Part) -> tuple[np.ndarray, ...]:
        """Low, median and high at each age."""
        found = self._days.get(part.key)
        if found is None:
            which = self._part[part.key[0]] if self._part else 0
            model = self._models[which]
            life = replace(part.life, values=part.life.values[:, self._order])
            rows = learning.features_of(model, life, self._keep[which])
            found = self._days[part.key] = model.predict(rows)
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

    def threshold(self, given: tuple[int, float, float]) -> Trigger:
        sensor, sign, limit = given

        def trigger(part: Part) -> int:
            key = (part.key, sensor)
            path = self._smooth.get(key)
            if path is None:
                path = self._smooth[key] = _smooth(self._plant.alike(part.life)[:, sensor])
            return _held(sign * path >= sign * limit)

        return trigger


def limits(plant: Plant) -> list[tuple[int, float, float]]:
    """(sensor, sign, limit) at shares of how far each sensor comes in the lives to tune on."""
    found = []
    lives = [plant.alike(life) for life in plant.own]
    for sensor in range(len(plant.paths.values)):
        paths = [_smooth(values[:, sensor]) for values in lives]
        begin = np.concatenate([p[10:40] for p in paths])
        ends = np.array([p[-1] for p in paths])
        sign = 1.0 if np.median(ends) > np.median(begin) else -1.0
        gap = sign * (np.median(ends) - np.median(begin))
        if gap > 2 * begin.std():
            found += [
                (sensor, sign, float(np.median(begin) + sign * share * gap))
                for share in (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
            ]
    if not found:
        raise StudyError(f"{plant.name}: no sensor shows wear, so no limit can be set on one")
    return found


def _held(is_beyond: np.ndarray) -> int:
    """The age at which it has held for three days, seen on the day after."""
    runs = np.convolve(is_beyond, np.ones(HOLD), "valid") >= HOLD - 1e-9
    at = np.flatnonzero(runs)
    return int(at[0]) + HOLD + 1 if len(at) else NEVER


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean of five days; a day without a reading says nothing."""
    there = np.isfinite(values)
    total = np.convolve(np.where(there, values, 0.0), np.ones(5))[: len(values)]
    count = np.convolve(there, np.ones(5))[: len(values)]
    mean = np.full(len(values), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


# ---- tuned, then judged --------------------------------------------------------------------------


def closed_loop(
    plant: Plant,
    known: Known,
    crossed: Known,
    work: Work,
    trouble: Trouble,
    tuning: int,
    judging: int,
    seed: int,
) -> dict[str, Any]:
    sensors = len(plant.paths.values)
    tune = [fleet(plant.own, 1_000 * seed + i, sensors, trouble) for i in range(tuning)]
    judge = [fleet(plant.judging, 1_000 * seed + 500 + i, sensors, trouble) for i in range(judging)]
    found: dict[str, Any] = {}
    down: dict[str, np.ndarray] = {}
    for policy in policies(plant, work.lead):
        best = tuned(policy, crossed, tune, work)
        outcomes = [simulate(d, work, policy.make(best, known)) for d in judge]
        down[policy.name] = np.array([100 * share_down(o, work) for o in outcomes])
        found[policy.name] = _row(policy.name, best, outcomes, down[policy.name])
    cuts = {
        f"{name} against {other}": cut(down[name], down[other])
        for name in ("twin median", "twin low end", TWIN, "oracle of wear", "oracle")
        for other in ("run to failure", "age", "threshold")
    }
    reached = cuts[f"{TWIN} against age"]["cutPercent"]
    possible = cuts["oracle of wear against age"]["cutPercent"]
    return {"policies": found, "cuts": cuts, "shareOfPossible": reached / possible}


def tuned(policy: Policy, known: Known, fleets: list[Draw], work: Work) -> Any:
    """The setting that is best on these fleets; most are given up after some of them."""

    def days(settings: Sequence[Any], some: list[Draw]) -> np.ndarray:
        rows = [[simulate(d, work, policy.make(one, known)).down for d in some] for one in settings]
        return np.array(rows, float)

    first = days(policy.grid, fleets[:FIRST])
    # Single levels are what pairs are held against: the best of them stay.
    order = np.argsort(first.mean(axis=1), kind="stable").tolist()
    keep = order[:FINALISTS]
    if policy.pick:
        keep += [i for i in order if policy.grid[i][0] == policy.grid[i][1]][:3]
    keep = sorted(set(keep))
    settings = [policy.grid[i] for i in keep]
    whole = np.concatenate([first[keep], days(settings, fleets[FIRST:])], axis=1)
    if policy.pick:
        return policy.pick(settings, whole)
    return settings[int(whole.mean(axis=1).argmin())]


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
        if mark not in marks:
            continue
        here = rows["cuts"][f"{TWIN} against {other}"]
        wanted = marks[mark]
        found[mark] = here["cutPercent"] >= wanted["least"] and here["low"] >= wanted["lowerBound"]
        if "goal" in wanted:
            found[mark + "Goal"] = (
                here["cutPercent"] >= wanted["goal"] and here["low"] >= wanted["goalLowerBound"]
            )
    return found
