"""What a measure has saved: a baseline model of what would have been used, less what was used.

Source: ASHRAE Guideline 14 and IPMVP option C: regression of days before the measure on weather;
the interval holds both the scatter of single days and that of the fitted line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput

T_LIMIT = 1.96
"""Of a 95 % interval; days before are asked to be at least 20."""
LEAST_DAYS = 20


@dataclass(frozen=True, slots=True)
class Savings:
    """Units as in the data; `share` of what would have been used."""

    saved: float
    low: float
    high: float
    share: float
    share_low: float
    share_high: float
    cv_rmse: float
    """Scatter of the baseline model over its mean; Guideline 14 asks for <= 0.3 by the hour."""


def verify(before: F64, used_before: F64, after: F64, used_after: F64) -> Savings:
    """Savings over the days after, with a 95 % interval.

    Args:
        before: (d, k) what explains use, such as mean outdoor temperature and sun of each day.
        used_before: (d,) energy of those days.
        after: (e, k) the same after the measure.
        used_after: (e,)

    Raises:
        InvalidInput: too few days before.
    """
    days, k = before.shape
    if days < max(LEAST_DAYS, 3 * (k + 1)):
        raise InvalidInput(f"{days} days before are too few", hint=f"at least {LEAST_DAYS}")
    table = np.column_stack((np.ones(days), before))
    weights, *_ = np.linalg.lstsq(table, used_before, rcond=None)
    rest = used_before - table @ weights
    variance = float(rest @ rest) / (days - k - 1)
    later = np.column_stack((np.ones(len(after)), after))
    would = later @ weights
    total = later.sum(axis=0)
    spread = np.sqrt(
        variance * (len(after) + float(total @ np.linalg.pinv(table.T @ table) @ total))
    )
    saved, expected = float((would - used_after).sum()), float(would.sum())
    low, high = saved - T_LIMIT * spread, saved + T_LIMIT * spread
    return Savings(
        saved, low, high, saved / expected, low / expected, high / expected,
        float(np.sqrt(variance) / used_before.mean()),
    )  # fmt: skip
