"""Plant B of the study of energy: offices with air handlers, in one process and by the server."""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from studies import Options
from studies._house import DAY
from studies._office import Scenario, scenario
from studies._office_policies import RULES, WARM_UP, Oracle, Twin, lived, tuned, warmed

WEEKS = (3, 9, 15, 20, 26, 31, 38, 46)
"""Of the year, to judge: winter, spring, summer, autumn."""
TUNING = (5, 17, 29, 41)
BASES = ("practice", "tuned schedule", "resets")
T = 2.07
"""Student's, 95 %, 23 degrees of freedom."""


def setting(options: Options, days: int, *, is_judged: bool = True) -> Scenario:
    weeks: tuple[int, ...] = WEEKS
    offices = [10 * options.seed + i for i in range(3)]
    if not is_judged:
        weeks, offices = TUNING, [5000 + options.seed]
    if options.small:
        weeks, offices = weeks[2:3], offices[:1]
    return scenario(options.folder("boptest"), weeks, offices, 14 + days)


def in_process(options: Options) -> dict[str, Any]:
    """A week of every office under each policy; the twin is the service's own runs."""
    days = 1 if options.small else 7
    chosen = rules(options)
    now = setting(options, days)
    plant, history = warmed(now)
    found = {n: lived(plant, policy, days * DAY) for n, policy in policies(chosen).items()}
    twin = Twin(history, plant.count, chosen["plan"]["settings"])
    found["plan"] = lived(plant, twin, days * DAY)
    found["oracle"] = lived(plant, Oracle(), days * DAY)
    return {
        "weekSeeds": plant.count,
        "days": days,
        "tuned": chosen,
        "policies": {n: figures(f, found, days) for n, f in found.items()},
        "seasons": seasons(found, now),
        "learnt": learnt(twin),
        "problems": twin.problems,
    }


def rules(options: Options) -> dict[str, Any]:
    """The settings of the policies, chosen on another office in other weeks."""
    days = 1 if options.small else 7
    return tuned(setting(options, days, is_judged=False), options.small, days * DAY)


def policies(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: make(*chosen[name]["settings"]) for name, make, _ in RULES}


def figures(mine: dict[str, F64], found: dict[str, dict[str, F64]], days: int) -> dict[str, Any]:
    """Means, comfort by the week, and paired savings."""
    week = 7 / days
    return {
        "kwh": mine["kwh"].mean(),
        **{n: mine[n].mean() for n in ("fan", "cooling", "heating")},
        "outsideKhAZoneWeek": mine["outside"].mean() * week,
        "co2PpmHoursAZoneWeek": mine["excess"].mean() * week,
        "changesOfSetPoints": mine["changes"].mean(),
        "savedAgainst": {n: _paired(mine["kwh"], found[n]["kwh"]) for n in BASES},
    }


def _paired(mine: F64, theirs: F64) -> dict[str, float]:
    cut = 100 * (1 - mine / theirs)
    wide = T * cut.std(ddof=1) / np.sqrt(len(cut)) if len(cut) > 1 else 0.0
    total = 100 * (1 - mine.sum() / theirs.sum())
    return {"percent": cut.mean(), "plusMinus": wide, "ofTheSum": total}


def seasons(found: dict[str, dict[str, F64]], now: Scenario) -> list[dict[str, float]]:
    """Savings week by week, mildest last."""
    offices = len(set(now.offices))
    rows = []
    outdoor = now.outdoor[WARM_UP:].mean(axis=0)
    weeks = plant_weeks(len(now.offices), offices)
    for columns in weeks:
        saved = {n: 100 * (1 - found["plan"]["kwh"][columns].sum() / found[n]["kwh"][columns].sum())
                 for n in BASES}  # fmt: skip
        rows.append({"outdoor": float(outdoor[columns].mean()), **saved})
    return rows


def plant_weeks(count: int, offices: int) -> list[I64]:
    """Columns by week."""
    each = count // offices
    return [np.arange(offices) * each + week for week in range(each)]


def learnt(twin: Twin) -> dict[str, Any]:
    rows = list(twin.learnt.get("twins", {}).values())
    worst = np.array([max(r["holdoutRmse"]) for r in rows])
    return {"holdoutRmseK": float(np.median(worst)), "worstK": float(worst.max()),
            "passed": sum(r["passed"] for r in rows), "of": len(rows)}  # fmt: skip
