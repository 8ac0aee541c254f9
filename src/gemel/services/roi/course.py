"""Cash by year over the horizon: present value, year of payback; for one plan or many draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemel.services.roi.formula import Amount

PRESENT_VALUE = "- invested + sum over years t of (saving * reach(t) - running) / (1 + discount)^t"
REACH = "reach(1) = firstYear, reach(t) = (1 - fade)^(t - 2)"


def cash(values: Mapping[str, Amount], years: int) -> Amount:
    """Money that comes in each year; year 0 is the investment.

    Shapes: each value (draws,); result (draws, years + 1).
    """
    year = np.arange(1, years + 1)
    reach = np.where(
        year == 1,
        values["firstYear"][:, None],
        (1 - values["fade"][:, None]) ** np.maximum(year - 2, 0),
    )
    later = values["saving"][:, None] * reach - values["running"][:, None]
    return np.concatenate([-values["invested"][:, None], later], axis=1)


def discounted(flows: Amount, discount: Amount) -> Amount:
    """The same in money of today."""
    return flows / (1 + discount[:, None]) ** np.arange(flows.shape[1])


def payback_years(flows: Amount) -> Amount:
    """When the sum of the flows first is no longer below zero, within a year in proportion.

    Shapes: flows (draws, years + 1); result (draws,), infinite where it never is.
    """
    total = np.cumsum(flows, axis=1)
    is_paid = total >= 0
    year = np.argmax(is_paid, axis=1)
    rows = np.arange(len(flows))
    before = total[rows, np.maximum(year - 1, 0)]
    gain = flows[rows, year]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(year > 0, -before / gain, 0.0)
    found = np.where(year > 0, year - 1 + share, 0.0)
    return np.where(is_paid.any(axis=1), found, np.inf)
