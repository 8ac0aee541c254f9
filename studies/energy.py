"""Energy of houses and offices at equal comfort: planning with the learnt twin against rules.

Plant: 3R3C houses that differ by up to 8 %, Brussels weather, people, COP by outdoor temperature, a
thermometer with noise. The twin's model is 1R1C or 2R2C, calibrated on the 14 days before; its
forecast of the weather errs by a random walk of 0.15 K an hour; states come from the product's
filter. Rules: constant set point, set-back at night, set-back with preheating. Set points, hours of
preheating and margins are chosen on other weeks and other houses (`tuned`): the cheapest that is no
colder than LIMIT K.h a week. Judged on 8 weeks x 3 houses, all policies in the same weather
with the same people. Oracle: true parameters, states and weather. Mark: 5 % against the constant
set point at equal comfort. Afterwards savings are computed as an auditor would, from daily energy
and weather alone, and held against the true ones. Plant B, offices with an air handler and five
zones, is `studies._office`. `--set house`, `platform`, `office`, `office-platform` runs a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gemel.core.batch import F64, I64
from gemel.services.behaviour import behaviour_of
from gemel.services.calibration.ensemble import Ensemble, Noise
from gemel.services.calibration.offline import Data, calibrate
from gemel.services.optimise.horizon import Response, Wanted, plan, response_of
from gemel.services.optimise.verify import verify
from studies import Options, _office_platform, _office_study
from studies._energy_platform import through_platform
from studies._house import DAY, STEP, Houses, at_home, weather

MOST_HEAT, LOW, HIGH, NIGHT = 8000.0, 21.0, 25.0, 16.0
LIMIT = 1.0
"""K.h a week of cold that is allowed, on the houses that settings are chosen on."""
WARM_UP, WEEK, HORIZON = 14 * DAY, 7 * DAY, 24
WEEKS = (1, 3, 5, 8, 10, 44, 47, 50)
"""Of the year, to judge; to choose, the one after each."""
MARGINS = (0.0, 0.2, 0.4)
NAMES = ("outdoor", "heat", "solar", "gains")


@dataclass
class Setting:
    """A week of some houses: weather (T, N) of warm-up and week, and what people do."""

    seeds: list[int]
    outdoor: F64
    sun: F64
    expected: F64
    """Of the outdoor temperature, what was forecast: its error in K after h hours, (H, T, N)."""


def cop(outdoor: F64) -> F64:
    """Of the heat pump; a line through 2.4 at -7 °C and 3.6 at 7 °C."""
    return np.clip(3.0 + 0.0857 * outdoor, 1.8, 5.5)


def setting(options: Options, weeks: tuple[int, ...], houses: list[int]) -> Setting:
    outdoor, sun = weather(options.folder("boptest"))
    pairs = [(w, h) for h in houses for w in weeks]
    rows = np.array(
        [(w * WEEK - WARM_UP + np.arange(WARM_UP + WEEK)) % len(outdoor) for w, _ in pairs]
    )
    random = np.random.default_rng([77, *houses])
    walk = np.cumsum(
        random.normal(0, 0.15, (HORIZON, (WARM_UP + WEEK) // 4 + 1, len(pairs))), axis=0
    )
    return Setting([h for _, h in pairs], outdoor[rows].T, sun[rows].T, walk)


def sets(options: Options) -> list[str]:
    return ["house", "platform", "office", "office-platform"]


def run(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.set in ("", "house"):
        found |= _houses(options)
    if options.set == "platform":
        chosen = setting(options, tuple(w + 1 for w in WEEKS[::2]), [5000 + options.seed])
        found["throughPlatform"] = through_platform(options, _tune_rules(chosen, options.small))
    if options.set in ("", "office"):
        found["office"] = _office_study.in_process(options)
    if options.set in ("", "office-platform"):
        rules = found["office"]["tuned"] if "office" in found else _office_study.rules(options)
        found["officeThroughPlatform"] = _office_platform.through_platform(options, rules)
    return found


def _houses(options: Options) -> dict[str, Any]:
    judged_weeks: tuple[int, ...] = WEEKS
    houses = [10 * options.seed + i for i in range(3)]
    if options.small:
        judged_weeks, houses = WEEKS[:1], houses[:1]
    chosen = setting(options, tuple(w + 1 for w in judged_weeks[::2]), [5000 + options.seed])
    judged = setting(options, judged_weeks, houses)
    tuned = _tune(chosen, options.small)
    rules = {n: Rule(*tuned[n]) for n in ("constant", "set-back", "set-back + preheat")}
    found = {name: lived(judged, rule) for name, rule in rules.items()}
    for kind in ("rc1", "rc2"):
        policy = Planner(judged, kind, tuned[f"plan {kind}"][0])
        found[f"plan {kind}"] = lived(judged, policy)
    found["oracle"] = lived(judged, Planner(judged, "true", 0.0))
    audit = _audited(options, houses, judged_weeks, rules["constant"], found)
    return {
        "weekSeeds": len(judged.seeds),
        "tuned": {n: list(v) for n, v in tuned.items()},
        "policies": {n: figures(f, found) for n, f in found.items()},
        "audit": audit,
        "throughPlatform": through_platform(options, tuned),
    }


# ---- policies ------------------------------------------------------------------------------------


class Policy(Protocol):
    def heat(self, k: int, read: F64, now: Setting) -> F64:
        """W for the step that begins, from what was read at the end of the last."""
        ...

    def saw(self, k: int, inputs: F64, read: F64, state: F64) -> None:
        """What the step was like, its temperatures, and (for the oracle) the true states."""
        ...


class Rule:
    """A thermostat (PI); at night lower, and `preheat` hours before the morning high again."""

    def __init__(self, day: float, night: float, preheat: float) -> None:
        self.day, self.night, self.preheat = day, night, preheat
        self.sum: Any = 0.0

    def heat(self, k: int, read: F64, now: Setting) -> F64:
        hour = (k % DAY) / 4
        wanted = self.day if 7 - self.preheat <= hour < 22 else self.night
        off = wanted - read
        raw: F64 = 2500.0 * off + self.sum
        self.sum = np.clip(self.sum + 2500.0 * off * STEP / 7200.0, 0.0, MOST_HEAT)
        return np.clip(raw, 0.0, MOST_HEAT)

    def saw(self, k: int, inputs: F64, read: F64, state: F64) -> None:
        pass


class Planner:
    """Plans a day ahead every hour with the calibrated model; the first hour of it is done."""

    def __init__(self, now: Setting, kind: str, margin: float) -> None:
        self.kind, self.margin, self.is_true = kind, margin, kind == "true"
        self.seen: list[F64] = []
        self.read: list[F64] = []
        self.count = len(now.seeds)
        self.responses: list[Response] = []
        self.given = np.zeros(self.count)
        self.state = np.full((3, self.count), 20.0)

    def heat(self, k: int, read: F64, now: Setting) -> F64:
        if not self.responses:
            self._learn(now)
        if k % 4 == 0:
            self.given = np.array([self._planned(k, house, now) for house in range(self.count)])
        return self.given

    def saw(self, k: int, inputs: F64, read: F64, state: F64) -> None:
        self.state = state
        if k < WARM_UP:
            self.seen.append(inputs)
            self.read.append(read)
        elif not self.is_true:
            self.filter.step(np.arange(self.count), inputs, read)

    def _learn(self, now: Setting) -> None:
        seen, read = np.array(self.seen), np.array(self.read)
        rows = np.arange(self.count)
        truth = Houses(now.seeds)
        self.model = behaviour_of("rc3" if self.is_true else self.kind)
        seeds = list(range(self.count))
        noise = Noise(0.1, 0.3, 0.0)
        self.filter = Ensemble(self.model, "temperature", STEP, [], seeds, 30, noise)
        for house in range(self.count):
            if self.is_true:
                names = (p.name for p in self.model.parameters)
                mine = dict(zip(names, truth.parameters[:, house].tolist(), strict=True))
            else:
                inputs = {n: seen[:, i, house] for i, n in enumerate(NAMES)}
                data = Data(inputs, read[:, house], STEP, "temperature")
                mine = calibrate(self.model, data, starts=2, holdout=0.0).parameters
            start = {s.name: float(read[-2 * DAY, house]) for s in self.model.states}
            self.filter.begin(rows[house : house + 1], mine, start, {"wall": 1.0})
            self.responses.append(
                response_of(self.model, mine, "heat", "temperature", 3600.0, HORIZON)
            )
        if not self.is_true:  # two days of readings settle the states
            for k in range(-2 * DAY, 0):
                self.filter.step(rows, seen[k], read[k])

    def _planned(self, k: int, house: int, now: Setting) -> float:
        ahead = k + 4 * np.arange(HORIZON)
        rows = np.minimum(ahead, len(now.outdoor) - 4)
        outdoor = now.outdoor[rows, house]
        if not self.is_true:
            outdoor = outdoor + now.expected[:, k // 4, house]
        is_in = at_home(len(now.outdoor) + 4 * HORIZON)
        gains = np.where(is_in[ahead], 550.0, 180.0)
        needed = is_in[ahead + 4] | is_in[ahead + 3]
        wanted = Wanted(
            np.where(needed, LOW + self.margin, NIGHT), np.full(HORIZON, HIGH),
            1.0 / cop(outdoor) / 1000, MOST_HEAT, 20.0,
        )  # fmt: skip
        states = self.state[:, house] if self.is_true else self.filter.state[:, house].mean(axis=1)
        start = {s.name: float(v) for s, v in zip(self.model.states, states, strict=False)}
        inputs = {"outdoor": outdoor, "solar": now.sun[rows, house], "gains": gains}
        return float(plan(self.responses[house], inputs, start, wanted).chosen[0])


# ---- the closed loop -----------------------------------------------------------------------------


def lived(now: Setting, policy: Policy, steps: int = WEEK) -> dict[str, F64]:
    """A week under a policy, after a warm-up that is the same for all: kWh by day (7, N), cold K.h
    (N,), and more. What is stored in the house counts: the sum is as if it ended as it began."""
    houses = Houses(now.seeds)
    count = len(now.seeds)
    is_in = at_home(WARM_UP + WEEK)
    read = np.full(count, 20.0)
    first = Rule(21.5, 18.0, 2.0)
    used, cold, hot = np.zeros((7, count)), np.zeros(count), np.zeros(count)
    switched, before = np.zeros(count), np.zeros(count)
    for k in range(WARM_UP + steps):
        heat = (first if k < WARM_UP else policy).heat(k, read, now)
        inside = bool(is_in[k])
        true = houses.step(now.outdoor[k], heat, now.sun[k], houses.gains(inside))
        read = true + houses.noise(0.1)
        middle = np.full(count, 550.0 if inside else 180.0)
        policy.saw(k, np.stack((now.outdoor[k], heat, now.sun[k], middle)), read, houses.state)
        if k < WARM_UP:
            stored = houses.stored()
            continue
        used[(k - WARM_UP) // DAY] += heat / cop(now.outdoor[k]) * STEP / 3.6e6
        if inside:
            cold += np.maximum(LOW - true, 0.0) * STEP / 3600
            hot += np.maximum(true - HIGH, 0.0) * STEP / 3600
        switched += (heat > 0) != (before > 0)
        before = heat
    left = (stored - houses.stored()) / 3.6e6 / cop(now.outdoor[WARM_UP:]).mean(axis=0)
    return {
        "days": used,
        "kwh": used.sum(axis=0) + left,
        "cold": cold,
        "hot": hot,
        "switched": switched,
    }


def _tune(now: Setting, small: bool) -> dict[str, tuple[float, ...]]:
    """For each policy the cheapest settings that are no colder than the limit; else the warmest."""
    found = _tune_rules(now, small)
    for kind in ("rc1", "rc2"):
        margins = MARGINS[1:2] if small else MARGINS
        tried = [((m,), lived(now, Planner(now, kind, m))) for m in margins] if not small else []
        found[f"plan {kind}"] = _cheapest(tried) if tried else (margins[0],)
    return found


def _tune_rules(now: Setting, small: bool) -> dict[str, tuple[float, ...]]:
    levels = (21.1, 21.5) if small else (21.1, 21.3, 21.5, 21.7)
    hours = (2.0,) if small else (1.0, 2.0, 4.0)
    grids: dict[str, list[tuple[float, ...]]] = {
        "constant": [(day, day, 0.0) for day in levels],
        "set-back": [(day, night, 0.0) for day in levels for night in (17.0, 18.0, 19.0, 20.0)],
        "set-back + preheat": [
            (day, night, before)
            for day in levels
            for night in (17.0, 18.0, 19.0)
            for before in hours
        ],
    }
    found = {}
    for name, grid in grids.items():
        if small:
            grid = grid[-2:]
        found[name] = _cheapest([(g, lived(now, Rule(*g))) for g in grid])
    return found


def _cheapest(
    tried: Sequence[tuple[tuple[float, ...], dict[str, F64]]],
) -> tuple[float, ...]:
    warm = [(f["kwh"].mean(), g) for g, f in tried if f["cold"].mean() <= LIMIT]
    if warm:
        return min(warm)[1]
    return min((f["cold"].mean(), g) for g, f in tried)[1]


# ---- figures -------------------------------------------------------------------------------------


def figures(mine: dict[str, F64], found: dict[str, dict[str, F64]]) -> dict[str, Any]:
    cuts = {
        n: _paired(mine["kwh"], found[n]["kwh"])
        for n in ("constant", "set-back", "set-back + preheat")
    }
    return {
        "kwhAWeek": mine["kwh"].mean(),
        "coldKhAWeek": mine["cold"].mean(),
        "hotKhAWeek": mine["hot"].mean(),
        "switchesAWeek": mine["switched"].mean(),
        "savedAgainst": cuts,
    }


def _paired(mine: F64, theirs: F64) -> dict[str, float]:
    """Saving in %, with the half-width of its paired 95 % interval over week-seeds."""
    cut = 100 * (1 - mine / theirs)
    if len(cut) < 2:
        return {"percent": cut.mean(), "plusMinus": 0.0}
    t = 2.07 if len(cut) > 20 else 2.4
    return {"percent": cut.mean(), "plusMinus": t * cut.std(ddof=1) / np.sqrt(len(cut))}


def _audited(
    options: Options, houses: list[int], weeks: tuple[int, ...], rule: Rule,
    found: dict[str, dict[str, F64]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Each house: a line of daily energy by weather under the constant rule, from the tuning weeks;
    then what the plan has saved by it, and in truth."""
    past = setting(options, tuple(w + 1 for w in (weeks if len(weeks) > 3 else WEEKS[:4])), houses)
    before = lived(past, Rule(rule.day, rule.night, rule.preheat))
    now = setting(options, weeks, houses)
    rows = []
    for number, house in enumerate(houses):
        mine = np.flatnonzero(np.array(past.seeds) == house)
        later = np.arange(number * len(weeks), (number + 1) * len(weeks))
        used = found["plan rc2"]["days"][:, later]
        saved = verify(
            _days(past, mine), before["days"][:, mine].T.ravel(), _days(now, later), used.T.ravel()
        )
        would = found["constant"]["days"][:, later].sum()
        true = 1 - used.sum() / would
        rows.append(
            {
                "truePercent": 100 * true,
                "auditedPercent": 100 * saved.share,
                "low": 100 * saved.share_low,
                "high": 100 * saved.share_high,
                "holdsTruth": bool(saved.share_low <= true <= saved.share_high),
                "cvRmse": saved.cv_rmse,
            }
        )
    return rows


def _days(now: Setting, columns: I64) -> F64:
    """Mean outdoor temperature and sun of each day of the week, house after house."""
    parts = [
        part[WARM_UP:, columns].reshape(7, DAY, -1).mean(axis=1).T.ravel()
        for part in (now.outdoor, now.sun)
    ]
    return np.column_stack(parts)
