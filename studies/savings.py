"""Savings on metered homes: does the baseline meet Guideline 14, and does its interval hold?

The product's run `savings`, on meters at which nothing is known to have been changed. At each of
several days it is told that a measure was taken: what it then says was saved is an error, and 0
should lie in its 90 % interval. Once more with a tenth taken off all use after that day: a tenth of
what would have been used should lie in it. The baseline sees the span before, never what it is
judged on. UK meters: a year before, 90 days after; CityLearn homes have one year: 180 days before,
56 after. Days follow each other every 30 or 28 days, so windows overlap and are not independent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.forecast.kind import KIND
from gemel.services.forecast.saved import DAY, HOUR, savings_run
from gemel.services.schema import completed
from studies import Options, StudyError
from studies._tables import Table

PERIODS = {"day": DAY, "hour": HOUR}
CUT = 0.1
RUN = next(run for run in KIND.runs if run.name == "savings")
AUGUST = datetime(2021, 8, 1, tzinfo=UTC)
"""CityLearn gives months and hours without a year; theirs begins with a Sunday in August."""


def run(options: Options) -> dict[str, Any]:
    meters = _uk(options) | _homes(options)
    if not meters:
        raise StudyError(f"{options.data} holds no meters (meter_uk or building_energy)")
    found: dict[str, Any] = {}
    for name, (columns, before, after, every) in meters.items():
        begin, end = int(columns[0].time[0]), int(columns[0].time[-1])
        first, last = begin + before * DAY * SECOND, end - after * DAY * SECOND
        changes = range(first, last, every * DAY * SECOND)
        if options.small:
            changes = changes[:2]
        for word, period in list(PERIODS.items())[: 1 if options.small else 2]:
            rows = [_judged(columns, change, before, after, period) for change in changes]
            known = [row for row in rows if row is not None]
            if known:
                found[f"{name}, by the {word}"] = _summed(known, len(rows))
    return found


def _judged(
    columns: tuple[Column, Column], change: int, before: int, after: int, period: int
) -> dict[str, float] | None:
    """What the run says of a day on which nothing, or a tenth, was saved; None: it says nothing."""
    end = change + after * DAY * SECOND
    cut = [Column(c.time[c.time < end], c.value[c.time < end]) for c in columns]
    try:
        nothing, expected, measured = _run(cut, change, before, period)
        less = np.where(cut[0].time >= change, 1 - CUT, 1.0)
        tenth, _, _ = _run(
            [Column(cut[0].time, cut[0].value * less), cut[1]], change, before, period
        )
    except InvalidInput:
        return None
    off = measured - expected
    true = CUT * nothing["measured"]
    return {
        "cvRmseFit": nothing["cvRmse"],
        "cvRmse": float(np.sqrt((off**2).mean()) / measured.mean()),
        "nmbe": float(off.sum() / measured.sum()),
        "share": nothing["share"],
        "half": (nothing["high"] - nothing["low"]) / 2 / nothing["expected"],
        "holdsNothing": float(nothing["low"] <= 0 <= nothing["high"]),
        "holdsTenth": float(tenth["low"] <= true <= tenth["high"]),
        "meets": float(nothing["meetsGuideline14"]),
    }


def _run(
    columns: list[Column], change: int, before: int, period: int
) -> tuple[dict[str, Any], F64, F64]:
    """The answer of the product's run, and what it expected beside what was measured, by step."""
    asked = {"change": to_iso(change), "period": float(period), "before": float(before * DAY)}
    signals = Signal("meter", "power", "kW"), Signal("meter", "temperature", "degC")
    instance = Instance("study", "forecast", ("meter",), completed(KIND.parameters, {}), signals)
    begin = change - before * DAY * SECOND
    kept = [Column(c.time[c.time >= begin], c.value[c.time >= begin]) for c in columns]
    job = Job(instance, completed(RUN.parameters, asked), signals, kept)
    result = savings_run(job, lambda *_: None)
    (row,), (series,) = result.document["twins"], result.series
    place = kept[0].time // (period * SECOND)
    numbers, inverse, count = np.unique(place, return_inverse=True, return_counts=True)
    mean = np.bincount(inverse, kept[0].value) / count
    at = np.searchsorted(numbers, series.time // (period * SECOND))
    return row, series.value, mean[at]


def _summed(rows: list[dict[str, float]], asked: int) -> dict[str, Any]:
    names = ("cvRmseFit", "cvRmse", "nmbe", "share", "half")
    found: dict[str, Any] = {n: float(np.median([row[n] for row in rows])) for n in names}
    found["worstNmbe"] = max((row["nmbe"] for row in rows), key=abs)
    for name in ("holdsNothing", "holdsTenth", "meets"):
        found[name] = int(sum(row[name] for row in rows))
    return found | {"days": len(rows), "unsaid": asked - len(rows)}


Meter = tuple[tuple[Column, Column], int, int, int]


def _uk(options: Options) -> dict[str, Meter]:
    found: dict[str, Meter] = {}
    weather = options.beside("meter_uk", "uk-tempC-sample-0.csv.gz")
    if weather is None:
        return found
    temperature = _stamped(weather, 1)
    for kind in ("electricity", "gas"):
        path = options.beside("meter_uk", f"uk-{kind}-hdd-only-hourly-sample-0.csv.gz")
        if path:
            found[f"UK {kind}"] = (_stamped(path, 0), temperature), 365, 90, 30
    return found


def _stamped(path: Path, column: int) -> Column:
    table = Table(path)
    table.rows = [row for row in table.rows if row[-1]]
    moments = [datetime.fromisoformat(row[column]).replace(tzinfo=UTC) for row in table.rows]
    time: I64 = np.array([round(m.timestamp()) for m in moments], np.int64) * SECOND
    return Column(time, table.block([-1]).ravel())


def _homes(options: Options) -> dict[str, Meter]:
    weather = options.beside("building_energy", "weather.csv.gz")
    if weather is None:
        return {}
    outdoor = Table(weather).column("Outdoor Drybulb Temperature [C]")
    time = (round(AUGUST.timestamp()) + HOUR * np.arange(len(outdoor))) * SECOND
    homes = {}
    for path in sorted(weather.parent.glob("Building_*.csv.gz")):
        homes[path.name.split(".")[0]] = Table(path).column("Equipment Electric Power [kWh]")
    if len(homes) > 1:
        homes[f"all {len(homes)} homes"] = np.sum(list(homes.values()), axis=0)
    return {
        name: ((Column(time, use), Column(time, outdoor)), 180, 56, 28)
        for name, use in homes.items()
    }
