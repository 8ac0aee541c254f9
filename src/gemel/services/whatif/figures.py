"""What a run comes to: key figures with their bands, differences member by member, the tornado."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.whatif.scenario import Kpi

LOW, HIGH = 0.05, 0.95
Series = np.ndarray[Any, Any]


def figure(kpi: Kpi, values: Series, hours: float) -> F64:
    """A key figure of each column.

    Args:
        kpi: which.
        values: (moments, S), evenly apart from the fork on.
        hours: of the whole.
    """
    after = values[1:].astype(float) if len(values) > 1 else values.astype(float)
    if kpi.of == "min":
        return np.asarray(after.min(axis=0))
    if kpi.of == "max":
        return np.asarray(after.max(axis=0))
    if kpi.of == "end":
        return np.asarray(after[-1])
    if kpi.of == "above":
        return np.asarray((after > kpi.limit).mean(axis=0) * hours)
    if kpi.of == "below":
        return np.asarray((after < kpi.limit).mean(axis=0) * hours)
    mean = np.asarray(after.mean(axis=0))
    return mean * hours if kpi.of == "integral" else mean


def unit_of(kpi: Kpi, unit: str) -> str:
    """The unit of a figure, from that of its property."""
    if kpi.unit:
        return kpi.unit
    if kpi.of in ("above", "below"):
        return "h"
    return f"{unit}·h".lstrip("·") if kpi.of == "integral" else unit


def band(values: F64) -> Json:
    """Mean and the span that holds 90 of 100 members; None where it is not known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"mean": None, "low": None, "high": None}
    low, high = np.quantile(known, [LOW, HIGH])
    return {"mean": float(known.mean()), "low": float(low), "high": float(high)}


def compared(base: F64, other: F64) -> Json:
    """The difference, member by member; `sure` when 90 of 100 members agree on its sign."""
    found = band(other - base)
    low, high = found["low"], found["high"]
    sure = low is not None and (low > 0 or high < 0)
    return {**found, "sure": bool(sure)}


def bands(values: Series) -> tuple[F64, F64, F64]:
    """(moments, rows, members) -> mean, low, high, each (moments, rows)."""
    wide = values.astype(float)
    low, high = np.quantile(wide, [LOW, HIGH], axis=2)
    return wide.mean(axis=2), low, high


def tornado(names: Sequence[str], low: F64, high: F64, middle: float) -> list[Json]:
    """Bars, the longest first: what a figure is where one thing is moved to either side."""
    rows: list[Json] = [
        {"name": name, "low": float(a), "high": float(b), "middle": middle}
        for name, a, b in zip(names, low, high, strict=True)
        if np.isfinite(a) and np.isfinite(b)
    ]
    return sorted(rows, key=lambda row: -abs(row["high"] - row["low"]))
