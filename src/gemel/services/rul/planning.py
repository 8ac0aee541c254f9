"""Who is served when, under so many crews: the plan that costs least for the whole fleet.

For each machine the chance of failing by a day comes from its interval. To wait costs that chance
times what a failure costs more than a planned renewal; to be early costs life that is thrown away.
A machine alone would choose its best day; crews and parts make machines choose together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Job, Progress, Readings, Result, Setup
from gemel.services.rul.live import DAY, RemainingLife

END = 1.6448536
"""Deviations from the median to the ends of a 90 % interval."""
MOST_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Costs:
    """What renewals cost, in days of standstill or money; days may be fractions."""

    planned: float = 1.0
    unplanned: float = 3.0
    planned_days: float = 1.0
    lead: float = 0.0
    crews: int = 1
    horizon: int = 180
    life: float = 200.0
    """Days that a new machine lasts: what is thrown away of it is paid for."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one machine, in days."""

    twin: str
    low: float
    median: float
    high: float

    def failed_by(self, days: F64) -> F64:
        """The chance of having failed by so many days from now.

        The logarithm of what is left is normal on each side of the median, with the spread that
        its end of the interval says.
        """
        middle = max(self.median, 0.1)
        below = np.log(middle / min(max(self.low, 0.02 * middle), 0.99 * middle))
        above = np.log(max(self.high, 1.01 * middle) / middle)
        away = np.log(np.maximum(days, 1e-9) / middle)
        at = away * END / np.where(away < 0, below, above)
        found: F64 = np.array([0.5 * (1 + erf(z / 2**0.5)) for z in at.tolist()])
        return found


def cost_by_day(left: Left, costs: Costs) -> F64:
    """What a renewal begun on each day of the horizon is expected to cost, compared with others.

    Life that is thrown away counts at the price of a planned renewal over a whole life.
    """
    days = np.arange(costs.horizon, dtype=np.float64)
    failed = left.failed_by(days)
    gained = np.concatenate(([0.0], np.cumsum(1 - failed)[:-1]))
    renewal = failed * costs.unplanned + (1 - failed) * costs.planned
    found = renewal - gained * costs.planned / costs.life
    found[days < costs.lead] = np.inf
    return found


def plan(fleet: Sequence[Left], costs: Costs) -> list[Json]:
    """The day on which each machine is renewed; those that need nothing in time are left out.

    The most urgent choose first; then each in turn moves to a better free day while that helps
    (swaps included), which ends, as every move lowers the sum.
    """
    tables = [cost_by_day(left, costs) for left in fleet]
    busy = max(1, int(np.ceil(costs.planned_days)))
    wanted = [i for i, table in enumerate(tables) if int(np.argmin(table)) < costs.horizon - busy]
    wanted.sort(key=lambda i: (fleet[i].low, fleet[i].median, fleet[i].twin))
    load = np.zeros(costs.horizon + busy, np.int64)
    day_of: dict[int, int] = {}
    for i in wanted:
        day_of[i] = _best(tables[i], load, busy, costs.crews)
        load[day_of[i] : day_of[i] + busy] += 1
    for _ in range(MOST_ROUNDS):
        if not _improved(tables, day_of, load, busy, costs.crews):
            break
    rows = [
        {
            "twin": fleet[i].twin,
            "day": day,
            "failsBefore": round(float(fleet[i].failed_by(np.array([float(day)]))[0]), 4),
            "alone": int(np.argmin(tables[i])),
            "expectedCost": round(float(tables[i][day] - tables[i].min()), 4),
            "median": fleet[i].median,
            "low": fleet[i].low,
            "high": fleet[i].high,
        }
        for i, day in day_of.items()
    ]
    return sorted(rows, key=lambda row: (row["day"], row["twin"]))


def _free(load: np.ndarray[tuple[int], np.dtype[np.int64]], busy: int, crews: int) -> F64:
    """Zero on days on which a crew is free for the whole job, infinite on others."""
    windows = np.lib.stride_tricks.sliding_window_view(load, busy).max(axis=1)
    return np.where(windows < crews, 0.0, np.inf)[: len(load) - busy]


def _best(
    table: F64, load: np.ndarray[tuple[int], np.dtype[np.int64]], busy: int, crews: int
) -> int:
    total = table + _free(load, busy, crews)
    if not np.isfinite(total).any():
        raise InvalidInput("there are too few crews for this fleet", hint="more crews, or days")
    return int(np.argmin(total))


def _improved(
    tables: Sequence[F64],
    day_of: dict[int, int],
    load: np.ndarray[tuple[int], np.dtype[np.int64]],
    busy: int,
    crews: int,
) -> bool:
    """One round of moves and swaps; whether one helped."""
    has_moved = False
    for i in list(day_of):
        day = day_of[i]
        load[day : day + busy] -= 1
        day_of[i] = _best(tables[i], load, busy, crews)
        load[day_of[i] : day_of[i] + busy] += 1
        has_moved |= bool(tables[i][day_of[i]] < tables[i][day] - 1e-12)
        for k in list(day_of):
            a, b = day_of[i], day_of[k]
            if tables[i][b] + tables[k][a] < tables[i][a] + tables[k][b] - 1e-12:
                day_of[i], day_of[k] = b, a
                has_moved = True
    return has_moved


def run(job: Job, progress: Progress) -> Result:
    """The plan of the fleet from what its signals say now, by the version in use.

    Raises:
        InvalidInput: nothing was learnt yet, or no machine can be predicted.
    """
    if job.fit is None:
        raise InvalidInput("nothing was learnt yet", hint="run 'train' first")
    live = RemainingLife(Setup(job.instance, job.fit))
    slots = [np.full(len(c.time), i, np.int32) for i, c in enumerate(job.columns)]
    time = np.concatenate([c.time for c in job.columns]) if job.columns else np.empty(0, np.int64)
    value = np.concatenate([c.value for c in job.columns]) if job.columns else np.empty(0)
    slot = np.concatenate(slots) if slots else np.empty(0, np.int32)
    order = np.argsort(time, kind="stable")
    progress(0.1, "following the fleet")
    live.update(Readings(slot[order], time[order], value[order]))
    fleet = live.fleet()
    if not fleet:
        raise InvalidInput("no machine has a cycle in this span", hint="a longer 'span'")
    progress(0.8, "planning")
    names = ("planned", "unplanned", "life")
    given = {name: float(job.parameters[name]) for name in names}
    costs = Costs(
        **given,
        planned_days=float(job.parameters["days"]),
        lead=float(job.instance.parameters["lead"]),
        crews=int(job.parameters["crews"]),
        horizon=int(job.parameters["horizon"]),
    )
    left = [Left(twin, *days) for twin, days in fleet.items()]
    rows = plan(left, costs)
    for row in rows:
        row["begin"] = to_iso(job.end + row["day"] * DAY)
    return Result({"machines": len(left), "served": len(rows), "plan": rows})
