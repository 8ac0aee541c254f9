"""One case with somebody's inputs: figures, ten years, what it hangs on, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.services.roi.cases import CASES, COMMON, YEARS, Case, Input
from gemel.services.roi.course import PRESENT_VALUE, REACH, cash, discounted, payback_years
from gemel.services.roi.formula import Amount, compute, names

LEVELS = (0.05, 0.5, 0.95)
MOST_SAMPLES = 100_000
SAMPLES = 10_000
BINS = 40


def calculate(name: str, given: Json, samples: int = SAMPLES, seed: int = 1) -> Json:
    """A case worked out.

    Args:
        name: of the case.
        given: by input, a number or `{"value", "low", "high"}`; others stay as the case has them.
        samples: draws of the band.
        seed: the same gives the same band.

    Raises:
        NotFound: there is no such case.
        InvalidInput: names the input, its rule and what would do.
    """
    case = CASES.get(name)
    if case is None:
        raise NotFound(f"there is no case '{name}'", hint="one of: " + ", ".join(CASES))
    if not 100 <= samples <= MOST_SAMPLES:
        raise InvalidInput(f"samples: {samples}", hint=f"from 100 to {MOST_SAMPLES:,}")
    if seed < 0:
        raise InvalidInput(f"seed: {seed}", hint="0 or more")
    inputs = _inputs(case, given)
    base = Plan(case, inputs, {one.name: np.array([one.value]) for one in inputs})
    drawn = Plan(case, inputs, _draws(inputs, samples, seed))
    return {
        "case": case.name,
        "title": case.title,
        "about": case.about,
        "inputs": [_shown(one) for one in inputs],
        "figures": base.figures(),
        "notes": _notes(base),
        "course": base.course(),
        "tornado": _tornado(case, inputs),
        "band": _band(drawn, samples, seed),
    }


@dataclass(frozen=True)
class Plan:
    """A case with values of its inputs, one or many draws of each."""

    case: Case
    inputs: tuple[Input, ...]
    given: Mapping[str, Amount]

    @property
    def values(self) -> dict[str, Amount]:
        """Inputs and figures by name."""
        found = dict(self.given)
        for figure in self.case.figures:
            found[figure.name] = np.broadcast_to(
                compute(figure.formula, found), found["invested"].shape
            )
        return found

    @property
    def years(self) -> int:
        return int(next(one.value for one in self.inputs if one.name == "horizon"))

    def worth(self) -> tuple[Amount, Amount, Amount]:
        """(present value, years to payback, cumulated cash by year) of each draw."""
        values = self.values
        flows = cash(values, self.years)
        worth = discounted(flows, values["discount"]).sum(axis=1)
        return worth, payback_years(flows), np.cumsum(flows, axis=1)

    def figures(self) -> list[Json]:
        values = self.values
        worth, payback, _ = self.worth()
        rows = [
            {
                "name": one.name,
                "title": one.title,
                "kind": one.kind,
                "value": number(values[one.name][0]),
                "formula": one.formula,
                "with": {n: number(values[n][0]) for n in names(one.formula)},
                "about": one.about,
            }
            for one in self.case.figures
        ]
        used = ("invested", "saving", "running", "discount", "firstYear", "fade")
        shared = {n: number(values[n][0]) for n in used} | {"horizon": self.years}
        rows.append(
            {
                "name": "presentValue",
                "title": f"Net present value, {self.years} years",
                "kind": "money",
                "value": number(worth[0]),
                "formula": PRESENT_VALUE,
                "with": shared,
                "about": REACH,
            }
        )
        rows.append(
            {
                "name": "paybackYears",
                "title": "Payback along the course",
                "kind": "years",
                "value": number(payback[0]),
                "formula": "the year in which the sum of the cash is no longer below zero",
                "with": shared,
                "about": "not discounted; with the running cost and the years of the roll-out",
            }
        )
        return rows

    def course(self) -> list[Json]:
        values = self.values
        flows = cash(values, self.years)
        today = discounted(flows, values["discount"])
        total = np.cumsum(flows, axis=1)
        running = [0.0] + [float(values["running"][0])] * self.years
        return [
            {
                "year": year,
                "saving": number(flows[0, year] + running[year]) if year else 0.0,
                "cost": number(running[year] if year else values["invested"][0]),
                "cash": number(flows[0, year]),
                "presentValue": number(today[0, year]),
                "sum": number(total[0, year]),
            }
            for year in range(self.years + 1)
        ]


def number(value: Any) -> float | None:
    """For JSON: what is not finite is null."""
    found = float(value)
    return found if math.isfinite(found) else None


# ---- inputs --------------------------------------------------------------------------------------


def _inputs(case: Case, given: Json) -> tuple[Input, ...]:
    known = {one.name: one for one in (*case.inputs, *COMMON)}
    for name in given:
        if name not in known:
            raise InvalidInput(
                f"inputs.{name}: case '{case.name}' has no such input",
                hint="one of: " + ", ".join(known),
            )
    return tuple(_input(one, given.get(one.name)) for one in known.values())


def _input(one: Input, given: Any) -> Input:
    if given is None:
        return one
    found = given if isinstance(given, dict) else {"value": given}
    unknown = set(found) - {"value", "low", "high"}
    if unknown:
        raise InvalidInput(
            f"inputs.{one.name}: '{min(unknown)}' is not known", hint="value, low and high"
        )
    value = _amount(one, "value", found.get("value", one.value))
    # A range that is not told keeps its shape around the new value.
    low = _amount(one, "low", found.get("low", _moved(one, one.low, value)))
    high = _amount(one, "high", found.get("high", _moved(one, one.high, value)))
    if not low <= value <= high:
        raise InvalidInput(
            f"inputs.{one.name}: {low:g} <= {value:g} <= {high:g} does not hold",
            hint="low must not be above the value, high not below it",
        )
    return replace(one, value=value, low=low, high=high, source="entered")


def _moved(one: Input, end: float, value: float) -> float:
    if one.value:
        moved = end * value / one.value  # of the least of numbers a share may be rounded to 0
        moved = max(moved, value) if end >= one.value else min(moved, value)
        return float(np.clip(moved, one.least, one.most))
    moved = value if end == one.value else max(end, value)
    return float(np.clip(moved, one.least, one.most))


def _amount(one: Input, field: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not one.least <= value <= one.most:
        raise InvalidInput(
            f"inputs.{one.name}.{field}: {value!r}",
            hint=f"a number from {one.least:g} to {one.most:g}",
        )
    if one.kind == YEARS and value != int(value):
        raise InvalidInput(f"inputs.{one.name}.{field}: {value!r}", hint="whole years")
    return float(value)


def _shown(one: Input) -> Json:
    return {slot: getattr(one, slot) for slot in one.__slots__}


# ---- what it hangs on, how sure it is ------------------------------------------------------------


def _tornado(case: Case, inputs: tuple[Input, ...]) -> list[Json]:
    """The present value with one input at each end of its range; the widest first."""
    moving = [one for one in inputs if one.low < one.high and one.kind != YEARS]
    if not moving:
        return []
    values = {one.name: np.full(2 * len(moving), one.value) for one in inputs}
    for row, one in enumerate(moving):
        values[one.name][2 * row : 2 * row + 2] = one.low, one.high
    worth, _, _ = Plan(case, inputs, values).worth()
    rows = [
        {
            "name": one.name,
            "title": one.title,
            "kind": one.kind,
            "low": one.low,
            "high": one.high,
            "atLow": number(worth[2 * row]),
            "atHigh": number(worth[2 * row + 1]),
        }
        for row, one in enumerate(moving)
    ]
    return sorted(rows, key=lambda r: -abs(r["atHigh"] - r["atLow"]))


def _draws(inputs: tuple[Input, ...], samples: int, seed: int) -> dict[str, Amount]:
    """Independent triangular draws from low over value to high."""
    random = np.random.default_rng(seed)
    return {
        one.name: random.triangular(one.low, one.value, one.high, samples)
        if one.low < one.high and one.kind != YEARS
        else np.full(samples, one.value)
        for one in inputs
    }


def _band(plan: Plan, samples: int, seed: int) -> Json:
    worth, payback, total = plan.worth()
    counts, edges = np.histogram(worth, BINS)
    levels = np.quantile(total, LEVELS, axis=0)
    return {
        "samples": samples,
        "seed": seed,
        "levels": list(LEVELS),
        "presentValue": np.quantile(worth, LEVELS).tolist(),
        "mean": float(worth.mean()),
        "shareAboveZero": float((worth > 0).mean()),
        "payback": [number(v) for v in np.quantile(payback, LEVELS, method="inverted_cdf")],
        "sum": levels.tolist(),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "about": "every input drawn by itself from a triangle of low, value and high",
    }


def _notes(plan: Plan) -> list[str]:
    """What a reader should know of these figures, in words."""
    v = {name: float(value[0]) for name, value in plan.values.items()}
    found = []
    if v["invested"] == 0:
        found.append("No investment is entered: payback and present value leave it out.")
    if v["net"] <= 0:
        found.append("The running cost eats the saving: it is never paid back.")
    elif v["running"] > 0 and v["invested"] > 0:
        found.append(
            f"The running cost of {v['running']:,.0f} a year lowers what is left from "
            f"{v['saving']:,.0f} to {v['net']:,.0f}: payback {v['paybackNet']:.1f} months, "
            f"not {v['payback']:.1f}."
        )
    return found
