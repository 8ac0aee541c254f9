"""Who runs the offices of `_office`: practice, a tuned schedule, resets, the twin, an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Protocol

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.services.airhandler.kind import KIND
from gemel.services.airhandler.runs import learn_twins, plan_twins
from gemel.services.contract import Column, Fit, Instance, Job, Signal
from gemel.services.schema import completed
from studies._house import DAY, STEP
from studies._office import (
    FROM,
    HIGH,
    LEAST,
    LIMIT,
    LOW,
    MOST,
    REHEAT,
    SIGNALS,
    TO,
    VOLUME,
    ZONE_SIGNALS,
    ZONES,
    Offices,
    Scenario,
    Set,
    in_use,
)

BEGIN = 1_767_571_200
"""2026-01-05, a Monday; weeks are those of the weather, not of this calendar."""
WARM_UP = 14 * DAY
HOUR = 4
DEGREE, CARBON = 3.0, 10.0
"""Of the oracle: kWh a K.h of a zone outside its band, kWh per 1000 ppm.h."""
PLANS = [(0.1, 5.0), (0.2, 3.0), (0.2, 5.0), (0.3, 3.0)]
"""Of the twin: K within the band that are aimed for, and kWh a K.h."""


class Policy(Protocol):
    def told(self, k: int, plant: Offices) -> Set: ...

    def saw(self, k: int, measured: dict[str, F64]) -> None: ...


def workday(k: int, first: float, last: float) -> bool:
    return k // DAY % 7 < 5 and first <= k % DAY / 4 < last


class Schedule:
    """Fixed hours, supply temperature, pressure and outdoor air; each one number or (N,)."""

    def __init__(self, first: Any, supply: Any, pressure: Any, fresh: Any, last: Any = 18.0,
                 *, economiser: float = 1.0) -> None:  # fmt: skip
        self.first, self.last = first, last
        self.given = (supply, pressure, fresh, economiser)

    def told(self, k: int, plant: Offices) -> Set:
        hour = k % DAY / 4
        is_on = np.full(plant.count, k // DAY % 7 < 5) & (self.first <= hour) & (hour < self.last)
        wide = (np.broadcast_to(np.asarray(g, float), plant.count) for g in self.given)
        return Set(is_on.astype(float), *wide)

    def saw(self, k: int, measured: dict[str, F64]) -> None:
        pass


class Practice(Schedule):
    """What is common: 6 to 22, 13 °C, 250 Pa, a fixed share of outdoor air whatever the weather."""

    def __init__(self, fresh: Any) -> None:
        super().__init__(6.0, 13.0, 250.0, fresh, last=22.0, economiser=0.0)


PRACTICES = [(fresh,) for fresh in (0.3, 0.4, 0.5, 0.6, 0.7)]


class Resets:
    """Trim and respond on supply temperature and pressure, outdoor air by CO2, start by weather.

    Source: ASHRAE Guideline 36, 5.1.14 (trim and respond), 5.16.1 and 5.16.2 (set points).
    """

    def __init__(
        self, lead: Any, by_cold: Any, supply: Any, pressure: Any, carbon: Any = 700.0,
        last: Any = 18.0,
    ) -> None:  # fmt: skip
        self.lead, self.by_cold, self.most, self.least = lead, by_cold, supply, pressure
        self.carbon, self.last = carbon, last
        self.supply: Any = None

    def told(self, k: int, plant: Offices) -> Set:
        outdoor = plant.now.outdoor[k]
        if self.supply is None:
            self.supply = np.full(plant.count, 14.0)
            self.pressure = np.full(plant.count, 120.0)
        early = self.lead + self.by_cold * np.maximum(12.0 - outdoor, 0.0)
        hour = k % DAY / 4
        is_on = np.full(plant.count, k // DAY % 7 < 5) & (FROM - early <= hour) & (hour < self.last)
        asked = (plant.damper > 0.9).sum(axis=0)
        warm = np.clip(self.most - (outdoor - 16) * (self.most - 12) / 5, 12, self.most)
        if k % 2 == 0:
            self.supply = self.supply + np.where(asked > 1, -0.5, 0.2)
            self.pressure = self.pressure + np.where(asked > 0, 15.0 * asked, -10.0)
        self.supply = np.clip(self.supply, 12.0, warm)
        self.pressure = np.clip(self.pressure, self.least, 250.0)
        worst = (plant.co2 + plant.now.carbon[k]).max(axis=0)
        fresh = np.clip(0.1 + 0.35 * (worst - self.carbon) / 200, 0.1, 0.45)
        used = bool(in_use(1, k)[0])
        return Set(
            is_on.astype(float), self.supply, self.pressure, fresh if used else 0 * fresh,
            np.ones(plant.count),
        )  # fmt: skip

    def saw(self, k: int, measured: dict[str, F64]) -> None:
        pass


def usual() -> Resets:
    """Resets that nobody has tuned."""
    return Resets(2.0, 0.1, 17.0, 80.0)


SCHEDULES = list(product((6.0, 6.5, 7.0, 7.5, 7.75), (13.0, 14.0, 15.0, 16.0),
                         (120.0, 150.0, 180.0, 210.0), (0.1, 0.15, 0.22),
                         (17.5, 18.0)))  # fmt: skip
RESETS = list(product((0.0, 0.25, 0.5, 1.0), (0.0, 0.05), (15.0, 16.0, 17.0, 18.0),
                      (30.0, 45.0, 60.0, 80.0), (900.0, 1000.0, 1100.0),
                      (17.5, 17.75, 18.0)))  # fmt: skip
RULES: list[tuple[str, Any, Sequence[tuple[float, ...]]]] = [
    ("practice", Practice, PRACTICES), ("tuned schedule", Schedule, SCHEDULES),
    ("resets", Resets, RESETS),
]  # fmt: skip


# ---- the twin ------------------------------------------------------------------------------------


def parameters(zones: int = ZONES) -> Json:
    """Of the service, as a planner of the building would enter them."""
    rows = [
        {**{n: f"{n}{i + 1}" for n in ZONE_SIGNALS}, "least": float(LEAST[i]),
         "most": float(MOST[i]), "reheat": float(REHEAT[i]), "volume": float(VOLUME[i])}
        for i in range(zones)
    ]  # fmt: skip
    return {"zones": rows, "low": LOW, "high": HIGH, "from": FROM, "to": TO, "limit": LIMIT}


def plan_parameters(margin: float, degree: float) -> Json:
    return {"margin": margin, "degree": degree, "co2": CARBON}


PATHS = [*SIGNALS, *(f"{n}{i + 1}" for n in ZONE_SIGNALS for i in range(ZONES))]


class Twin:
    """The service's own runs, on what was measured; plans once an hour.

    An air handler for which there is no plan runs by the resets that it ran by before.
    """

    def __init__(self, history: list[dict[str, F64]], count: int, settings: Any) -> None:
        self.history, self.count = list(history), count
        self.settings = plan_parameters(*settings)
        given = completed(KIND.parameters, parameters())
        self.twins = tuple(f"office-{i:02}" for i in range(count))
        signals = tuple(Signal(t, p) for t in self.twins for p in PATHS)
        self.instance = Instance("air", KIND.name, self.twins, given, signals)
        self.fit: Fit | None = None
        self.learnt: Json = {}
        self.first: list[Json | None] | None = None
        self.problems: Json = {}
        self.alone = usual()

    def told(self, k: int, plant: Offices) -> Set:
        if self.fit is None:
            found = learn_twins(self._job("learn", {}, len(self.history)), lambda *_: None)
            self.fit, self.learnt = found.fit, found.document
        if self.first is None or plans_at(k):
            until = next(n for n in range(1, HOUR + 1) if plans_at(k + n))
            given = self.settings | {"period": until * STEP}
            run = plan_twins(self._job("plan", given, 2 * DAY), lambda *_: None)
            self.problems |= run.document["problems"]
            self.first = [run.document["twins"].get(t) for t in self.twins]
        return set_of(self.first, self.alone.told(k, plant))

    def saw(self, k: int, measured: dict[str, F64]) -> None:
        self.history.append(measured)

    def _job(self, name: str, given: Json, steps: int) -> Job:
        run = KIND.run(name)
        assert run is not None
        rows = self.history[-steps:]
        begin = (BEGIN + (len(self.history) - len(rows)) * round(STEP)) * SECOND
        end = (BEGIN + len(self.history) * round(STEP)) * SECOND
        times = begin + np.arange(len(rows)) * round(STEP) * SECOND
        table = {n: np.array([r[n] for r in rows]) for n in (*SIGNALS, *ZONE_SIGNALS)}
        columns = []
        for i in range(self.count):
            columns += [Column(times, table[n][:, i]) for n in SIGNALS]
            for n in ZONE_SIGNALS:
                late = times + (890 * SECOND if n in ("temperature", "co2") else 0)
                columns += [Column(late, table[n][:, z, i]) for z in range(ZONES)]
        complete = completed(run.parameters, given)
        return Job(self.instance, complete, self.instance.signals, columns, begin, end + 1,
                   fit=self.fit)  # fmt: skip


def plans_at(k: int) -> bool:
    """Every hour, and every quarter of one where use is near to begin or to end."""
    hour = k % DAY / HOUR
    near = FROM - 2 <= hour < FROM or TO - 1 <= hour < TO
    return k % HOUR == 0 or (k // DAY % 7 < 5 and near)


def set_of(found: list[Json | None], alone: Set) -> Set:
    """Set points of all offices; where there is no plan, those of the air handler alone."""
    rows = []
    for i, one in enumerate(found):
        if one is not None:
            first = one["first"]
            rows.append([first[n] for n in ("fan", "supply", "pressure", "fresh")])
        else:
            rows.append([x[i] for x in (alone.is_on, alone.supply, alone.pressure, alone.fresh)])
    is_on, supply, pressure, fresh = np.array(rows).T
    supply, pressure = np.where(is_on > 0, supply, 15.0), np.where(is_on > 0, pressure, 80.0)
    return Set(is_on, supply, pressure, fresh, np.ones(len(found)))


# ---- the oracle ----------------------------------------------------------------------------------


TRIED = list(product((13.0, 15.0, 17.0), (45.0, 90.0, 160.0), (0.05, 0.2)))


class Oracle:
    """Tries set points on the plant itself, with the weather and the people that come."""

    def __init__(self) -> None:
        self.now: Set | None = None

    def told(self, k: int, plant: Offices) -> Set:
        if k % HOUR == 0 or self.now is None:
            self.now = self._chosen(k, plant)
        return self.now

    def _chosen(self, k: int, plant: Offices) -> Set:
        used = np.flatnonzero(in_use(12 * HOUR, k))
        used = used[used + k < len(plant.now.outdoor)]
        if not len(used):
            none = np.zeros(plant.count)
            return Set(none, none + 15, none + 80, none + 0.1, none + 1)
        breaks = np.flatnonzero(np.diff(used) > 1)
        end = int(used[breaks[0]] if len(breaks) else used[-1]) + 1
        first = int(used[0])
        starts = sorted({min(h * HOUR, first) for h in range(4)} | {first})
        stops = sorted({end, max(end - HOUR, 0)})
        tries = np.array([(*g, a, b) for g in TRIED for a in starts for b in stops]).T
        size = tries.shape[1]
        columns = np.repeat(np.arange(plant.count), size)
        supply, pressure, fresh, begin, stop = np.tile(tries, plant.count)
        copy = plant.copy(columns, plant.now.take(columns))
        cost = np.zeros(len(columns))
        for step in range(end):
            is_on = ((begin <= step) & (step < stop)).astype(float)
            found = copy.step(k + step, Set(is_on, supply, pressure, fresh, np.ones(len(is_on))))
            kwh = (found["fan"] + found["cooling"] + found["heating"]) / 4
            outside, excess = comfort(copy, k + step)
            cost += kwh + DEGREE * outside * ZONES + CARBON * excess * ZONES / 1000
        best = cost.reshape(plant.count, size).argmin(axis=1)
        chosen = tries[:, best]
        on = (chosen[3] <= 0) & (chosen[4] > 0)
        return Set(on.astype(float), chosen[0], chosen[1], chosen[2], np.ones(plant.count))

    def saw(self, k: int, measured: dict[str, F64]) -> None:
        pass


def comfort(plant: Offices, k: int) -> tuple[F64, F64]:
    """K.h outside the band and ppm.h above the limit in this step, means over zones, (N,)."""
    if not in_use(1, k)[0]:
        return np.zeros(plant.count), np.zeros(plant.count)
    off = np.maximum(LOW - plant.air, 0) + np.maximum(plant.air - HIGH, 0)
    return off.mean(axis=0) / 4, np.maximum(plant.co2 - LIMIT, 0).mean(axis=0) / 4


# ---- living --------------------------------------------------------------------------------------


def warmed(now: Scenario, steps: int = WARM_UP) -> tuple[Offices, list[dict[str, F64]]]:
    """14 days under resets that nobody has tuned: the same before every policy."""
    plant, policy = Offices(now), usual()
    return plant, [plant.step(k, policy.told(k, plant)) for k in range(steps)]


def lived(plant: Offices, policy: Policy, steps: int, first: int = WARM_UP) -> dict[str, F64]:
    """What becomes of offices (from their state after the warm-up) under a policy; (N,) each."""
    own = plant.copy(np.arange(plant.count), plant.now)
    names = ("fan", "cooling", "heating", "outside", "excess", "changes")
    found = {n: np.zeros(plant.count) for n in names}
    before: Set | None = None
    for k in range(first, first + steps):
        told = policy.told(k, own)
        measured = own.step(k, told)
        policy.saw(k, measured)
        for name in ("fan", "cooling", "heating"):
            found[name] += measured[name] / 4
        outside, excess = comfort(own, k)
        found["outside"] += outside
        found["excess"] += excess
        if before is not None:
            for name in ("is_on", "supply", "pressure", "fresh"):
                found["changes"] += np.abs(getattr(told, name) - getattr(before, name)) > 1e-9
        before = told
    found["kwh"] = found["fan"] + found["cooling"] + found["heating"]
    return found


def tuned(now: Scenario, small: bool, steps: int) -> dict[str, Json]:
    """Of each policy the cheapest settings that are comfortable enough; rules all at once."""
    plant, history = warmed(now)
    found = {}
    for name, make, grid in RULES:
        tried = grid[:: max(1, len(grid) // 4)] if small else grid
        count, size = plant.count, len(tried)
        columns = np.tile(np.arange(count), size)
        many = plant.copy(columns, now.take(columns))
        rows = np.repeat(np.array(tried).T, count, axis=1)
        one = lived(many, make(*rows), steps)
        each = {n: v.reshape(size, count).mean(axis=1) for n, v in one.items()}
        found[name] = _cheapest(tried, each, steps)
    plans = PLANS[1:2] if small else PLANS
    ways = [lived(plant, Twin(history, plant.count, p), steps) for p in plans] if not small else []
    if ways:
        each = {n: np.array([way[n].mean() for way in ways]) for n in ways[0]}
        found["plan"] = _cheapest(plans, each, steps)
    else:
        found["plan"] = {"settings": list(plans[0])}
    return found


def _cheapest(tried: Sequence[tuple[float, ...]], means: dict[str, F64], steps: int) -> Json:
    share = 7 * DAY / steps
    fit = (means["outside"] * share <= 1.0) & (means["excess"] * share <= 300.0)
    order = np.where(fit, means["kwh"], np.inf)
    best = int(order.argmin() if fit.any() else (means["outside"] + means["excess"]).argmin())
    return {"settings": list(tried[best]), "isComfortable": bool(fit[best])}
